from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch
from geomdl import NURBS
from hypothesis import given
from hypothesis import strategies as st
from nurbs_cases import KNOTS, clamped, parameters
from scipy.interpolate import BSpline
from torch import Generator, Tensor
from torch.autograd import gradcheck, gradgradcheck
from torch.testing import assert_close

from nurbs_diff import close_net, evaluate_curve, evaluate_surface, uniform_knots

EPS = torch.finfo(torch.float64).eps


def uniform(*shape: int, generator: Generator) -> Tensor:
    return torch.rand(*shape, generator=generator, dtype=torch.float64)


def random_surface(generator: Generator, *batch: int) -> dict[str, Any]:
    """A rational surface of degrees 3 and 2 with a double knot in each direction."""
    return {
        "control_points": uniform(*batch, 8, 6, 3, generator=generator),
        "knots_u": clamped([0.3758, 0.3758, 0.4333, 0.5503], 3),
        "knots_v": clamped([0.25, 0.6, 0.6], 2),
        "u": torch.linspace(0, 1, 11, dtype=torch.float64),
        "v": torch.linspace(0, 1, 9, dtype=torch.float64),
        "weights": 0.2 + 5 * uniform(*batch, 8, 6, generator=generator),
    }


def with_gradients(case: dict[str, Any]) -> dict[str, Any]:
    return {name: value.clone().requires_grad_() for name, value in case.items()}


@pytest.mark.parametrize("name", KNOTS)
def test_curve_equals_scipy(name: str, generator: Generator) -> None:
    degree, knots = KNOTS[name]
    points = uniform(len(knots) - degree - 1, 3, generator=generator)
    u = parameters(degree, knots)
    u = u[u < knots[-degree - 1]]  # the end is tested in test_basis.py
    want = BSpline(knots.numpy(), points.numpy(), degree)(u.numpy())
    assert_close(
        evaluate_curve(points, knots, u), torch.from_numpy(want), rtol=0, atol=8 * (degree + 1) * EPS
    )


@pytest.mark.parametrize(("degree_u", "degree_v"), [(1, 1), (2, 3), (3, 3), (4, 2)])
def test_surface_equals_geomdl(degree_u: int, degree_v: int, generator: Generator) -> None:
    knots_u, knots_v = clamped([0.25, 0.5, 0.5], degree_u), clamped([0.125, 0.75], degree_v)
    n_u, n_v = 4 + degree_u, 3 + degree_v
    points = uniform(n_u, n_v, 3, generator=generator) - 0.5
    weights = 0.1 + 10 * uniform(n_u, n_v, generator=generator)
    u = torch.linspace(0, 1, 9, dtype=torch.float64)
    v = torch.linspace(0, 1, 11, dtype=torch.float64)

    peer = NURBS.Surface()
    peer.degree_u, peer.degree_v = degree_u, degree_v
    homogeneous = torch.cat([points * weights.unsqueeze(-1), weights.unsqueeze(-1)], -1)
    peer.set_ctrlpts(homogeneous.reshape(-1, 4).tolist(), n_u, n_v)
    peer.knotvector_u, peer.knotvector_v = knots_u.tolist(), knots_v.tolist()
    want = torch.tensor(
        peer.evaluate_list([(a, b) for a in u.tolist() for b in v.tolist()]), dtype=torch.float64
    ).reshape(9, 11, 3)

    ours = evaluate_surface(points, knots_u, knots_v, u, v, weights=weights)
    assert_close(ours, want, rtol=0, atol=1e-13 * float(want.detach().abs().max()))


def circle() -> tuple[Tensor, Tensor, Tensor]:
    """Nine control points, weights and quadratic knots of the unit circle (The NURBS Book, example 7.2)."""
    corners = [(1, 0), (1, 1), (0, 1), (-1, 1), (-1, 0), (-1, -1), (0, -1), (1, -1), (1, 0)]
    weights = torch.tensor([1, math.sqrt(0.5)] * 4 + [1], dtype=torch.float64)
    knots = clamped([0.25, 0.25, 0.5, 0.5, 0.75, 0.75], 2)
    return torch.tensor(corners, dtype=torch.float64), weights, knots


@pytest.mark.parametrize("radius", [1e-3, 1.0, 1e6])
def test_circle_is_exact(radius: float) -> None:
    points, weights, knots = circle()
    u = torch.linspace(0, 1, 1001, dtype=torch.float64)
    curve = evaluate_curve(radius * points, knots, u, weights=weights)
    assert_close(curve.norm(dim=-1), torch.full_like(u, radius), rtol=8 * EPS, atol=0)
    angle = torch.atan2(curve[..., 1], curve[..., 0])
    assert float(angle.diff().remainder(2 * math.pi).sum()) == pytest.approx(
        2 * math.pi, rel=1e-12
    )  # once around


