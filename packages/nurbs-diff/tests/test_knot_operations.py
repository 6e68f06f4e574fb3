"""Every other representation is the same shape."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from geomdl import BSpline as GeomdlBSpline
from geomdl.operations import insert_knot
from geometry_shapes import as_tensor, random_curve, random_surface
from hypothesis import given, settings
from hypothesis import strategies as st
from nurbs_cases import KNOTS, parameters
from torch.autograd import gradcheck

from nurbs_diff import (
    Curve,
    Surface,
    Volume,
    basis_functions,
    bezier_extraction,
    degree_elevation_matrix,
    elevate_degree,
    evaluate_curve,
    evaluate_surface,
    extract_bezier,
    insert_knots,
    knot_insertion_matrix,
    reduce_degree,
    remove_knots,
    reverse,
    split,
    swap_directions,
    uniform_knots,
)

EPS = torch.finfo(torch.float64).eps
#: A point is a convex combination; each representation rounds once a level, with weights between 1/2 and 3/2.
LIMIT = 64 * EPS


def points_of(curve: Curve, u: torch.Tensor) -> torch.Tensor:
    return evaluate_curve(curve.control_points, curve.knots, u, weights=curve.weights)


def surface_points(surface: Surface, u: torch.Tensor, v: torch.Tensor) -> torch.Tensor:
    return evaluate_surface(*surface[:3], u, v, weights=surface.weights)


@st.composite
def curves(draw: st.DrawFn) -> Curve:
    """Knots of all kinds (clamped or not, repeated), random points and weights."""
    degree, knots = KNOTS[draw(st.sampled_from(sorted(KNOTS)))]
    generator = torch.Generator().manual_seed(draw(st.integers(0, 2**16)))
    n = len(knots) - degree - 1
    points = torch.rand(n, 2, generator=generator, dtype=torch.float64)
    weights = 0.5 + torch.rand(n, generator=generator, dtype=torch.float64) if draw(st.booleans()) else None
    return Curve(points, knots, weights)


@settings(max_examples=15)
@given(curves(), st.lists(st.integers(1, 31), min_size=1, max_size=4, unique=True))
def test_the_shape_stays(curve: Curve, places: list[int]) -> None:
    degree = len(curve.knots) - len(curve.control_points) - 1
    low, high = curve.knots[degree], curve.knots[-degree - 1]
    u = parameters(degree, curve.knots, 11)
    want = points_of(curve, u)
    new = low + (high - low) * as_tensor(places) / 32.1  # on none of the knots
    finer = insert_knots(curve, new.repeat(2) if degree else new)
    torch.testing.assert_close(points_of(finer, u), want, rtol=0, atol=LIMIT)
    back = remove_knots(finer, new.repeat(2), tolerance=1e-12)
    assert len(back.spline.knots) == len(curve.knots)
    torch.testing.assert_close(points_of(back.spline, u), want, rtol=0, atol=1e-12)
    assert (points_of(back.spline, u) - want).norm(dim=-1).max() <= back.error + LIMIT
    elevated = elevate_degree(curve, 2)
    torch.testing.assert_close(points_of(elevated, u), want, rtol=0, atol=LIMIT)
    left, right = split(curve, float(new[0]))
    torch.testing.assert_close(points_of(left, u[u < new[0]]), want[u < new[0]], rtol=0, atol=LIMIT)
    torch.testing.assert_close(points_of(right, u[u > new[0]]), want[u > new[0]], rtol=0, atol=LIMIT)
    smooth = u[~torch.isin(u, curve.knots[degree + 1 : -degree - 1])]  # backwards, jumps take the other side
    backwards = points_of(reverse(curve), (low + high) - smooth)
    torch.testing.assert_close(
        backwards, points_of(curve, smooth), rtol=0, atol=1e-6 if degree > 2 else 1e-12
    )


@pytest.mark.parametrize("name", KNOTS)
def test_bezier_extraction(name: str) -> None:
    """N = C B on every span, with the Bernstein polynomials from the package's own basis on two knots."""
    degree, knots = KNOTS[name]
    extraction = bezier_extraction(knots, degree)
    bernstein_knots = as_tensor([0] * (degree + 1) + [1] * (degree + 1))
    xi = torch.linspace(0.01, 0.99, 7, dtype=torch.float64)
    bernstein = basis_functions(bernstein_knots, degree, xi)
    for e, (low, high) in enumerate(zip(extraction.breakpoints, extraction.breakpoints[1:], strict=False)):
        rows = basis_functions(knots, degree, low + xi * (high - low))
        local = rows[:, extraction.first[e] : extraction.first[e] + degree + 1]
        # spans of 1e-9 (case "cubic close") leave seven digits to a parameter inside them
        limit = LIMIT if high - low > 1e-6 else 1e-6
        torch.testing.assert_close(bernstein @ extraction.operators[e].mT, local, rtol=0, atol=limit)


