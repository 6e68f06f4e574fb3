from __future__ import annotations

import math
import sys
from itertools import pairwise

import numpy as np
import pytest
import torch
from matplotlib.backends.backend_agg import FigureCanvasAgg
from nurbs_cases import clamped
from scipy.interpolate import make_lsq_spline
from torch import Generator, Tensor
from torch.testing import assert_close

from nurbs_diff import evaluate_surface, fit_surface, uniform_knots

EPS = torch.finfo(torch.float64).eps


def grid(r: int, s: int, high: float = 1.0) -> tuple[Tensor, Tensor]:
    u, v = (high * torch.linspace(0, 1, count, dtype=torch.float64) for count in (r, s))
    return torch.meshgrid(u, v, indexing="ij")


def bukin(count: int) -> Tensor:
    """Bukin's function N.6 on [-15, 5] x [-3, 5], as DSA Table 3 must have used it."""
    x, y = grid(count, count)
    x, y = 20 * x - 15, 8 * y - 3
    return torch.stack([x, y, 100 * (y - 0.01 * x**2).abs().sqrt() + 0.01 * (x + 10).abs()], -1)


def test_fit_equals_scipy_along_each_direction(generator: Generator) -> None:
    points = torch.rand(30, 40, 2, generator=generator, dtype=torch.float64)
    knots = (clamped([0.3, 0.3, 0.8], 3), clamped([0.5], 2))
    fit = fit_surface(points, (3, 2), (7, 4), knots=knots)
    along_u = make_lsq_spline(fit.u.numpy(), points.numpy(), knots[0].numpy(), 3).c
    want = make_lsq_spline(fit.v.numpy(), np.swapaxes(along_u, 0, 1), knots[1].numpy(), 2).c
    # scipy solves the normal equations: condition number squared
    assert_close(fit.control_points, torch.from_numpy(np.swapaxes(want, 0, 1)), rtol=0, atol=1e4 * EPS)


def test_residuals_are_orthogonal_to_every_basis_function(generator: Generator) -> None:
    points = torch.rand(30, 40, 2, generator=generator, dtype=torch.float64)
    fit = fit_surface(points, 3, (7, 5))
    net = torch.zeros(7, 5, 2, dtype=torch.float64, requires_grad=True)
    surface = evaluate_surface(net, fit.knots_u, fit.knots_v, fit.u, fit.v)
    (gradient,) = torch.autograd.grad((surface * fit.residuals).sum(), net)
    assert float(gradient.abs().max()) < 1200 * EPS  # sums over 1200 points


def test_a_surface_is_recovered_exactly(generator: Generator) -> None:
    net = torch.rand(6, 5, 3, generator=generator, dtype=torch.float64)
    knots = (3 * clamped([0.2, 0.6], 3), clamped([0.4, 0.4], 2))
    u = 3 * torch.linspace(0, 1, 25, dtype=torch.float64) ** 1.2
    v = torch.linspace(0, 1, 20, dtype=torch.float64)
    fit = fit_surface(evaluate_surface(net, *knots, u, v), (3, 2), (6, 5), knots=knots, u=u)
    assert_close(fit.control_points, net, rtol=0, atol=1e4 * EPS)  # condition numbers near 30 each
    assert fit.max_error < 256 * EPS
    assert fit.rms <= fit.max_error
    assert fit.mse == pytest.approx(fit.rms**2 / 3)


def test_uniform_knots_converge_with_order_degree_plus_one() -> None:
    errors = []
    for spans in (8, 16, 32):
        u, v = grid(200, 12)
        points = torch.stack([u, v, torch.sin(2 * math.pi * u) * v], -1)
        errors.append(fit_surface(points, (3, 1), (spans + 3, 2)).rms)
    orders = [math.log2(a / b) for a, b in pairwise(errors)]
    assert orders == pytest.approx([4, 4], abs=0.25)


def test_free_knots_find_the_kinks() -> None:
    u, v = grid(60, 50, 4.0)
    points = torch.stack([u, v, (u - 1.3).abs() + 2 * (v - 2.9).abs()], -1)
    fit = fit_surface(points, 1, (3, 3), knots="free", u=u[:, 0], v=v[0])
    assert float(fit.knots_u[2]) == pytest.approx(1.3, abs=1e-4)
    assert float(fit.knots_v[2]) == pytest.approx(2.9, abs=1e-4)
    assert fit.rms < 1e-4
    assert fit.is_converged


