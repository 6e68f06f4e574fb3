"""Closest points against brute force and closed forms, and their implicit gradients."""

from __future__ import annotations

import math

import pytest
import torch
from geometry_shapes import as_tensor, circle, random_curve, random_surface, sphere, torus
from torch.autograd import gradcheck

from nurbs_diff import (
    closest_point_on_curve,
    closest_point_on_surface,
    evaluate_curve,
    evaluate_surface,
    uniform_knots,
)

EPS = torch.finfo(torch.float64).eps


def random_points(generator: torch.Generator, *shape: int, size: float = 1.0) -> torch.Tensor:
    return size * (2 * torch.rand(*shape, generator=generator, dtype=torch.float64) - 1)


def test_round_shapes(generator: torch.Generator) -> None:
    queries = random_points(generator, 20, 15, 3, size=3.0)
    radius = queries.norm(dim=-1)
    tube = torch.hypot(queries[..., :2].norm(dim=-1) - 2, queries[..., 2])
    for surface, want in ((sphere(), (radius - 1).abs()), (torus(2.0, 0.5), (tube - 0.5).abs())):
        found = closest_point_on_surface(*surface[:3], queries, weights=surface.weights)
        torch.testing.assert_close(found.distances, want, rtol=0, atol=32 * EPS)
        assert found.is_isolated.all()
        u, v = found.parameters.reshape(-1, 2).unbind(-1)
        again = evaluate_surface(*surface[:3], u, v, grid=False, weights=surface.weights)
        torch.testing.assert_close(again.reshape(queries.shape), found.points, rtol=0, atol=32 * EPS)
        assert found.is_converged.float().mean() > 0.99
    ring = circle(2.0)
    found = closest_point_on_curve(*ring[:2], queries[..., :2], weights=ring.weights)
    torch.testing.assert_close(
        found.distances, (queries[..., :2].norm(dim=-1) - 2).abs(), rtol=0, atol=32 * EPS
    )


def test_brute_force(generator: torch.Generator) -> None:
    u = torch.linspace(0, 1, 501, dtype=torch.float64)
    for _ in range(3):
        curve, surface = random_curve(generator, 9, 3), random_surface(generator, (6, 5), (3, 2))
        queries = random_points(generator, 60, 3)
        dense = evaluate_curve(*curve[:2], u, weights=curve.weights)
        found = closest_point_on_curve(*curve[:2], queries, weights=curve.weights)
        assert (found.distances <= torch.cdist(queries, dense).amin(1) + 32 * EPS).all()
        dense = evaluate_surface(*surface[:3], u, u, weights=surface.weights).reshape(-1, 3)
        found = closest_point_on_surface(*surface[:3], queries, weights=surface.weights)
        assert (found.distances <= torch.cdist(queries, dense).amin(1) + 32 * EPS).all()
        assert found.is_converged.all()


def test_inversion(generator: torch.Generator) -> None:
    surface = random_surface(generator, (6, 5), (3, 2))
    uv = torch.rand(50, 2, generator=generator, dtype=torch.float64)
    points = evaluate_surface(*surface[:3], *uv.unbind(-1), grid=False, weights=surface.weights)
    found = closest_point_on_surface(*surface[:3], points, weights=surface.weights)
    torch.testing.assert_close(found.parameters, uv, rtol=0, atol=1e-12)  # the tolerance of the search
    assert found.distances.max() < 1e-12


def test_polyline(generator: torch.Generator) -> None:
    """Kinks and ends, with a formula for segments."""
    points = random_points(generator, 7, 2)
    queries = random_points(generator, 200, 2)
    found = closest_point_on_curve(points, uniform_knots(7, degree=1), queries)
    start, edge = points[:-1], points.diff(dim=0)
    step = (((queries[:, None] - start) * edge).sum(-1) / edge.square().sum(-1)).clamp(0, 1)
    want = (queries[:, None] - start - step.unsqueeze(-1) * edge).norm(dim=-1).amin(1)
    torch.testing.assert_close(found.distances, want, rtol=0, atol=8 * EPS)
    assert found.is_converged.all()