def test_insertion_equals_geomdl(generator: torch.Generator) -> None:
    curve = random_curve(generator, 7, 3, is_rational=False)
    theirs = GeomdlBSpline.Curve()
    theirs.degree = 3
    theirs.ctrlpts = curve.control_points.tolist()
    theirs.knotvector = curve.knots.tolist()
    theirs = insert_knot(insert_knot(theirs, [0.3], [2]), [0.77], [1])
    found = insert_knots(curve, as_tensor([0.77, 0.3, 0.3]))
    torch.testing.assert_close(found.knots, as_tensor(theirs.knotvector), rtol=0, atol=0)
    torch.testing.assert_close(found.control_points, as_tensor(theirs.ctrlpts), rtol=0, atol=LIMIT)


def test_matrices_are_convex_combinations() -> None:
    for degree, knots in KNOTS.values():
        low, high = float(knots[degree]), float(knots[-degree - 1])
        insertion, _ = knot_insertion_matrix(knots, degree, as_tensor([low + 0.3 * (high - low)]))
        elevation, _ = degree_elevation_matrix(knots, degree)
        for matrix in (insertion, elevation):
            torch.testing.assert_close(
                matrix.sum(1), torch.ones(len(matrix), dtype=torch.float64), rtol=0, atol=LIMIT
            )
        assert insertion.min() >= 0


def test_surfaces_and_volumes(generator: torch.Generator) -> None:
    surface = random_surface(generator, (6, 5), (3, 2))
    u, v = torch.rand(2, 9, generator=generator, dtype=torch.float64)
    want = surface_points(surface, u, v)
    new = as_tensor([0.2, 0.9])
    finer = insert_knots(elevate_degree(surface, direction="v"), new, direction="v")
    torch.testing.assert_close(surface_points(insert_knots(finer, new), u, v), want, rtol=0, atol=LIMIT)
    torch.testing.assert_close(
        surface_points(swap_directions(surface), v, u), want.transpose(0, 1), rtol=0, atol=LIMIT
    )
    torch.testing.assert_close(
        surface_points(reverse(surface, direction="v"), u, 1 - v), want, rtol=0, atol=LIMIT
    )
    before, after = split(surface, 0.4, direction="v")
    is_before = v < 0.4
    torch.testing.assert_close(
        surface_points(before, u, v[is_before]), want[:, is_before], rtol=0, atol=LIMIT
    )
    torch.testing.assert_close(
        surface_points(after, u, v[~is_before]), want[:, ~is_before], rtol=0, atol=LIMIT
    )
    lower = reduce_degree(finer, direction="v")
    assert lower.error < 1e-13
    torch.testing.assert_close(surface_points(lower.spline, u, v), want, rtol=0, atol=1e-13)
    patches = extract_bezier(surface)
    assert patches.control_points.shape == (3, 3, 4, 3, 3)
    torch.testing.assert_close(
        patches.control_points[0, 0, 0, 0], surface.control_points[0, 0], rtol=0, atol=LIMIT
    )
    torch.testing.assert_close(
        patches.control_points[0, 1, 0, 0],
        surface_points(surface, u[:1] * 0, patches.breakpoints[1][1:2])[0, 0],
        rtol=0,
        atol=LIMIT,
    )
    # a volume whose points do not depend on w is the surface for every w
    volume = Volume(
        surface.control_points.unsqueeze(2).expand(-1, -1, 3, -1),
        surface.knots_u,
        surface.knots_v,
        uniform_knots(3, degree=2),
        None if surface.weights is None else surface.weights.unsqueeze(2).expand(-1, -1, 3),
    )
    finer_volume = insert_knots(insert_knots(volume, new, direction="w"), new, direction="u")
    assert finer_volume.control_points.shape == (8, 5, 5, 3)
    for layer in range(5):
        assert finer_volume.weights is not None
        part = Surface(
            finer_volume.control_points[:, :, layer],
            finer_volume.knots_u,
            finer_volume.knots_v,
            finer_volume.weights[:, :, layer],
        )
        torch.testing.assert_close(surface_points(part, u, v), want, rtol=0, atol=LIMIT)
    assert extract_bezier(volume).control_points.shape == (3, 3, 1, 4, 3, 3, 3)


