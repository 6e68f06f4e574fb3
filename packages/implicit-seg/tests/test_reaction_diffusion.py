from __future__ import annotations

import math
from functools import partial
from itertools import pairwise

import pytest
import torch
from torch.testing import assert_close

from implicit_seg import ReactionDiffusionLoss, bistable, fisher_kpp, reaction_diffusion_residual


def grid(n: int, half: float) -> tuple[torch.Tensor, float]:
    return torch.linspace(-half, half, n + 1, dtype=torch.float64), 2 * half / n


def ablowitz_zeppetella(x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """A travelling wave of u_t = lap u + u (1 - u) at t = 0 and its time derivative (speed 5 / sqrt 6)."""
    growth = (x / math.sqrt(6)).exp()
    u = (1 + growth) ** -2
    speed = 5 / math.sqrt(6)
    return u, speed * 2 * growth * (1 + growth) ** -3 / math.sqrt(6)  # u_t = -speed u_x


def test_travelling_wave_of_fisher_kpp_in_every_direction():
    errors = []
    for n in (32, 64, 128):
        x, spacing = grid(n, 6.0)
        u, rate = ablowitz_zeppetella(0.6 * x[:, None] + 0.8 * x[None, :])
        residual = reaction_diffusion_residual(u[None, None], fisher_kpp, 1.0, spacing)
        errors.append((residual[0, 0] - rate[1:-1, 1:-1]).abs().max().item())
    rates = [math.log2(a / b) for a, b in pairwise(errors)]
    assert rates == pytest.approx([2, 2], abs=0.1)


@pytest.mark.parametrize("threshold", [0.3, 0.5, 0.7])
def test_bistable_front_has_its_known_speed(threshold):
    diffusivity, rate = 2.0, 3.0
    speed = math.sqrt(rate * diffusivity / 2) * (1 - 2 * threshold)
    errors = []
    for n in (100, 200, 400):
        x, spacing = grid(n, 10.0)
        slope = math.sqrt(rate / (2 * diffusivity))
        u = torch.sigmoid(-slope * x)
        reaction = partial(bistable, threshold=threshold, rate=rate)
        residual = reaction_diffusion_residual(u[None, None], reaction, diffusivity, spacing)[0, 0]
        errors.append((residual - speed * slope * (u * (1 - u))[1:-1]).abs().max().item())
    rates = [math.log2(a / b) for a, b in pairwise(errors)]
    assert rates == pytest.approx([2, 2], abs=0.1)


def test_laplacian_is_exact_on_quadratics():
    x, y, z = (torch.arange(n, dtype=torch.float64) * 0.5 for n in (4, 5, 6))
    u = x[:, None, None] ** 2 + 2 * y[:, None] ** 2 - 5 * z**2 + x[:, None, None] * z
    residual = reaction_diffusion_residual(u[None, None], lambda v: 0 * v, 1.5, 0.5)
    assert_close(residual, torch.full((1, 1, 2, 3, 4), 1.5 * (2 + 4 - 10), dtype=torch.float64))


def test_fixed_points_of_the_reactions():
    ends = torch.tensor([0.0, 1.0])
    assert not fisher_kpp(ends, 2.0).any()
    assert not bistable(torch.tensor([0.0, 0.25, 1.0]), 0.25, 2.0).any()


def test_gradients_and_module(generator):
    u = torch.rand(2, 1, 4, 5, dtype=torch.float64, generator=generator, requires_grad=True)
    loss = ReactionDiffusionLoss(fisher_kpp, 0.7, 0.5)
    assert torch.autograd.gradcheck(loss, u)
    assert_close(loss(u), reaction_diffusion_residual(u, fisher_kpp, 0.7, 0.5).square().mean())
    assert "reaction=fisher_kpp, diffusivity=0.7, spacing=0.5" in repr(loss)


def test_messages():
    with pytest.raises(ValueError, match="at least 3 points"):
        reaction_diffusion_residual(torch.zeros(1, 1, 2, 5))
    with pytest.raises(ValueError, match="`diffusivity` must be positive; got 0"):
        reaction_diffusion_residual(torch.zeros(1, 1, 5, 5), diffusivity=0.0)
