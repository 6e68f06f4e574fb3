"""The same code on a CUDA device: equal results, no waiting, NaN where the CPU raises."""

from __future__ import annotations

import pytest
import torch
from nurbs_cases import clamped
from torch.testing import assert_close

from nurbs_diff import basis_functions, evaluate_surface, fit_surface

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device"),
]
EPS = torch.finfo(torch.float64).eps


def case(device: str) -> list[torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    points = torch.rand(2, 8, 6, 3, generator=generator, dtype=torch.float64)
    weights = 0.2 + torch.rand(2, 8, 6, generator=generator, dtype=torch.float64)
    u = torch.linspace(0, 1, 33, dtype=torch.float64)
    knots = clamped([0.3758, 0.3758, 0.4333, 0.5503], 3), clamped([0.25, 0.6, 0.6], 2)
    return [x.to(device).requires_grad_() for x in (points, *knots, u, u.clone(), weights)]


def results(arguments: list[torch.Tensor]) -> list[torch.Tensor]:
    points, knots_u, knots_v, u, v, weights = arguments
    surface = evaluate_surface(points, knots_u, knots_v, u, v, weights=weights)
    return [surface, *torch.autograd.grad(surface.square().sum(), arguments)]


def test_gpu_equals_cpu_without_waiting_for_the_device() -> None:
    arguments = case("cuda")
    results(arguments)  # loads libraries, which waits
    torch.cuda.set_sync_debug_mode("error")
    try:
        ours = results(arguments)
    finally:
        torch.cuda.set_sync_debug_mode("default")
    for a, b in zip(ours, results(case("cpu")), strict=True):
        assert_close(a.cpu(), b, rtol=0, atol=1024 * EPS * float(b.abs().max()))


def test_rows_that_cannot_be_computed_are_nan() -> None:
    knots = clamped([0.25, 0.5], 2).cuda()
    basis = basis_functions(knots, 2, torch.tensor([0.5, 1.5, torch.nan], dtype=torch.float64).cuda())
    assert basis.isnan().all(1).tolist() == [False, True, True]
    assert basis_functions(knots.flip(0), 2, knots[:1]).isnan().all()


def test_fit_on_the_gpu() -> None:
    generator = torch.Generator().manual_seed(0)
    points = torch.rand(20, 24, 3, generator=generator, dtype=torch.float64)
    ours, want = fit_surface(points.cuda(), 3, (6, 6)), fit_surface(points, 3, (6, 6))
    assert_close(ours.control_points.cpu(), want.control_points, rtol=0, atol=1e4 * EPS)
