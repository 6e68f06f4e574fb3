from __future__ import annotations

import math
from itertools import pairwise

import pytest
import torch

from implicit_seg import (
    SURFACE_TENSION,
    PhaseFieldLoss,
    TotalVariationLoss,
    modica_mortola_energy,
    total_variation,
)


def disc(radius: float, epsilon: float, spacing: float, half: float = 1.0) -> torch.Tensor:
    x = torch.arange(-half, half + spacing / 2, spacing, dtype=torch.float64)
    distance = radius - torch.hypot(x[:, None], x[None, :])
    return torch.sigmoid(math.sqrt(2) * distance / epsilon)[None, None]


def test_energy_of_a_disc_is_its_perimeter():
    spacing = 1 / 256
    energy = modica_mortola_energy(disc(0.5, 4 * spacing, spacing), 4 * spacing, spacing).item()
    assert energy == pytest.approx(SURFACE_TENSION * 2 * math.pi * 0.5, rel=1e-3)


def test_energy_of_a_ball_is_its_surface():
    spacing = 1 / 32
    x = torch.arange(-1, 1 + spacing / 2, spacing, dtype=torch.float64)
    distance = 0.6 - (x[:, None, None] ** 2 + x[:, None] ** 2 + x**2).sqrt()
    u = torch.sigmoid(math.sqrt(2) * distance / (4 * spacing))[None, None]
    energy = modica_mortola_energy(u, 4 * spacing, spacing).item()
    # a sphere's energy is off by (pi epsilon / r)^2 / 6 = 7 % of its area at this coarse epsilon / r = 0.2
    assert energy == pytest.approx(SURFACE_TENSION * 4 * math.pi * 0.6**2, rel=0.1)


def test_energy_converges_to_second_order():
    errors = []
    for n in (64, 128, 256):  # the profile stays the same, the grid gets finer
        x = torch.linspace(-1, 1, n + 1, dtype=torch.float64)
        u = torch.sigmoid(math.sqrt(2) * x / 0.06)[None, None]
        errors.append(abs(modica_mortola_energy(u, 0.06, 2 / n).item() - SURFACE_TENSION))
    rates = [math.log2(a / b) for a, b in pairwise(errors)]
    assert rates == pytest.approx([2, 2], abs=0.05)


def test_the_optimal_profile_beats_its_neighbours():
    x = torch.linspace(-1, 1, 401, dtype=torch.float64)
    width = {
        k: modica_mortola_energy(torch.sigmoid(k * x / 0.1)[None, None], 0.1, 0.005).item()
        for k in (1.2, 2**0.5, 1.7)
    }
    assert min(width, key=width.get) == 2**0.5


def test_total_variation_of_a_square_and_of_a_ramp():
    u = torch.zeros(1, 1, 40, 50, dtype=torch.float64)
    u[..., 10:30, 5:25] = 1
    # 20 samples a side; forward differences see one corner once, as sqrt(2), instead of twice
    assert total_variation(u, 0.5).item() == pytest.approx(0.5 * (80 - 2 + math.sqrt(2)))
    ramp = torch.arange(50, dtype=torch.float64).expand(1, 1, 40, 50)
    assert total_variation(ramp).item() == pytest.approx(40 * 49)


def test_total_variation_of_a_disc_is_its_perimeter():
    u = disc(0.5, 0.05, 1 / 128)
    assert total_variation(u, 1 / 128).item() == pytest.approx(
        2 * math.pi * 0.5, rel=2e-3
    )  # it converges as h^2 / width^2


def test_items_and_channels_are_independent(generator):
    u = torch.rand(3, 2, 6, 7, dtype=torch.float64, generator=generator)
    for quantity in (total_variation, lambda v: modica_mortola_energy(v, 3.0)):
        both = quantity(u)
        assert both.shape == (3, 2)
        assert both[1, 1].item() == pytest.approx(quantity(u[1:2, 1:2]).item())


def test_losses_are_means_over_the_area(generator):
    u = torch.rand(3, 2, 6, 8, dtype=torch.float64, generator=generator)
    area = 6 * 8 * 0.5**2
    assert TotalVariationLoss(0.5)(u).item() == pytest.approx(total_variation(u, 0.5).mean().item() / area)
    assert PhaseFieldLoss(2.0, 0.5)(u).item() == pytest.approx(
        modica_mortola_energy(u, 2.0, 0.5).mean().item() / area
    )
    assert "epsilon=2, spacing=0.5" in repr(PhaseFieldLoss(2.0, 0.5))
    assert "spacing=0.5" in repr(TotalVariationLoss(0.5))


def test_gradients(generator):
    u = torch.rand(2, 1, 4, 5, dtype=torch.float64, generator=generator, requires_grad=True)
    assert torch.autograd.gradcheck(total_variation, u)
    assert torch.autograd.gradcheck(lambda v: modica_mortola_energy(v, 2.0, 0.5), u)


def test_a_constant_has_no_energy_and_a_finite_gradient():
    u = torch.ones(1, 1, 4, 5, requires_grad=True)
    for quantity in (total_variation, lambda v: modica_mortola_energy(v, 3.0)):
        u.grad = None
        energy = quantity(u)
        energy.sum().backward()
        assert energy.item() == 0
        assert torch.equal(u.grad, torch.zeros_like(u))


def test_messages():
    with pytest.raises(
        ValueError, match=r"at least 2 points in each further dimension; got the shape \(1, 1, 1, 5\)"
    ):
        total_variation(torch.zeros(1, 1, 1, 5))
    with pytest.raises(ValueError, match="`spacing` must be positive; got -1"):
        total_variation(torch.zeros(1, 1, 5, 5), -1.0)
    with pytest.raises(ValueError, match="`epsilon` must be positive; got 0"):
        PhaseFieldLoss(0.0)