def test_errors_are_bounds(generator: torch.Generator) -> None:
    u = torch.linspace(0, 1, 200, dtype=torch.float64)
    for is_rational in (False, True):
        curve = random_curve(generator, 12, 3, is_rational=is_rational)
        simpler = remove_knots(curve, tolerance=0.5)
        assert 0 < len(simpler.removed) < 8
        assert simpler.error <= 0.5
        distance = (points_of(simpler.spline, u) - points_of(curve, u)).norm(dim=-1).max()
        assert 0.05 * simpler.error < distance <= simpler.error
        lower = reduce_degree(curve)
        distance = (points_of(lower.spline, u) - points_of(curve, u)).norm(dim=-1).max()
        assert 0.05 * lower.error < distance <= lower.error
        torch.testing.assert_close(
            points_of(lower.spline, u[[0, -1]]), points_of(curve, u[[0, -1]]), rtol=0, atol=LIMIT
        )


def test_gradients(generator: torch.Generator) -> None:
    points, _, weights = (x.requires_grad_() for x in random_curve(generator, 5, 2, dim=2))
    interior, new = as_tensor([0.3, 0.6]).requires_grad_(), as_tensor([0.45]).requires_grad_()

    def results(points, interior, new, weights):
        knots = torch.cat([as_tensor([0, 0, 0]), interior, as_tensor([1, 1, 1])])
        curve = Curve(points, knots, weights)
        finer = elevate_degree(insert_knots(curve, new))
        removed = remove_knots(insert_knots(curve, as_tensor([0.5])), as_tensor([0.5]), tolerance=1e-9).spline
        pieces = extract_bezier(curve)
        return finer.control_points, finer.weights, removed.control_points, pieces.control_points

    assert gradcheck(results, (points, interior, new, weights), fast_mode=True)


def test_float32_stays() -> None:
    curve = Curve(torch.rand(5, 2), uniform_knots(5, 3, dtype=torch.float32), torch.ones(5))
    for result in (insert_knots(curve, torch.tensor([0.3])), elevate_degree(curve), *split(curve, 0.3)):
        assert {x.dtype for x in result if x is not None} == {torch.float32}


@pytest.mark.parametrize(
    ("function", "message"),
    [
        (
            lambda c: insert_knots(c, as_tensor([1.2])),
            r"`new_knots` must lie in the domain \[0, 1\] of `knots`; new_knots\[0\] = 1.2",
        ),
        (lambda c: insert_knots(c, as_tensor([0.5] * 5)), r"may repeat a knot at most degree \+ 1 = 4 times"),
        (
            lambda c: insert_knots(c, as_tensor([0.5]), direction="v"),
            r"`direction` must be one of 'u'; got 'v'",
        ),
        (lambda c: split(c, 0.0), r"`at` must lie inside the domain \(0, 1\); got 0"),
        (lambda c: elevate_degree(c, -1), r"`times` must be at least 0; got -1"),
        (
            lambda c: remove_knots(c, as_tensor([0.1]), tolerance=1),
            r"knots\[0\] = 0.1 is no knot inside the domain",
        ),
        (lambda c: remove_knots(c, tolerance=-1), r"`tolerance` must be at least 0; got -1"),
        (
            lambda c: reduce_degree(Curve(c.control_points[:2], as_tensor([0, 0.5, 1]))),
            r"The degree in direction 'u' is 0",
        ),
        (
            lambda c: reduce_degree(Curve(c.control_points, as_tensor(list(range(9))))),
            r"direction 'u' must be clamped",
        ),
        (lambda c: swap_directions(c), r"`direction` must be one of 'u'; got 'v'"),
    ],
)
def test_bad_values(function: Any, message: str, generator: torch.Generator, unchecked: None) -> None:
    with pytest.raises(ValueError, match=message):
        function(random_curve(generator, 5, 3))


def test_bad_types(unchecked: None) -> None:
    with pytest.raises(TypeError, match=r"`spline` must be a Curve, Surface or Volume; got tuple. Wrap"):
        reverse((torch.rand(2, 2), torch.rand(4)))
