from __future__ import annotations

import copy

import pytest
import torch
from nurbs_cases import clamped
from torch import Generator
from torch.testing import assert_close

from nurbs_diff import (
    Curve,
    NurbsCurve,
    NurbsSurface,
    NurbsVolume,
    SplineGrid,
    Surface,
    Volume,
    evaluate_surface,
    evaluate_volume,
    fit_surface,
    uniform_knots,
)

U = torch.linspace(0, 1, 20, dtype=torch.float64)
EPS = torch.finfo(torch.float64).eps


def surface(generator: Generator, **options: object) -> NurbsSurface:
    points = torch.rand(6, 5, 3, generator=generator, dtype=torch.float64)
    weights = 0.5 + torch.rand(6, 5, generator=generator, dtype=torch.float64)
    return NurbsSurface(points, clamped([0.2, 0.7], 3), clamped([0.1, 0.6], 2), weights, **options)


@pytest.mark.parametrize("is_learned", [True, False])
def test_the_initial_surface_is_the_one_given(is_learned: bool, generator: Generator) -> None:
    module = surface(generator, learn_knots=is_learned, learn_weights=is_learned)
    generator.manual_seed(20240817)
    points = torch.rand(6, 5, 3, generator=generator, dtype=torch.float64)
    weights = 0.5 + torch.rand(6, 5, generator=generator, dtype=torch.float64)
    want = evaluate_surface(points, clamped([0.2, 0.7], 3), clamped([0.1, 0.6], 2), U, U, weights=weights)
    assert_close(module(U, U), want, rtol=0, atol=64 * EPS)  # knots and weights went through log and exp


def test_parameters_are_what_is_learned(generator: Generator) -> None:
    def learned(**options: bool) -> set[str]:
        return {name for name, p in surface(generator, **options).named_parameters() if p.requires_grad}

    assert learned() == {"control_points"}
    assert learned(learn_control_points=False) == set()
    assert learned(learn_knots=True, learn_weights=True) == {
        "control_points",
        "_weights.phi",
        "_knots_u.logits",
        "_knots_v.logits",
    }


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_any_step_leaves_a_valid_surface(dtype: torch.dtype, generator: Generator) -> None:
    module = surface(generator, learn_knots=True, learn_weights=True, minimum_gap=1e-3, weight_range=50.0).to(
        dtype
    )
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.add_(30 * torch.randn(parameter.shape, generator=generator, dtype=dtype))
    knots, weights = module.knots_u.detach(), module.weights
    eps = torch.finfo(dtype).eps
    assert knots.dtype == dtype
    assert (knots[:4] == 0).all()
    assert (knots[-4:] == 1).all()
    assert (knots.diff()[3:-3] > 1e-3 - 4 * eps).all()
    assert weights is not None
    weights = weights.detach()
    assert float(weights.max() / weights.min()) <= 50 * (1 + 32 * eps)
    assert float(weights.log().mean()) == pytest.approx(0, abs=8 * eps)
    assert torch.isfinite(module(U.to(dtype), U.to(dtype))).all()


def test_state_and_dtype_carry_everything(generator: Generator) -> None:
    module = surface(generator, learn_knots=True, learn_weights=True)
    other = surface(generator, learn_knots=True, learn_weights=True)
    assert not torch.equal(module(U, U), other(U, U))
    other.load_state_dict(module.state_dict())
    assert torch.equal(module(U, U), other(U, U))
    single = copy.deepcopy(module).to(torch.float32)
    assert {x.dtype for x in single.state_dict().values()} == {torch.float32}
    assert_close(
        single(U.float(), U.float()).double(), module(U, U), rtol=0, atol=64 * torch.finfo(torch.float32).eps
    )
    fixed = surface(generator)
    assert set(fixed.state_dict()) == {"control_points", "_weights.value", "_knots_u.value", "_knots_v.value"}


