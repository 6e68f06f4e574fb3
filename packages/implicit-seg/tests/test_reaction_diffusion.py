from __future__ import annotations

import math
from functools import partial, reduce
from itertools import pairwise

import numpy as np
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


FORMS = pytest.mark.parametrize("form", ["differences", "weak"])


@FORMS
def test_travelling_wave_of_fisher_kpp_in_every_direction(form):
    errors = []
    for n in (32, 64, 128):
        x, spacing = grid(n, 6.0)
        u, rate = ablowitz_zeppetella(0.6 * x[:, None] + 0.8 * x[None, :])
        residual = reaction_diffusion_residual(u[None, None], fisher_kpp, 1.0, spacing, form=form)
        errors.append((residual[0, 0] - rate[1:-1, 1:-1]).abs().max().item())
    rates = [math.log2(a / b) for a, b in pairwise(errors)]
    assert rates == pytest.approx([2, 2], abs=0.1)


@FORMS
def test_implicit_step_of_a_travelling_wave(form):
    """The residual of the wave a step later is of the order of the step, here the square of the spacing."""
    errors = []
    for n in (32, 64, 128):
        x, spacing = grid(n, 6.0)
        step = spacing**2
        along = 0.6 * x[:, None] + 0.8 * x[None, :]
        before, after = (ablowitz_zeppetella(along - 5 / math.sqrt(6) * t)[0][None, None] for t in (0, step))
        residual = reaction_diffusion_residual(
            after, fisher_kpp, 1.0, spacing, form=form, previous=before, time_step=step
        )
        errors.append(residual.abs().max().item())
    rates = [math.log2(a / b) for a, b in pairwise(errors)]
    assert rates == pytest.approx([2, 2], abs=0.1)


@pytest.mark.parametrize("sizes", [(7,), (5, 6), (4, 5, 3)])
def test_weak_form_equals_assembled_matrices(sizes, generator):
    """Mass and stiffness of linear elements, assembled interval by interval, and their products."""
    spacing, diffusivity, step = 0.5, 1.7, 0.3

    def assemble(n, element):
        matrix = np.zeros((n, n))
        for k in range(n - 1):
            matrix[k : k + 2, k : k + 2] += element
        return matrix

    masses = [assemble(n, spacing * np.array([[2, 1], [1, 2]]) / 6) for n in sizes]
    mass = reduce(np.kron, masses)
    stiffness = 0
    for axis, n in enumerate(sizes):
        factors = [*masses]
        factors[axis] = assemble(n, np.array([[1, -1], [-1, 1]]) / spacing)
        stiffness = stiffness + reduce(np.kron, factors)
    u, before = (torch.rand(1, 1, *sizes, dtype=torch.float64, generator=generator) for _ in range(2))
    v = u.numpy().ravel()
    want = mass @ (v * (1 - v) - (v - before.numpy().ravel()) / step) - diffusivity * stiffness @ v
    want = (want / mass.sum(1)).reshape(sizes)[(slice(1, -1),) * len(sizes)]
    got = reaction_diffusion_residual(
        u, fisher_kpp, diffusivity, spacing, form="weak", previous=before, time_step=step
    )
    # sums of 3^d terms of up to 4 D d / h^2 = 80
    assert_close(got[0, 0], torch.from_numpy(want), rtol=0, atol=27 * 80 * torch.finfo(torch.float64).eps)


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
    assert "reaction=fisher_kpp, diffusivity=0.7, spacing=0.5, form=differences" in repr(loss)
    step, before = ReactionDiffusionLoss(fisher_kpp, form="weak", time_step=0.1), u.detach() / 2
    assert torch.autograd.gradcheck(lambda v: step(v, before), u)
    want = reaction_diffusion_residual(u, fisher_kpp, form="weak", previous=before, time_step=0.1)
    assert_close(step(u, before), want.square().mean())
    assert "form=weak, time_step=0.1" in repr(step)


def test_messages(unchecked):
    with pytest.raises(ValueError, match="at least 3 points"):
        reaction_diffusion_residual(torch.zeros(1, 1, 2, 5))
    with pytest.raises(ValueError, match="`diffusivity` must be positive; got 0"):
        reaction_diffusion_residual(torch.zeros(1, 1, 5, 5), diffusivity=0.0)
    with pytest.raises(ValueError, match='`form` must be "differences" or "weak"; got 3'):
        ReactionDiffusionLoss(form=3)
    with pytest.raises(ValueError, match="`previous` and `time_step` belong together"):
        ReactionDiffusionLoss(time_step=0.1)(torch.zeros(1, 1, 5, 5))
    with pytest.raises(ValueError, match="`time_step` must be positive; got 0"):
        ReactionDiffusionLoss(time_step=0.0)
    with pytest.raises(ValueError, match=r"the shape of `u`, \(1, 1, 5, 5\); got \(1, 1, 5, 4\)"):
        ReactionDiffusionLoss(time_step=0.1)(torch.zeros(1, 1, 5, 5), torch.zeros(1, 1, 5, 4))
