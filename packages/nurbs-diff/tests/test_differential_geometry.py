"""Normals, curvatures, lengths and areas of shapes whose geometry is known."""

from __future__ import annotations

import math

import pytest
import torch
from geometry_shapes import as_tensor, circle, random_curve, random_surface, sphere, torus
from torch.autograd import gradcheck

from nurbs_diff import (
    arc_length,
    curve_curvature,
    curve_derivatives,
    curve_torsion,
    evaluate_surface,
    first_fundamental_form,
    insert_knots,
    second_fundamental_form,
    surface_area,
    surface_curvatures,
    surface_normals,
    uniform_knots,
)

EPS = torch.finfo(torch.float64).eps
U = torch.linspace(0, 1, 17, dtype=torch.float64)


def angles(points: torch.Tensor) -> torch.Tensor:
    """The latitude on the tube of the torus of radii 2 and 0.5."""
    return torch.atan2(points[..., 2], points[..., :2].norm(dim=-1) - 2)


def test_torus() -> None:
    surface = torus(2.0, 0.5)
    v = U[:-1] + 0.013
    arguments = (*surface[:3], U, v)
    latitude = angles(evaluate_surface(*arguments, weights=surface.weights))
    across = torch.cos(latitude) / (2 + 0.5 * torch.cos(latitude))
    found = surface_curvatures(*arguments, weights=surface.weights)
    # second derivatives in a parameter of the whole circle amplify rounding by (2 pi)^2, and that by 1 / r^2
    limit = 2000 * EPS
    torch.testing.assert_close(found.gaussian, across / 0.5, rtol=0, atol=limit)
    torch.testing.assert_close(found.mean, -(across + 2) / 2, rtol=0, atol=limit)
    torch.testing.assert_close(
        found.principal, torch.stack([-across, torch.full_like(across, -2)], -1), rtol=0, atol=limit
    )
    # the same from the two forms, another formula
    forms = [
        form(*arguments, weights=surface.weights)
        for form in (first_fundamental_form, second_fundamental_form)
    ]
    shape = torch.linalg.solve(*forms)
    torch.testing.assert_close(torch.linalg.det(shape), found.gaussian, rtol=0, atol=limit)
    torch.testing.assert_close(shape.diagonal(0, -1, -2).sum(-1) / 2, found.mean, rtol=0, atol=limit)


def test_sphere_and_its_poles() -> None:
    surface = sphere(3.0)
    arguments = (*surface[:3], U, U)
    points = evaluate_surface(*arguments, weights=surface.weights)
    normals = surface_normals(*arguments, weights=surface.weights)  # U begins and ends at a pole
    torch.testing.assert_close(normals, points / 3, rtol=0, atol=64 * EPS)
    near = torch.cat([as_tensor([0, 1e-12, 1e-9, 1e-8, 1e-7, 1e-5, 1e-3]), 1 - as_tensor([1e-8, 1e-6])])
    points = evaluate_surface(*surface[:3], U, near, weights=surface.weights)
    normals = surface_normals(*surface[:3], U, near, weights=surface.weights)
    # the switch to the limit costs at most the root of eps, as stated
    torch.testing.assert_close(normals, points / 3, rtol=0, atol=8 * EPS**0.5)
    inside = surface_curvatures(*surface[:3], U, U[1:-1], weights=surface.weights)
    torch.testing.assert_close(
        inside.gaussian, torch.full((17, 15), 1 / 9, dtype=torch.float64), rtol=0, atol=1e-13
    )
    torch.testing.assert_close(
        inside.principal, torch.full((17, 15, 2), -1 / 3, dtype=torch.float64), rtol=0, atol=1e-13
    )
    with pytest.raises(
        ValueError, match=r"\(u\[0\], v\[15\]\) = \(0, 1\): the parametrisation is singular there"
    ):
        surface_curvatures(*surface[:3], U, U[1:], weights=surface.weights)