def test_gradient_descent_recovers_knots_and_weights(generator: Generator) -> None:
    target = surface(generator)(U, U).detach()
    start = surface(generator.manual_seed(20240817))
    module = NurbsSurface(
        start.control_points, uniform_knots(6, 3), uniform_knots(5, 2), learn_knots=True, learn_weights=True
    )
    optimizer = torch.optim.LBFGS(
        module.parameters(), max_iter=100, line_search_fn="strong_wolfe", tolerance_change=0
    )

    def closure() -> torch.Tensor:
        optimizer.zero_grad()
        loss = (module(U, U) - target).square().mean()
        loss.backward()
        return loss

    first = closure().item()
    optimizer.step(closure)
    assert closure().item() < 1e-4 * first


def test_curve_module(generator: Generator) -> None:
    points = torch.rand(7, 2, generator=generator, dtype=torch.float64)
    curve = NurbsCurve(points, uniform_knots(7, 3), learn_knots=True, learn_weights=True)
    curve(U).sum().backward()
    assert all(p.grad is not None for p in curve.parameters())
    assert NurbsCurve(points, uniform_knots(7, 3)).weights is None


def test_a_bezier_patch_has_no_knots_to_learn(generator: Generator) -> None:
    points = torch.rand(4, 4, 3, generator=generator, dtype=torch.float64)
    module = NurbsSurface(points, uniform_knots(4, 3), uniform_knots(4, 3), learn_knots=True)
    assert torch.equal(module.knots_u, uniform_knots(4, 3))


def test_a_fit_becomes_a_module(generator: Generator) -> None:
    fit = fit_surface(torch.rand(20, 20, 3, generator=generator, dtype=torch.float64), 3, (6, 5))
    assert torch.equal(fit.surface()(fit.u, fit.v), fit.values)
    assert_close(fit.surface(learn_knots=True)(fit.u, fit.v), fit.values, rtol=0, atol=256 * EPS)


@pytest.mark.usefixtures("unchecked")
def test_errors(generator: Generator) -> None:
    points = torch.rand(6, 6, 3, generator=generator, dtype=torch.float64)
    knots = uniform_knots(6, 3)
    double = clamped([0.5, 0.5], 3)
    unclamped = torch.linspace(0, 1, 10, dtype=torch.float64)
    with pytest.raises(
        ValueError, match=r"`knots_v` can be learned only if its spans exceed .*knots_v\[4\] and knots_v\[5\]"
    ):
        NurbsSurface(points, knots, double, learn_knots=True)
    with pytest.raises(ValueError, match=r"`knots_u` can be learned only if clamped"):
        NurbsSurface(points, unclamped, knots, learn_knots=True)
    with pytest.raises(ValueError, match=r"`minimum_gap` must be positive and finite; got -1"):
        NurbsSurface(points, knots, knots, learn_knots=True, minimum_gap=-1.0)
    weights = torch.ones(6, 6, dtype=torch.float64)
    weights[0, 0] = 100
    with pytest.raises(ValueError, match=r"`weights` differ by a factor of up to 100; .* Widen"):
        NurbsSurface(points, knots, knots, weights, learn_weights=True, weight_range=10.0)
    with pytest.raises(ValueError, match=r"`weight_range` must be finite and exceed 1; got 1"):
        NurbsSurface(points, knots, knots, learn_weights=True, weight_range=1.0)
    with pytest.raises(ValueError, match=r"`knot_gradient` must be one of 'exact', 'gaussian'"):
        NurbsSurface(points, knots, knots, knot_gradient="automatic")
    with pytest.raises(ValueError, match=r"shape \(..., n_u, n_v, dim\); got \(6, 3\)"):
        NurbsSurface(points[0], knots, knots)
    with pytest.raises(ValueError, match=r"shape \(..., n, dim\); got \(3,\)"):
        NurbsCurve(points[0, 0], knots)


