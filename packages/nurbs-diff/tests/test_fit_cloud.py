from __future__ import annotations

import math
import sys

import numpy as np
import pytest
import torch
from matplotlib.backends.backend_agg import FigureCanvasAgg
from nurbs_cases import clamped
from scipy.interpolate import NdBSpline
from torch import Generator, Tensor
from torch.testing import assert_close

from nurbs_diff import Surface, basis_functions, bending_energy, evaluate_surface, fit_cloud, uniform_knots

EPS = torch.finfo(torch.float64).eps


def uniform(generator: Generator, *shape: int) -> Tensor:
    return torch.rand(*shape, generator=generator, dtype=torch.float64)


def arc(generator: Generator, half_angle: float, count: int = 800) -> Tensor:
    """Points of a cylinder of radius 1 around the y axis, within an angle of its top."""
    angle, y = half_angle * (2 * uniform(generator, count) - 1), 1.5 * uniform(generator, count)
    return torch.stack([angle.sin(), y, angle.cos()], -1)


def quadrature(knots: Tensor) -> tuple[np.ndarray, np.ndarray]:
    t = np.unique(knots.numpy())
    nodes, weights = np.polynomial.legendre.leggauss(8)
    half = np.diff(t)[:, None] / 2
    return (t[:-1, None] + half * (nodes + 1)).ravel(), (half * weights).ravel()


@pytest.mark.parametrize("penalty", ["thin_plate", "laplacian"])
def test_bending_energy_equals_quadrature_of_scipys_derivatives(generator: Generator, penalty: str) -> None:
    knots = clamped([0.2, 0.5, 0.5], 3), 2 * clamped([0.4], 2)
    net = uniform(generator, 7, 4, 3)
    spline = NdBSpline(tuple(t.numpy() for t in knots), net.numpy(), (3, 2))
    (u, wu), (v, wv) = (quadrature(t) for t in knots)
    at = np.stack(np.meshgrid(u, v, indexing="ij"), -1)
    uu, uv, vv = (spline(at, nu=order) for order in ((2, 0), (1, 1), (0, 2)))
    density = uu**2 + 2 * uv**2 + vv**2 if penalty == "thin_plate" else (uu + vv) ** 2
    want = np.einsum("r,s,rsd->", wu, wv, density)
    found = bending_energy(net.expand(2, -1, -1, -1), *knots, penalty=penalty)
    assert found.shape == (2,)
    assert found.tolist() == pytest.approx([want, want], rel=1e4 * EPS)  # cancellation among large terms
    assert torch.autograd.gradcheck(
        lambda x: bending_energy(x, *knots, penalty=penalty), uniform(generator, 7, 4, 1).requires_grad_()
    )


def collocation(knots: tuple[Tensor, Tensor], degrees: tuple[int, int], uv: Tensor) -> Tensor:
    bases = (basis_functions(t, p, q) for t, p, q in zip(knots, degrees, uv.T, strict=True))
    return torch.einsum("ki,kj->kij", *bases).flatten(1)


def test_one_solve_equals_dense_least_squares(generator: Generator) -> None:
    knots = clamped([0.3, 0.3], 3), clamped([0.5], 2)
    uv, points = uniform(generator, 200, 2), uniform(generator, 200, 3)
    fit = fit_cloud(points, (3, 2), (6, 4), knots=knots, parameters=uv, smoothing=0.0, max_iterations=1)
    want = torch.linalg.lstsq(collocation(knots, (3, 2), uv), points).solution
    assert_close(fit.control_points.flatten(0, 1), want, rtol=0, atol=1e5 * EPS)  # condition number near 1e2
    assert torch.equal(fit.parameters, uv)
    assert fit.is_converged
    assert_close(fit.values, collocation(knots, (3, 2), uv) @ want, rtol=0, atol=1e3 * EPS)


@pytest.mark.parametrize("penalty", ["thin_plate", "laplacian"])
def test_one_solve_with_smoothing_is_stationary(generator: Generator, penalty: str) -> None:
    uv, points = uniform(generator, 40, 2), uniform(generator, 40, 3)
    options = {"smoothing": 1e-3, "penalty": penalty, "max_iterations": 1}
    fit = fit_cloud(points, 3, (8, 7), parameters=uv, **options)  # fewer points than control points
    net = fit.control_points.clone().requires_grad_()
    values = collocation((fit.knots_u, fit.knots_v), (3, 3), uv) @ net.flatten(0, 1)
    misfit = (values - points).square().sum(-1).mean()
    energy = 1e-3 * bending_energy(net, fit.knots_u, fit.knots_v, penalty=penalty)
    (gradient,) = torch.autograd.grad(misfit + energy, net)
    assert float(gradient.abs().max()) < 1e5 * EPS  # terms of the energy reach 1e3
    assert energy.item() > 1e-3