def test_gradients_at_poles_and_umbilics_are_finite() -> None:
    surface = [x.requires_grad_() for x in sphere()]
    normals = surface_normals(*surface[:3], U, U, weights=surface[3])
    curvatures = surface_curvatures(*surface[:3], U, U[1:-1], weights=surface[3])
    seeds = torch.rand(normals.shape, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    total = (normals * seeds).sum() + curvatures.principal.square().sum()
    for gradient in torch.autograd.grad(total, surface):
        assert gradient.isfinite().all()
        assert gradient.abs().max() > 0


def test_normal_at_pole_follows_the_net() -> None:
    """The gradient of the limit itself, by differences of the limit."""
    surface = sphere()
    v = as_tensor([0.0, 1.0])
    u = as_tensor([0.1, 0.6])
    inner = surface.control_points[:, 1:-1].clone().requires_grad_()  # the poles stay collapsed

    def normals(inner: torch.Tensor) -> torch.Tensor:
        points = torch.cat([surface.control_points[:, :1], inner, surface.control_points[:, -1:]], 1)
        return surface_normals(points, *surface[1:3], u, v, weights=surface.weights)

    assert gradcheck(normals, inner, fast_mode=True)


def test_singular_places_are_named(unchecked: None) -> None:
    knots = uniform_knots(3, degree=2)
    half = as_tensor([0.5])
    cusp = as_tensor([[-1, 1], [0, -1], [1, 1]])
    cubic = as_tensor([[0, 0], [1, 1], [0, 1], [1, 0]])  # a cusp at 1/2
    with pytest.raises(ValueError, match=r"u\[1\] = 0.5: the curve has no tangent there"):
        curve_curvature(cubic, uniform_knots(4, degree=3), as_tensor([0.2, 0.5]))
    with pytest.raises(ValueError, match=r"u\[0\] = 0.5: the curve is straight there"):
        curve_torsion(torch.nn.functional.pad(cusp[:, :1], (0, 2)), knots, half)
    line = cusp[:, None] * as_tensor([1, 1])[:, None]
    flat = torch.nn.functional.pad(line, (0, 1))  # S_v = 0 everywhere
    with pytest.raises(
        ValueError, match=r"\(u\[0\], v\[0\]\) = \(0.5, 0.5\): the surface has no normal there"
    ):
        surface_normals(flat, knots, uniform_knots(2, degree=1), half, half)
    for function in (surface_normals, surface_curvatures):
        with pytest.raises(ValueError, match=r"three dimensions for normals and curvatures; got 2"):
            function(line, knots, uniform_knots(2, degree=1), half, half)
    with pytest.raises(ValueError, match=r"at least two dimensions for a curvature; got 1"):
        curve_curvature(cusp[:, :1], knots, half)
    with pytest.raises(ValueError, match=r"three dimensions for a torsion; got 2"):
        curve_torsion(cusp, knots, half)


def test_curvature_and_torsion_of_a_space_curve(generator: torch.Generator) -> None:
    """The Frenet-Serret equations, with derivatives of the frame by autograd."""
    curve = random_curve(generator, 7, 4)
    u = torch.rand(5, generator=generator, dtype=torch.float64).requires_grad_()
    _, first, second = curve_derivatives(*curve[:2], u, order=2, weights=curve.weights)
    speed = first.norm(dim=-1, keepdim=True)
    tangent = first / speed
    binormal = torch.linalg.cross(first, second)
    binormal = binormal / binormal.norm(dim=-1, keepdim=True)
    normal = torch.linalg.cross(binormal, tangent)

    def rate(field: torch.Tensor) -> torch.Tensor:
        columns = [torch.autograd.grad(x.sum(), u, retain_graph=True)[0] for x in field.unbind(-1)]
        return torch.stack(columns, -1) / speed

    curvature = curve_curvature(*curve[:2], u, weights=curve.weights)
    torsion = curve_torsion(*curve[:2], u, weights=curve.weights)
    torch.testing.assert_close(rate(tangent), curvature[:, None] * normal, rtol=1e-12, atol=1e-11)
    torch.testing.assert_close(rate(binormal), -torsion[:, None] * normal, rtol=1e-12, atol=1e-11)


def test_curvature_in_the_plane_has_a_sign_and_in_space_a_derivative_where_straight() -> None:
    curve = circle(2.0)
    assert curve_curvature(*curve[:2], U, weights=curve.weights).sub(0.5).abs().max() < 200 * EPS
    back = curve.control_points.flip(0)
    assert curve_curvature(back, curve.knots, U, weights=curve.weights).add(0.5).abs().max() < 200 * EPS
    line = as_tensor([[0, 0, 0], [1, 1, 1], [2, 2, 2]]).requires_grad_()
    curvature = curve_curvature(line, uniform_knots(3, degree=2), U)
    (gradient,) = torch.autograd.grad(curvature.sum(), line)
    assert curvature.abs().max() < 64 * EPS
    assert gradient.isfinite().all()


def test_lengths_and_areas_of_round_shapes() -> None:
    curve, ball, ring = circle(3.0), sphere(2.0), torus(2.0, 0.5)
    # the requested tolerance is met with room: what is returned is better than the error that was estimated
    assert abs(float(arc_length(*curve[:2], weights=curve.weights)) / (6 * math.pi) - 1) < 1e-13
    assert abs(float(surface_area(*ball[:3], weights=ball.weights)) / (16 * math.pi) - 1) < 1e-11
    assert abs(float(surface_area(*ring[:3], weights=ring.weights)) / (4 * math.pi**2) - 1) < 1e-11
    part = arc_length(*curve[:2], weights=curve.weights, start=0.25, end=0.375)
    assert abs(float(part) / (6 * math.pi / 8) - 1) < 1e-13
    assert float(arc_length(*curve[:2], weights=curve.weights, start=0.3, end=0.3)) == 0.0
    # in the plane the area of a graph over the unit square is 1, whatever the parametrisation
    knots = uniform_knots(4, degree=3)
    flat = torch.stack(
        torch.meshgrid(*[torch.linspace(0, 1, 4, dtype=torch.float64) ** 2] * 2, indexing="ij"), -1
    )
    assert abs(float(surface_area(flat, knots, knots)) - 1) < 1e-13


def test_length_across_a_cusp() -> None:
    """|C'| = 3/2 |(2u - 1)(..)|: not smooth inside the span, so the rule must refine towards it."""
    cubic = as_tensor([[0, 0], [1, 1], [0, 1], [1, 0]])
    knots = uniform_knots(4, degree=3)
    halves = [arc_length(cubic, knots, start=a, end=b, tolerance=1e-13) for a, b in ((0.0, 0.5), (0.5, 1.0))]
    assert abs(float(arc_length(cubic, knots, tolerance=1e-9) / sum(halves)) - 1) < 1e-9
    assert (
        abs(float(arc_length(cubic, knots, tolerance=None) / sum(halves)) - 1) > 1e-5
    )  # one rule is not enough


@pytest.mark.parametrize("order", [1, 2, 3])
def test_orders_of_convergence(order: int, generator: torch.Generator) -> None:
    """The error of m nodes falls as h^(2m) when the spans are halved by knots that change nothing."""
    curve, surface = random_curve(generator, 4, 3), random_surface(generator, (3, 3), (2, 2))
    length = arc_length(*curve[:2], weights=curve.weights, tolerance=1e-13)
    area = surface_area(*surface[:3], weights=surface.weights, tolerance=1e-13)
    lengths, areas = [], []
    for spans in (8, 16, 32):
        new = torch.arange(1, spans, dtype=torch.float64) / spans
        fine = insert_knots(curve, new)
        lengths.append(arc_length(*fine[:2], weights=fine.weights, order=order, tolerance=None))
        both = insert_knots(insert_knots(surface, new), new, direction="v")
        areas.append(surface_area(*both[:3], weights=both.weights, order=order, tolerance=None))
    for values, exact in ((lengths, length), (areas, area)):
        errors = [abs(float(value - exact)) for value in values]
        assert abs(math.log2(errors[1] / errors[2]) - 2 * order) < 0.3


def test_gradients(generator: torch.Generator) -> None:
    curve = [x.requires_grad_() for x in random_curve(generator, 4, 2)]
    points, weights = curve[0], curve[2]
    ends = [as_tensor(x).requires_grad_() for x in (0.15, 0.8)]
    interior = as_tensor([0.55]).requires_grad_()
    u = as_tensor([0.2, 0.7])

    def knots_with(interior: torch.Tensor) -> torch.Tensor:
        return torch.cat([as_tensor([0, 0, 0]), interior, as_tensor([1, 1, 1])])

    def length(points, interior, weights, start, end):
        return arc_length(
            points, knots_with(interior), weights=weights, start=start, end=end, order=20, tolerance=None
        )

    assert gradcheck(length, (points, interior, weights, *ends))
    assert gradcheck(
        lambda p, t, w: curve_curvature(p, knots_with(t), u, weights=w), (points, interior, weights)
    )
    surface = [x.requires_grad_() for x in random_surface(generator, (3, 4), (2, 2))]

    def quantities(points, interior, weights):
        arguments = (points, surface[1].detach(), knots_with(interior))
        curvatures = surface_curvatures(*arguments, u[:1], u, weights=weights)
        area = surface_area(*arguments, weights=weights, order=12, tolerance=None)
        return area, *curvatures, surface_normals(*arguments, u, u, weights=weights, grid=False)

    assert gradcheck(quantities, (surface[0], interior, surface[3]), fast_mode=True)


def test_bad_rules(unchecked: None) -> None:
    curve = circle()
    for arguments, message in (
        ({"tolerance": 1e-15}, r"`tolerance` is relative and must lie in \[1e-13, 1\)"),
        ({"order": 0}, r"`order` must lie in 1 to 64, nodes for each knot span; got 0"),
        ({"start": 0.7, "end": 0.2}, r"`start` must not exceed `end`; got 0.7 > 0.2"),
        ({"end": 1.2}, r"`end` must lie in the domain \[0, 1\] of `knots`; end\[\] = 1.2"),
    ):
        with pytest.raises(ValueError, match=message):
            arc_length(*curve[:2], weights=curve.weights, **arguments)
    with pytest.raises(TypeError, match=r"`order` must be an int; got 2.5"):
        arc_length(*curve[:2], order=2.5)
    with pytest.raises(ValueError, match=r"`order` must be at least 0; got -1"):
        curve_derivatives(*curve[:2], U, order=-1)
    with pytest.raises(TypeError, match=r"`order` must be an int; got True"):
        curve_derivatives(*curve[:2], U, order=True)
    ball = sphere()
    with pytest.raises(ValueError, match=r"With `grid=False` there must be equally many `u`, `v`; got 17, 3"):
        surface_normals(*ball[:3], U, U[:3], grid=False)