def test_volume_module_knots_of_each_sample_and_scattered_points(generator: Generator) -> None:
    points = torch.rand(2, 6, 5, 4, 3, generator=generator, dtype=torch.float64)
    knots_u = torch.stack([clamped([0.2, 0.7], 3), clamped([0.4, 0.5], 3)])
    knots = knots_u, clamped([0.1, 0.6], 2), clamped([0.3, 0.8], 1)
    module = NurbsVolume(points, *knots, learn_knots=True, learn_weights=True)
    at = torch.rand(3, 9, generator=generator, dtype=torch.float64)
    want = evaluate_volume(points, *knots, *at, grid=False)
    assert_close(
        module(*at, grid=False), want, rtol=0, atol=64 * EPS
    )  # knots and weights went through log and exp
    grid = module(*at)
    assert_close(grid[:, torch.arange(9), torch.arange(9), torch.arange(9)], want, rtol=0, atol=64 * EPS)
    module(*at, grid=False).square().sum().backward()
    assert all(p.grad is not None and p.grad.abs().max() > 0 for p in module.parameters())
    assert repr(module).splitlines()[1].strip() == (
        "6 x 5 x 4 control points in 3-D, batch (2,), degree 3, 2, 1"
    )


def test_detached_tuples_share_nothing_and_make_the_same_spline(generator: Generator) -> None:
    module = surface(generator, learn_knots=True, learn_weights=True)
    tensors = module.detached()
    assert isinstance(tensors, Surface)
    assert not any(x.requires_grad for x in tensors if x is not None)
    before = module(U, U).detach()
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.mul_(1.5)
    assert_close(NurbsSurface(*tensors)(U, U), before, rtol=0, atol=16 * EPS)
    curve = NurbsCurve(tensors.control_points[0], tensors.knots_v).detached()
    assert isinstance(curve, Curve)
    assert curve.weights is None
    net = tensors.control_points.expand(2, -1, -1, -1)
    volume = NurbsVolume(net, uniform_knots(2, 1), tensors.knots_u, tensors.knots_v)
    assert isinstance(volume.detached(), Volume)


def test_grid_layer_equals_the_function_with_its_gradients(generator: Generator) -> None:
    knots = (clamped([0.3, 0.3, 0.7], 3), clamped([0.4], 2))
    u, v = torch.linspace(0, 1, 11, dtype=torch.float64), torch.linspace(0, 1, 6, dtype=torch.float64)
    points = torch.rand(2, 7, 4, 3, generator=generator, dtype=torch.float64).requires_grad_()
    weights = (0.1 + torch.rand(2, 7, 4, generator=generator, dtype=torch.float64)).requires_grad_()
    grid = SplineGrid(knots, (u, v), degrees=(3, 2))
    for w in (weights, None):
        values, want = grid(points, weights=w), evaluate_surface(points, *knots, u, v, weights=w)
        assert torch.equal(values, want)
        leaves = [points] if w is None else [points, weights]
        for a, b in zip(
            *(torch.autograd.grad(x.square().sum(), leaves) for x in (values, want)), strict=True
        ):
            assert torch.equal(a, b)
    assert grid(points.detach().float()).dtype == torch.float32
    again = SplineGrid(knots, (u.flip(0), v), degrees=(3, 2))
    again.load_state_dict(grid.state_dict())
    assert torch.equal(again(points), grid(points))


@pytest.mark.usefixtures("unchecked")
def test_grid_layer_refuses() -> None:
    knots, u = uniform_knots(5, degree=3), torch.linspace(0, 1, 4)
    with pytest.raises(ValueError, match=r"one entry for each of one to three directions; got 2, 1 and 2"):
        SplineGrid([knots, knots], [u], degrees=3)
    with pytest.raises(ValueError, match=r"`parameters\[0\]` must lie in the domain"):
        SplineGrid([knots], [u + 1], degrees=3)
    with pytest.raises(ValueError, match=r"`knots\[0\]` must have one dimension"):
        SplineGrid([knots.expand(2, -1)], [u], degrees=3)
    with pytest.raises(ValueError, match=r"shape \(..., 5, 5, dim\).* got \(5, 3\)"):
        SplineGrid([knots, knots], [u, u], degrees=3)(torch.rand(5, 3))