def test_a_bent_sheet_is_recovered(generator: Generator) -> None:
    fit = fit_cloud(arc(generator, 1.3), 3, (8, 4), tolerance=1e-2, max_iterations=60)
    assert fit.rms < 5e-5  # alternation alone stays above 1e-3 here
    assert fit.is_converged
    assert float((fit.values[:, [0, 2]].norm(dim=-1) - 1).abs().max()) < 3e-4
    assert fit.losses[-1] == pytest.approx(fit.rms)


def test_parameters_end_at_the_closest_points(generator: Generator) -> None:
    cloud = arc(generator, 1.0) + 0.03 * torch.randn(800, 3, generator=generator, dtype=torch.float64)
    fit = fit_cloud(cloud, 3, (6, 4), max_iterations=40)
    line = torch.linspace(0, 1, 200, dtype=torch.float64)
    dense = evaluate_surface(*fit.spline[:3], line, line).flatten(0, 1)
    brute = torch.cdist(cloud, dense).amin(1)
    is_closest = fit.distances <= brute + 1e-9
    # a search may end in a local minimum: of six clouds three had none, the others 0.4 to 2.3 % of the points
    assert float(is_closest.double().mean()) > 0.97


def test_the_noise_that_is_left_is_the_noise_that_was_added(generator: Generator) -> None:
    xy = uniform(generator, 4000, 2) * torch.tensor([2.0, 1.0])
    cloud = torch.cat([xy, 0.3 * torch.sin(3 * xy[:, :1]) * torch.cos(4 * xy[:, 1:])], 1)
    noisy = cloud + 0.01 * torch.randn(cloud.shape, generator=generator, dtype=torch.float64)
    fit = fit_cloud(noisy, 3, (10, 8))
    # one of three components stays, less what 80 control points absorb of 4000
    assert fit.rms == pytest.approx(0.01 * math.sqrt(1 - 80 / 4000), rel=0.03)


def test_order_place_and_frame_do_not_matter(generator: Generator) -> None:
    cloud = arc(generator, 0.9, 300)
    rotation, _ = torch.linalg.qr(torch.randn(3, 3, generator=generator, dtype=torch.float64))
    moved = 7 * cloud[torch.randperm(300, generator=generator)] @ rotation.T + 3
    options = {"degree": 3, "size": (6, 4), "max_iterations": 6, "smoothing": 1e-6}
    assert fit_cloud(moved, **options).rms == pytest.approx(7 * fit_cloud(cloud, **options).rms, rel=1e-6)


def test_a_base_unfolds_what_a_plane_cannot(generator: Generator) -> None:
    cloud = arc(generator, 3.0)
    angle = torch.linspace(-3.05, 3.05, 9, dtype=torch.float64)
    y = torch.tensor([-0.1, 1.6], dtype=torch.float64)
    polygon = torch.stack(
        [1.1 * angle.sin()[:, None].expand(9, 2), y.expand(9, 2), 1.1 * angle.cos()[:, None].expand(9, 2)], -1
    )
    base = Surface(polygon, uniform_knots(9, 1), uniform_knots(2, 1))
    unfolded, folded = (
        fit_cloud(cloud, 3, (12, 4), base=base),
        fit_cloud(cloud, 3, (12, 4), max_iterations=10),
    )
    assert unfolded.rms < 1e-3
    assert folded.max_error > 20 * unfolded.max_error  # 51 to 650 times with six other clouds


def test_a_flat_cloud_in_the_plane(generator: Generator) -> None:
    cloud = uniform(generator, 100, 2) * torch.tensor([1.0, 3.0])
    fit = fit_cloud(cloud, 1, (2, 2), max_iterations=3)
    assert fit.rms < 1e-12
    extent = fit.control_points.flatten(0, 1)
    assert float((extent[2] - extent[0]).norm()) > 2.5  # u runs along the longer side


