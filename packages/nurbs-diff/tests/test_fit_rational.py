from __future__ import annotations

import numpy as np
import pytest
import torch
from matplotlib.backends.backend_agg import FigureCanvasAgg
from nurbs_cases import clamped
from scipy.interpolate import make_lsq_spline
from test_fit import bukin
from torch import Generator
from torch.testing import assert_close

from nurbs_diff import evaluate_curve, evaluate_surface, fit_curve, fit_surface, uniform_knots
from nurbs_diff._fitting.free_weights import _Problem
from nurbs_diff._fitting.surface import _axes

EPS = torch.finfo(torch.float64).eps


def test_a_rational_surface_is_recovered_for_its_weights(generator: Generator) -> None:
    net = torch.rand(6, 5, 3, generator=generator, dtype=torch.float64)
    weights = 0.3 + 3 * torch.rand(6, 5, generator=generator, dtype=torch.float64)
    knots = clamped([0.2, 0.6], 3), clamped([0.4, 0.4], 2)
    u, v = (torch.linspace(0, 1, count, dtype=torch.float64) for count in (25, 20))
    points = evaluate_surface(net, *knots, u, v, weights=weights)
    fit = fit_surface(points, (3, 2), (6, 5), knots=knots, weights=weights)
    assert_close(fit.control_points, net, rtol=0, atol=1e6 * EPS)  # normal equations, refined once
    assert fit.max_error < 1e4 * EPS
    assert fit.weights is not None
    assert torch.equal(fit.weights, weights)
    assert_close(fit.surface()(u, v), points, rtol=0, atol=1e4 * EPS)


def test_weights_of_one_change_nothing(generator: Generator) -> None:
    points = torch.rand(20, 18, 2, generator=generator, dtype=torch.float64)
    polynomial = fit_surface(points, 3, (7, 6))
    rational = fit_surface(points, 3, (7, 6), weights=torch.ones(7, 6, dtype=torch.float64))
    assert_close(rational.control_points, polynomial.control_points, rtol=0, atol=1e5 * EPS)


def test_the_gradient_of_the_projected_error_equals_differences(generator: Generator) -> None:
    points = bukin(20)
    u = torch.linspace(0, 1, 20, dtype=torch.float64)
    knots = uniform_knots(6, 3)
    problem = _Problem(points, _axes((3, 3), (6, 6), (knots, knots), (u, u)), (6, 6))
    x = np.concatenate([[0.3, 0.7, 0.35, 0.6], torch.randn(36, generator=generator).double().numpy()])

    def loss(x: np.ndarray) -> tuple[float, np.ndarray]:
        fractions, logarithms = problem.split(x)
        return problem.loss_and_gradient(problem.knots(fractions), problem.weights(logarithms), True)

    gradient = loss(x)[1]
    for k in (0, 3, 4, 20, 39):
        step = 1e-5 * np.eye(len(x))[k]
        difference = (loss(x + step)[0] - loss(x - step)[0]) / 2e-5
        assert gradient[k] == pytest.approx(difference, rel=1e-5, abs=1e-6)  # the error of the differences


def test_free_weights_on_uniform_knots_reach_what_is_known() -> None:
    fit = fit_surface(bukin(64), 3, (8, 8), weights="free")
    assert fit.mse < 4.34  # 4.33 at 64 x 64, 4.44 at 128 x 128; without weights 19.8
    assert fit.losses == pytest.approx((fit.mse,), rel=1e-6)
    assert fit.weights is not None
    low, high = torch.aminmax(fit.weights)
    assert 0.1 * (1 - 1e-12) <= low < high <= 10 * (1 + 1e-12)


def test_free_knots_and_weights() -> None:
    calls: list[tuple[int, int, float]] = []
    fit = fit_surface(
        bukin(24), 3, (7, 7), knots="free", weights="free", starts=1, max_iterations=25,
        callback=lambda *call: calls.append(call),
    )  # fmt: skip
    assert fit.mse < 0.5 * fit_surface(bukin(24), 3, (7, 7), knots="free", starts=1).mse
    assert [call[:2] for call in calls] == [(1, 1), (1, 2), (2, 2)]
    assert min(fit.losses) == pytest.approx(fit.mse, rel=1e-6)
    for knots in (fit.knots_u, fit.knots_v):
        assert bool((knots[4:8].diff() >= 1e-6 - 1e-12).all())
        assert torch.equal(knots[:4], torch.zeros(4, dtype=torch.float64))