@pytest.mark.parametrize("backend", ["torch", "reference"])
def test_sphere_is_exact(backend: str) -> None:
    around, weights_u, knots_u = circle()
    half, weights_v, knots_v = around[:5], weights_u[:5], clamped([0.5, 0.5], 2)
    # revolve the half circle (r = second, z = first coordinate) about z
    points = torch.stack(
        [around[:, None, 0] * half[:, 1], around[:, None, 1] * half[:, 1], half[:, 0].expand(9, 5)], -1
    )
    u = torch.linspace(0, 1, 101, dtype=torch.float64)
    sphere = evaluate_surface(
        points, knots_u, knots_v, u, u, weights=weights_u[:, None] * weights_v, backend=backend
    )
    assert_close(sphere.norm(dim=-1), torch.ones(101, 101, dtype=torch.float64), rtol=0, atol=8 * EPS)


@pytest.mark.parametrize("tube", [0.25, 2.0])
def test_torus_is_exact(tube: float) -> None:
    # The tube's circle, at distance 3 from the axis, revolved about it; where the tube is wide no less exact.
    radius = 3.0
    around, weights_u, knots_u = circle()
    tube_points = tube * around + torch.tensor([radius, 0.0], dtype=torch.float64)
    points = torch.stack(
        [
            around[:, None, 0] * tube_points[:, 0],
            around[:, None, 1] * tube_points[:, 0],
            tube_points[:, 1].expand(9, 9),
        ],
        -1,
    )
    u = torch.linspace(0, 1, 101, dtype=torch.float64)
    x, y, z = evaluate_surface(points, knots_u, knots_u, u, u, weights=weights_u[:, None] * weights_u).unbind(
        -1
    )
    distance = torch.hypot(torch.hypot(x, y) - radius, z)
    assert_close(distance, torch.full_like(distance, tube), rtol=0, atol=8 * EPS * (radius + tube))


@pytest.mark.parametrize("degree", [1, 2, 3, 4])
def test_a_closed_net_makes_a_periodic_curve_with_continuous_derivatives(
    degree: int, generator: Generator
) -> None:
    n = 7
    net = close_net(uniform(n, 2, generator=generator), degree, axis=-2)
    weights = close_net(0.5 + uniform(n, generator=generator), degree, axis=-1)
    knots = uniform_knots(n + degree, degree, ends="unclamped")
    u = torch.tensor([0.0, 1.0], dtype=torch.float64, requires_grad=True)
    values = evaluate_curve(net, knots, u, weights=weights)[..., 0]
    for order in range(degree):
        # each derivative is n times as large as the one before and loses as much
        scale = float(n) ** order
        assert_close(values[0], values[1], rtol=0, atol=256 * EPS * scale)
        assert order == 0 or abs(float(values[0].detach())) > 1e-3 * scale  # and not because it vanishes
        (values,) = torch.autograd.grad(values.sum(), u, create_graph=True)
    assert abs(float((values[0] - values[1]).detach())) > 1e-2 * float(n) ** degree  # the degree-th jumps


@pytest.mark.parametrize("is_rational", [True, False])
@pytest.mark.parametrize("batch", [(), (3,), (2, 2)])
def test_fast_path_equals_reference_with_all_gradients(
    is_rational: bool, batch: tuple[int, ...], generator: Generator
) -> None:
    case = random_surface(generator, *batch)
    if not is_rational:
        case["weights"] = None
    results = []
    for backend in ("torch", "reference"):
        arguments = {k: None if x is None else x.clone().requires_grad_() for k, x in case.items()}
        points = evaluate_surface(**arguments, backend=backend)
        upstream = torch.linspace(-1, 1, points.numel(), dtype=torch.float64).reshape(points.shape)
        leaves = [x for x in arguments.values() if x is not None]
        results.append([points, *torch.autograd.grad((points * upstream).sum(), leaves)])
    for ours, want in zip(*results, strict=True):
        # sums of up to 4 * 99 products; knot gradients are the longest chain
        assert_close(ours, want, rtol=0, atol=512 * EPS * float(want.detach().abs().max()))


def test_curve_equals_reference_with_all_gradients(generator: Generator) -> None:
    degree, knots = KNOTS["cubic double"]
    case = {
        "control_points": uniform(2, 8, 2, generator=generator),
        "knots": knots,
        "u": parameters(degree, knots),
        "weights": 0.2 + uniform(2, 8, generator=generator),
    }
    results = []
    for backend in ("torch", "reference"):
        arguments = with_gradients(case)
        points = evaluate_curve(**arguments, backend=backend)
        results.append([points, *torch.autograd.grad(points.square().sum(), list(arguments.values()))])
    for ours, want in zip(*results, strict=True):
        assert_close(ours, want, rtol=0, atol=512 * EPS * float(want.detach().abs().max()))