def test_float32_callback_repr_and_module(generator: Generator) -> None:
    calls: list[tuple[int, int, float]] = []
    cloud = arc(generator, 0.8, 200).float()
    fit = fit_cloud(cloud, 3, (5, 4), max_iterations=4, callback=lambda *call: calls.append(call))
    assert [call[0] for call in calls] == list(range(1, len(fit.losses) + 1))
    assert [call[2] for call in calls] == list(fit.losses)
    assert {call[1] for call in calls} == {4}
    assert fit.control_points.dtype == fit.values.dtype == torch.float32
    assert fit.knots_u.dtype == fit.parameters.dtype == torch.float64
    assert repr(fit).startswith("CloudFit(5 x 4 control points in 3-D, 200 points, rms=")
    u = torch.linspace(0, 1, 5)
    assert_close(fit.surface()(u, u), evaluate_surface(*fit.spline[:3], u, u))


def test_plot(generator: Generator, monkeypatch: pytest.MonkeyPatch) -> None:
    cloud = arc(generator, 0.8, 100)
    for points in (cloud, cloud[:, :2]):
        fit = fit_cloud(points, 2, (4, 3), max_iterations=2)
        figure = fit.plot()
        FigureCanvasAgg(figure).draw()
        assert len(figure.axes) == 3  # surface, colour bar, iterations
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    with pytest.raises(ImportError, match=r'pip install "nurbs-diff\[plot\]"'):
        fit.plot()


def test_errors(generator: Generator, unchecked: None) -> None:
    points = uniform(generator, 50, 3)
    with pytest.raises(ValueError, match=r"n_v = 3 control points; it must exceed the degree 3"):
        fit_cloud(points, 3, (5, 3))
    with pytest.raises(ValueError, match=r"`points` must have shape \(count, dim\) .* got \(50, 1\)"):
        fit_cloud(points[:, :1], 3, (5, 5))
    with pytest.raises(ValueError, match=r"`points` holds 3 points; a surface needs at least 4"):
        fit_cloud(points[:3], 1, (2, 2))
    with pytest.raises(ValueError, match=r"`points` lie on a line.* Use `fit_curve`, or give `parameters`"):
        fit_cloud(torch.outer(torch.arange(5.0), torch.ones(3)), 1, (2, 2))
    with pytest.raises(ValueError, match=r"do not determine every control point: \d+ of 900 have no point"):
        fit_cloud(points, 3, (30, 30), smoothing=0.0)
    with pytest.raises(ValueError, match=r"`smoothing` must be finite and not negative; got -1.0"):
        fit_cloud(points, 3, (5, 5), smoothing=-1.0)
    with pytest.raises(ValueError, match=r"`penalty` must be one of 'thin_plate', 'laplacian'; got 'beam'"):
        fit_cloud(points, 3, (5, 5), penalty="beam")
    with pytest.raises(ValueError, match=r"`parameters` must have shape \(50, 2\) and lie in the domains"):
        fit_cloud(points, 3, (5, 5), parameters=2 * points[:, :2])
    with pytest.raises(ValueError, match=r"`max_iterations` must be at least 1; got 0"):
        fit_cloud(points, 3, (5, 5), max_iterations=0)
    with pytest.raises(ValueError, match=r"`tolerance` must lie in \[0, 1\); got 1.0"):
        fit_cloud(points, 3, (5, 5), tolerance=1.0)
    with pytest.raises(ValueError, match=r"`knots\[0\]` must hold n \+ degree \+ 1 = 9 knots"):
        fit_cloud(points, 3, (5, 5), knots=(uniform_knots(6, 3), uniform_knots(5, 3)))
    flat = Surface(points[:4, :2].reshape(2, 2, 2), uniform_knots(2, 1), uniform_knots(2, 1))
    with pytest.raises(ValueError, match=r"`base` must be one surface in 3 dimensions"):
        fit_cloud(points, 3, (5, 5), base=flat)
    with pytest.raises(ValueError, match=r"`parameters` and `base` both say where to begin"):
        fit_cloud(points, 3, (5, 5), base=flat, parameters=points[:, :2])
    with pytest.raises(ValueError, match=r"`base` must be polynomial; it has weights"):
        fit_cloud(points, 3, (5, 5), base=flat._replace(weights=torch.ones(2, 2)))
    points[7, 1] = math.inf
    with pytest.raises(ValueError, match=r"`points` must be finite; points\[7, 1\] = inf"):
        fit_cloud(points, 3, (5, 5))
