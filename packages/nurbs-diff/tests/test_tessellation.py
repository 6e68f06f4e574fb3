"""Polylines and meshes within their tolerance, without cracks; trimmed surfaces and their area."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from geometry_shapes import as_tensor, circle, random_curve, random_surface, sphere, torus

from nurbs_diff import (
    Curve,
    Surface,
    TriangleMesh,
    evaluate_curve,
    evaluate_surface,
    points_in_loops,
    surface_area,
    tessellate_curve,
    tessellate_surface,
    tessellate_trimmed_surface,
    trimmed_area,
    uniform_knots,
)


def deviation(mesh: TriangleMesh, surface: Surface, generator: torch.Generator) -> float:
    """The largest distance from triangle to surface at twenty random parameters in each triangle."""
    shares = torch.rand(len(mesh.faces), 20, 3, generator=generator, dtype=torch.float64)
    shares = shares / shares.sum(-1, keepdim=True)
    uv = (shares @ mesh.parameters[mesh.faces]).reshape(-1, 2)
    flat = (shares @ mesh.vertices[mesh.faces]).reshape(-1, 3)
    points = evaluate_surface(*surface[:3], *uv.unbind(-1), grid=False, weights=surface.weights)
    return float((points - flat).norm(dim=1).max())


def edge_counts(mesh: TriangleMesh) -> tuple[torch.Tensor, torch.Tensor]:
    """Every edge, and of how many triangles."""
    edges = torch.cat([mesh.faces[:, [0, 1]], mesh.faces[:, [1, 2]], mesh.faces[:, [2, 0]]])
    return edges.sort(1).values.unique(dim=0, return_counts=True)


def area_of(mesh: TriangleMesh) -> float:
    corners = mesh.vertices[mesh.faces]
    sides = torch.linalg.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    return float(sides.norm(dim=1).sum() / 2)


def moved(curve: Curve, offset: list[float]) -> Curve:
    return curve._replace(control_points=curve.control_points + as_tensor(offset))


@pytest.mark.parametrize("tolerance", [3e-2, 1e-3])
def test_curves_within_tolerance(tolerance: float, generator: torch.Generator) -> None:
    for curve in (random_curve(generator, 9, 3), random_curve(generator, 6, 4, is_rational=False), circle()):
        line = tessellate_curve(*curve[:2], weights=curve.weights, tolerance=tolerance)
        step = torch.linspace(0, 1, 21, dtype=torch.float64)[:, None]
        u = line.parameters[:-1] + step * line.parameters.diff()
        chords = line.points[:-1] + step.unsqueeze(-1) * line.points.diff(dim=0)
        points = evaluate_curve(*curve[:2], u.reshape(-1), weights=curve.weights).reshape(chords.shape)
        worst = float((points - chords).norm(dim=-1).max())
        assert 0.1 * tolerance < worst <= tolerance  # met, and not by far too many points


@pytest.mark.parametrize("tolerance", [1e-1, 1e-2])
def test_surfaces_within_tolerance(tolerance: float, generator: torch.Generator) -> None:
    graph = random_surface(generator, (6, 5), (3, 2))
    for surface in (graph, torus(), sphere()):
        mesh = tessellate_surface(*surface[:3], weights=surface.weights, tolerance=tolerance)
        worst = deviation(mesh, surface, generator)
        assert 0.05 * tolerance < worst <= tolerance
        exact = float(surface_area(*surface[:3], weights=surface.weights))
        assert abs(area_of(mesh) / exact - 1) < 4 * tolerance
        # glued where vertices coincide, at seams and poles, closed surfaces have every edge twice
        _, glued = (mesh.vertices / 1e-9).round().long().unique(dim=0, return_inverse=True)
        _, counts = edge_counts(mesh._replace(faces=glued[mesh.faces]))
        assert counts.max() == 2
        assert (counts == 2).all() or surface.knots_v is graph.knots_v


def test_faces_look_along_the_normal() -> None:
    mesh = tessellate_surface(*sphere()[:3], weights=sphere().weights, tolerance=1e-2)
    corners = mesh.vertices[mesh.faces]
    normals = torch.linalg.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    assert ((normals * corners.mean(1)).sum(-1) > 0).all()


def test_vertices_are_differentiable() -> None:
    surface = torus()
    points = surface.control_points.requires_grad_()
    mesh = tessellate_surface(points, *surface[1:3], weights=surface.weights, tolerance=0.1)
    (gradient,) = torch.autograd.grad(mesh.vertices.sum(), points)
    torch.testing.assert_close(gradient.sum(), as_tensor(3.0 * len(mesh.vertices)), rtol=1e-12, atol=0)


@pytest.mark.slow
def test_points_in_loops(generator: torch.Generator) -> None:
    points = torch.rand(500, 2, generator=generator, dtype=torch.float64)
    radius = (points - 0.5).norm(dim=1)
    outer, inner = moved(circle(0.4), [0.5, 0.5]), moved(circle(0.2), [0.5, 0.5])
    backwards = inner._replace(control_points=inner.control_points.flip(0))
    for hole in (inner, backwards):
        found = points_in_loops([[outer], [hole]], points, tolerance=1e-9)
        assert torch.equal(found, (radius < 0.4) & (radius > 0.2))


def test_trimmed_area_and_mesh(generator: torch.Generator) -> None:
    surface = torus(2.0, 0.5)
    loops = [[moved(circle(0.2), [0.5, 0.4])], [moved(circle(0.1), [0.5, 0.4])]]
    arguments = (*surface[:3], loops)
    exact = float(trimmed_area(*arguments, weights=surface.weights))
    assert (
        abs(float(trimmed_area(*arguments, weights=surface.weights, order=24, tolerance=1e-11)) / exact - 1)
        < 1e-8
    )
    mesh = tessellate_trimmed_surface(*arguments, weights=surface.weights, tolerance=1e-2)
    assert abs(area_of(mesh) / exact - 1) < 1e-2
    assert deviation(mesh, surface, generator) <= 1e-2
    edges, counts = edge_counts(mesh)
    assert counts.max() == 2
    middle = mesh.parameters[edges[counts == 1]].mean(1)
    radius = (middle - as_tensor([0.5, 0.4])).norm(dim=1)
    assert ((radius - 0.2).abs().minimum((radius - 0.1).abs()) < 2e-3).all()  # no edge inside is open


def test_trimmed_area_in_the_plane() -> None:
    """A disc with a hole and an island, whichever way the loops run; the gradient is the rim's length."""
    knots = uniform_knots(2, degree=1)
    flat = as_tensor([[[0, 0], [0, 1]], [[1, 0], [1, 1]]])
    radius = as_tensor(0.4).requires_grad_()
    unit = circle()
    outer = Curve(0.5 + radius * unit.control_points, unit.knots, unit.weights)
    hole, island = moved(circle(0.2), [0.5, 0.5]), moved(circle(0.1), [0.5, 0.5])
    reversed_hole = hole._replace(control_points=hole.control_points.flip(0))
    area = trimmed_area(flat, knots, knots, [[outer], [reversed_hole], [island]])
    assert abs(float(area.detach()) - math.pi * (0.16 - 0.04 + 0.01)) < 1e-12
    (gradient,) = torch.autograd.grad(area, radius)
    assert abs(float(gradient) - 2 * math.pi * 0.4) < 1e-11