def test_curve_equals_scipy(generator: Generator) -> None:
    points = torch.rand(40, 3, generator=generator, dtype=torch.float64)
    knots = clamped([0.3, 0.3, 0.8], 3)
    u = torch.linspace(0, 1, 40, dtype=torch.float64) ** 1.3
    fit = fit_curve(points, 3, 7, knots=knots, u=u)
    want = make_lsq_spline(u.numpy(), points.numpy(), knots.numpy(), 3).c
    assert_close(fit.control_points, torch.from_numpy(want), rtol=0, atol=1e4 * EPS)
    assert_close(fit.curve()(u), fit.values)


def test_curves_with_free_knots_and_weights() -> None:
    x = torch.linspace(0, 1, 60, dtype=torch.float64)
    kink = fit_curve(torch.stack([x, (x - 0.37).abs()], -1), 1, 3, knots="free", u="uniform")
    assert float(kink.knots[2]) == pytest.approx(0.37, abs=1e-5)
    assert kink.rms < 1e-5
    # a quarter of a circle is rational of degree 2: parameters of that, all unknown but they
    weights = torch.tensor([1.0, 0.5**0.5, 1.0], dtype=torch.float64)
    corner = torch.tensor([[1.0, 0.0], [1.0, 1.0], [0.0, 1.0]], dtype=torch.float64)
    circle = evaluate_curve(corner, uniform_knots(3, 2), x, weights=weights)
    fit = fit_curve(circle, 2, 3, u=x, weights="free")
    assert fit.rms < 1e-5
    assert fit.weights is not None
    assert float(fit.weights[1] / (fit.weights[0] * fit.weights[2]).sqrt()) == pytest.approx(
        0.5**0.5, abs=1e-4
    )


def test_parameters_of_curves() -> None:
    points = torch.tensor([[0.0, 0.0], [1.0, 0.0], [5.0, 0.0]])
    shares = {"chord": 0.2, "centripetal": 1 / 3, "uniform": 0.5}
    for u, share in shares.items():
        fit = fit_curve(points, 1, 2, u=u)
        assert fit.u.tolist() == pytest.approx([0, share, 1])
    knots = 2 + 3 * uniform_knots(2, 1)
    assert fit_curve(points, 1, 2, knots=knots).u.tolist() == pytest.approx([2, 2.6, 5])


def test_curve_repr_and_plot() -> None:
    angle = torch.linspace(0, 3, 30)
    for points in (angle[:, None], torch.stack([angle.cos(), angle.sin()], -1)):
        fit = fit_curve(points, 3, 6)
        figure = fit.plot()
        FigureCanvasAgg(figure).draw()
        assert len(figure.axes) == points.shape[1]  # error; and the curve in the plane
    assert repr(fit).startswith("CurveFit(6 control points in 2-D, 30 points, rms=")
    assert len(fit_curve(torch.stack([angle, angle**2, angle**3], -1), 3, 4).plot().axes) == 2


def test_errors(unchecked: None) -> None:
    points = bukin(12)
    with pytest.raises(ValueError, match=r"`weights` must be one of 'free'; got 'all'"):
        fit_surface(points, 3, (8, 8), weights="all")
    with pytest.raises(ValueError, match=r"`weights` must have one entry .* shape \(8, 8\); got \(3, 3\)"):
        fit_surface(points, 3, (8, 8), weights=torch.ones(3, 3))
    with pytest.raises(ValueError, match=r"`weight_range` must be finite and exceed 1; got 1"):
        fit_surface(points, 3, (8, 8), weights="free", weight_range=1)
    with pytest.raises(ValueError, match=r"`points` must have shape \(q, dim\); got \(12, 12, 3\)"):
        fit_curve(points, 3, 5)
    with pytest.raises(ValueError, match=r"`u` must be one of 'chord', 'centripetal', 'uniform'; got 'arc'"):
        fit_curve(points[0], 3, 5, u="arc")
    with pytest.raises(ValueError, match=r"points\[0\] and points\[1\] are 0 apart. Drop one"):
        fit_curve(torch.zeros(5, 2), 1, 2)
    with pytest.raises(ValueError, match=r"n_u = 13 control points; it must .* not the 12 points"):
        fit_curve(points[0], 3, 13)