def test_places_without_a_derivative() -> None:
    ring, ball = circle(), sphere()
    centre = closest_point_on_curve(*ring[:2], as_tensor([0, 0]).requires_grad_(), weights=ring.weights)
    assert not centre.is_isolated
    pole = as_tensor([0, 0, 2]).requires_grad_()
    found = closest_point_on_surface(*ball[:3], pole, weights=ball.weights)
    assert not found.is_isolated
    assert abs(float(found.distances.detach()) - 1) < 4 * EPS
    (gradient,) = torch.autograd.grad(found.distances, pole)
    torch.testing.assert_close(gradient, as_tensor([0, 0, 1]), rtol=0, atol=1e-12)


def test_seam() -> None:
    ring = circle()
    angles = as_tensor([-1e-3, -1e-9, 0, 1e-9, 1e-3])
    queries = 1.5 * torch.stack([torch.cos(angles), torch.sin(angles)], -1)
    found = closest_point_on_curve(*ring[:2], queries, weights=ring.weights)
    torch.testing.assert_close(found.points, queries / 1.5, rtol=0, atol=1e-12)
    assert ((found.parameters < 1e-3) | (found.parameters > 1 - 1e-3)).all()


def test_implicit_gradients_of_curves(generator: torch.Generator) -> None:
    points, _, weights = (x.requires_grad_() for x in random_curve(generator, 5, 2, dim=2))
    interior = as_tensor([0.3, 0.6]).requires_grad_()
    queries = torch.cat([random_points(generator, 5, 2), as_tensor([[3, 3], [-3, 0]])]).requires_grad_()

    def closest(points, interior, weights, queries):
        knots = torch.cat([as_tensor([0, 0, 0]), interior, as_tensor([1, 1, 1])])
        found = closest_point_on_curve(points, knots, queries, weights=weights)
        return found.parameters, found.points, found.distances

    assert gradcheck(closest, (points, interior, weights, queries))


def test_implicit_gradients_of_surfaces(generator: torch.Generator) -> None:
    surface = random_surface(generator, (3, 4), (2, 2))
    interior = as_tensor([0.55]).requires_grad_()
    points, weights = surface.control_points.requires_grad_(), surface.weights.requires_grad_()
    # above the middle, beyond an edge, beyond a corner
    queries = as_tensor([[0.4, 0.6, 0.5], [0.6, 0.3, -0.2], [-0.5, 0.4, 0.2], [1.4, 1.5, 0]]).requires_grad_()

    def closest(points, interior, weights, queries):
        knots_v = torch.cat([as_tensor([0, 0, 0]), interior, as_tensor([1, 1, 1])])
        found = closest_point_on_surface(points, surface.knots_u, knots_v, queries, weights=weights)
        return found.parameters, found.points, found.distances

    edges = closest(points, interior, weights, queries)[0]
    assert ((edges == 0) | (edges == 1)).sum(1).tolist() == [0, 0, 1, 2]
    assert gradcheck(closest, (points, interior, weights, queries), fast_mode=True)


def test_kink_moves_with_its_knot() -> None:
    corner = as_tensor([[0, 0], [1, 1], [2, 0]])
    middle = as_tensor([0.3]).requires_grad_()
    query = as_tensor([1, 3]).requires_grad_()
    found = closest_point_on_curve(corner, torch.cat([as_tensor([0, 0]), middle, as_tensor([1, 1])]), query)
    assert float(found.parameters.detach()) == 0.3
    by_knot, by_query = torch.autograd.grad(found.parameters, (middle, query), retain_graph=True)
    assert by_knot.tolist() == [1.0]
    assert by_query.tolist() == [0.0, 0.0]
    with pytest.raises(RuntimeError, match=r"differentiable once; leave `create_graph=True` out"):
        torch.autograd.grad(found.distances, query, create_graph=True)


def test_bad_values(unchecked: None) -> None:
    ring = circle()
    for arguments, message in (
        ((*ring[:2], torch.zeros(4, 3)), r"`points` must have shape \(..., 2\); got \(4, 3\)"),
        ((*ring[:2], as_tensor([[0, 0], [math.nan, 1]])), r"`points` must be finite; points\[1, 0\] = nan"),
        (
            (ring.control_points[None], ring.knots, torch.zeros(4, 2)),
            r"must have 2 axes, no batch.*Loop over the batch",
        ),
    ):
        with pytest.raises(ValueError, match=message):
            closest_point_on_curve(*arguments)