def test_loop_of_several_curves_that_meets_knots() -> None:
    """A square whose sides lie on grid lines, and one across them."""
    knots = uniform_knots(3, degree=1)
    grid = torch.linspace(0, 1, 3, dtype=torch.float64)
    flat = torch.stack(torch.meshgrid(grid, grid, indexing="ij"), -1)
    flat = torch.cat([flat, (flat[..., :1] * (1 - flat[..., 1:]))], -1)
    line = uniform_knots(2, degree=1)
    for low, high in ((0.0, 0.5), (0.25, 0.8), (0.0, 1.0)):
        corners = as_tensor([[low, low], [high, low], [high, high], [low, high], [low, low]])
        loop = [Curve(corners[i : i + 2], line) for i in range(4)]
        mesh = tessellate_trimmed_surface(flat, knots, knots, [loop], tolerance=1e-2)
        exact = float(trimmed_area(flat, knots, knots, [loop]))
        assert abs(area_of(mesh) / exact - 1) < 1e-3
        assert edge_counts(mesh)[1].max() == 2


@pytest.mark.parametrize(
    ("loops", "message"),
    [
        ([[]], r"loops\[0\] has no curve"),
        ([[moved(circle(0.2), [0.9, 0.5])]], r"loops\[0\] leaves the domain at \[1.1"),
        (
            [[Curve(as_tensor([[0, 0], [1, 1]]), uniform_knots(2, 1))]],
            r"loops\[0\] is not closed: \[0\] ends at",
        ),
        (
            [[Curve(as_tensor([[0, 0], [1, 1], [1, 0], [0, 1], [0, 0]]), uniform_knots(5, 1))]],
            r"loops\[0\] crosses itself: Self-intersection",
        ),
        (
            [[random_curve(torch.Generator(), 4, 3)]],
            r"loops\[0\]\[0\] must lie in the parameter plane.*got \(4, 3\)",
        ),
    ],
)
def test_bad_loops(loops: Any, message: str, unchecked: None) -> None:
    knots = uniform_knots(2, degree=1)
    flat = as_tensor([[[0, 0], [0, 1]], [[1, 0], [1, 1]]])
    with pytest.raises(ValueError, match=message):
        tessellate_trimmed_surface(flat, knots, knots, loops, tolerance=0.1)


def test_bad_values(unchecked: None) -> None:
    ring = circle()
    with pytest.raises(ValueError, match=r"`tolerance` must be positive and finite; got 0"):
        tessellate_curve(*ring[:2], tolerance=0)
    with pytest.raises(ValueError, match=r"`tolerance` = 1e-14 would take more than 4000000 pieces. Loosen"):
        tessellate_surface(*torus()[:3], tolerance=1e-14)
    with pytest.raises(ValueError, match=r"`knots` repeats 0.5 degree \+ 1 = 2 times: the spline may jump"):
        tessellate_curve(ring.control_points[:4], as_tensor([0, 0, 0.5, 0.5, 1, 1]), tolerance=1.0)
    with pytest.raises(TypeError, match=r"loops\[0\]\[0\] must be a Curve; got Tensor"):
        points_in_loops([[torch.zeros(3)]], torch.zeros(1, 2))
    with pytest.raises(ValueError, match=r"must have 2 axes, no batch, to be tessellated"):
        tessellate_curve(ring.control_points[None], ring.knots, tolerance=1.0)