def test_surface_passes_gradcheck_twice(generator: Generator) -> None:
    knots_u, knots_v = clamped([0.4], 2), clamped([], 1)
    inner = torch.tensor([3])

    def surface(points: Tensor, weights: Tensor, moving: Tensor, u: Tensor, v: Tensor) -> Tensor:
        return evaluate_surface(points, knots_u.index_put((inner,), moving), knots_v, u, v, weights=weights)

    arguments = (
        uniform(2, 4, 2, 2, generator=generator),
        0.5 + uniform(2, 4, 2, generator=generator),
        knots_u[inner],
        torch.tensor([0.1, 0.55, 0.9], dtype=torch.float64),
        torch.tensor([0.2, 0.7], dtype=torch.float64),
    )
    arguments = tuple(x.requires_grad_() for x in arguments)
    assert gradcheck(surface, arguments)
    assert gradgradcheck(surface, arguments)


def test_curve_passes_gradcheck_twice(generator: Generator) -> None:
    knots = clamped([0.3, 0.6], 3)

    def curve(points: Tensor, weights: Tensor, u: Tensor) -> Tensor:
        return evaluate_curve(points, knots, u, weights=weights)

    arguments = (
        uniform(6, 2, generator=generator).requires_grad_(),
        (0.5 + uniform(6, generator=generator)).requires_grad_(),
        torch.tensor([0.1, 0.45, 0.9], dtype=torch.float64).requires_grad_(),
    )
    assert gradcheck(curve, arguments)
    assert gradgradcheck(curve, arguments)


def test_equal_weights_change_nothing(generator: Generator) -> None:
    case = random_surface(generator)
    case["weights"] = torch.full_like(case["weights"], 3.7)
    rational = evaluate_surface(**case)
    case["weights"] = None
    assert_close(rational, evaluate_surface(**case), rtol=0, atol=16 * EPS)


@given(st.integers(0, 2**31), st.floats(-3, 3), st.floats(-10, 10))
def test_affine_maps_of_the_net_map_the_surface(seed: int, shear: float, shift: float) -> None:
    case = random_surface(Generator().manual_seed(seed))
    linear = torch.tensor([[1, shear, 0], [0, 2, 0], [shear, 0, -1]], dtype=torch.float64)
    want = evaluate_surface(**case) @ linear.T + shift
    case["control_points"] = case["control_points"] @ linear.T + shift
    assert_close(evaluate_surface(**case), want, rtol=0, atol=64 * EPS * 20)  # coordinates up to 20


@given(st.integers(0, 2**31))
def test_surface_lies_in_the_convex_hull(seed: int) -> None:
    generator = Generator().manual_seed(seed)
    case = random_surface(generator)
    directions = torch.randn(3, 20, generator=generator, dtype=torch.float64)  # half-spaces that hold the net
    extent = (case["control_points"] @ directions).flatten(0, 1).amax(0)
    reached = (evaluate_surface(**case) @ directions).flatten(0, 1).amax(0)
    assert (reached <= extent + 64 * EPS * directions.norm(dim=0)).all()


def test_corners_are_control_points(generator: Generator) -> None:
    case = random_surface(generator)
    points = evaluate_surface(**case)
    for row, column in ((0, 0), (0, -1), (-1, 0), (-1, -1)):
        assert_close(points[row, column], case["control_points"][row, column], rtol=4 * EPS, atol=0)


def test_float32_follows_the_control_points(generator: Generator) -> None:
    case = random_surface(generator, 2)
    want = evaluate_surface(**case)
    single = {name: value.float() for name, value in case.items()}
    single["knots_u"], single["knots_v"] = case["knots_u"], case["knots_v"]
    points = evaluate_surface(**with_gradients(single))
    assert points.dtype == torch.float32
    eps = torch.finfo(torch.float32).eps
    assert_close(points.double(), want, rtol=0, atol=32 * eps)  # 24 products, a division, parameters rounded
    points.sum().backward()


def test_batch_equals_one_by_one(generator: Generator) -> None:
    case = random_surface(generator, 2, 3)
    together = evaluate_surface(**case)
    assert together.shape == (2, 3, 11, 9, 3)
    for i, j in np.ndindex(2, 3):
        alone = dict(case, control_points=case["control_points"][i, j], weights=case["weights"][i, j])
        assert_close(together[i, j], evaluate_surface(**alone), rtol=0, atol=16 * EPS)


def test_knots_may_be_shared_by_both_directions(generator: Generator) -> None:
    points = uniform(5, 5, 1, generator=generator)
    u = torch.linspace(0, 1, 7, dtype=torch.float64)
    shared = uniform_knots(5, 3).requires_grad_()
    evaluate_surface(points, shared, shared, u, u).square().sum().backward()
    first, second = uniform_knots(5, 3).requires_grad_(), uniform_knots(5, 3).requires_grad_()
    evaluate_surface(points, first, second, u, u).square().sum().backward()
    assert shared.grad is not None
    assert first.grad is not None
    assert second.grad is not None
    assert_close(
        shared.grad, first.grad + second.grad, rtol=0, atol=64 * EPS * float(shared.grad.abs().max())
    )