@pytest.mark.parametrize(("count", "fixed", "free"), [(128, 19.838, 8.1402), (256, 19.849, 8.1034)])
def test_table_3_of_dsa(count: int, fixed: float, free: float) -> None:
    assert fit_surface(bukin(count), 3, (8, 8)).mse == pytest.approx(fixed, abs=1e-3)
    fit = fit_surface(bukin(count), 3, (8, 8), knots="free", starts=1)
    assert fit.mse == pytest.approx(free, abs=2e-4)  # known to four digits; the minimum gap costs under 1e-5
    assert float(fit.knots_v[5] - fit.knots_v[4]) < 2e-6  # a double knot


def test_every_start_is_reported_and_none_is_random() -> None:
    calls: list[tuple[int, int, float]] = []
    first = fit_surface(
        bukin(32), 3, (6, 6), knots="free", starts=3, callback=lambda *call: calls.append(call)
    )
    second = fit_surface(bukin(32), 3, (6, 6), knots="free", starts=3)
    assert torch.equal(first.knots_v, second.knots_v)
    assert first.losses == second.losses
    assert [call[:2] for call in calls] == [(1, 3), (2, 3), (3, 3)]
    assert calls[-1][2] == min(first.losses) == pytest.approx(first.mse, rel=1e-9)
    assert first.evaluations > 20


def test_float32_points_give_float32_control_points() -> None:
    points = bukin(32)
    fit = fit_surface(points.float(), 3, (6, 6))
    assert fit.control_points.dtype == fit.values.dtype == torch.float32
    assert fit.knots_u.dtype == torch.float64
    assert fit.mse == pytest.approx(fit_surface(points, 3, (6, 6)).mse, rel=1e-5)


def test_repr_and_plot() -> None:
    fit = fit_surface(bukin(24), 3, (6, 6))
    assert repr(fit).startswith("SurfaceFit(6 x 6 control points in 3-D, 24 x 24 points, rms=")
    figure = fit.plot()
    FigureCanvasAgg(figure).draw()
    assert len(figure.axes) == 3  # surface, error, colour bar
    flat = fit_surface(bukin(24)[..., :2], 3, (6, 6)).plot()
    assert len(flat.axes) == 2


def test_plot_without_matplotlib_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    fit = fit_surface(bukin(24), 3, (6, 6))
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    with pytest.raises(ImportError, match=r'pip install "nurbs-diff\[plot\]"'):
        fit.plot()


def test_errors() -> None:
    points = bukin(12)
    knots = uniform_knots(8, 3)
    u = torch.linspace(0, 1, 12, dtype=torch.float64)
    with pytest.raises(
        ValueError, match=r"n_v = 13 control points; it must exceed the degree 3 and not the 12 points"
    ):
        fit_surface(points, 3, (8, 13))
    with pytest.raises(ValueError, match=r"n_u = 3 control points; it must exceed the degree 3"):
        fit_surface(points, 3, (3, 8))
    with pytest.raises(
        ValueError, match=r"`knots\[1\]` must hold n \+ degree \+ 1 = 12 knots; got shape \(11,\)"
    ):
        fit_surface(points, 3, (8, 8), knots=(knots, knots[1:]))
    with pytest.raises(ValueError, match=r"`u` must hold 12 increasing parameters"):
        fit_surface(points, 3, (8, 8), u=u.flip(0))
    with pytest.raises(
        ValueError, match=r"`v` determines only 5 of the 8 control points .*Schoenberg-Whitney"
    ):
        fit_surface(points, 3, (8, 8), knots=(knots, clamped([0.01, 0.02, 0.03, 0.04], 3)))
    with pytest.raises(ValueError, match=r'`knots="free"` needs interior knots; size \(4, 4\)'):
        fit_surface(points, 3, (4, 4), knots="free")
    with pytest.raises(
        ValueError, match=r"`minimum_gap` must be positive and below 1 / 5 for 5 spans; got 0.3"
    ):
        fit_surface(points, 3, (8, 8), knots="free", minimum_gap=0.3)
    with pytest.raises(ValueError, match=r"`starts` must be at least 1; got 0"):
        fit_surface(points, 3, (8, 8), knots="free", starts=0)
    points[3, 4, 2] = math.nan
    with pytest.raises(ValueError, match=r"`points` must be finite; points\[3, 4, 2\] = nan"):
        fit_surface(points, 3, (8, 8))
