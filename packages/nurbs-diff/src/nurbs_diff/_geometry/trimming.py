"""Trimmed surfaces: closed loops of curves in the parameter plane that say which part of a surface counts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from nurbs_diff import _checks
from nurbs_diff._derivatives.partials import (
    Directions,
    checked_directions,
    divide,
    evaluate_partials,
    scattered_partials,
    to_homogeneous,
)
from nurbs_diff._geometry.quadrature import boxes_between, check_rule, gauss_legendre, integrate, refine
from nurbs_diff._geometry.surfaces import area_element, distinct_breakpoints
from nurbs_diff._geometry.tessellation import grid_faces, is_collapsed, refined_breakpoints, tessellate_curve
from nurbs_diff._mesh import TriangleMesh
from nurbs_diff._splines import Curve

if TYPE_CHECKING:
    from collections.abc import Sequence

    from jaxtyping import Bool, Float

GAP = 1e-6  # between the curves of a loop, relative to its size: what files leave open


def points_in_loops(
    loops: Sequence[Sequence[Curve]], points: Float[Tensor, "*q 2"], *, tolerance: float = 1e-6
) -> Bool[Tensor, "*q"]:
    """Whether points of the parameter plane lie inside: in an odd number of loops.

    So an outer boundary keeps its inside, a loop in it makes a hole, whichever way they run, and loops side
    by side are separate pieces.

    Args:
        loops: each a sequence of curves in the plane, the end of each the beginning of the next, the last of
            the first.
        points: (u, v).
        tolerance: the loops are followed to this distance; points closer to one may fall on either side.

    Returns:
        True inside.

    Raises:
        ValueError: a loop that is empty, not closed or not in the plane.

    O(points x pieces of polylines), in blocks.

    >>> import torch
    >>> from nurbs_diff import uniform_knots
    >>> corners = torch.tensor([[0.2, 0.2], [0.8, 0.2], [0.5, 0.8], [0.2, 0.2]])
    >>> triangle = Curve(corners, uniform_knots(4, degree=1))
    >>> points_in_loops([[triangle]], torch.tensor([[0.5, 0.5], [0.1, 0.5]]))
    tensor([ True, False])
    """
    _checks.check_floating(points=points)
    if points.ndim == 0 or points.shape[-1] != 2:
        raise ValueError(f"`points` must have shape (..., 2); got {tuple(points.shape)}.")
    polygons = loop_polygons(loops, tolerance)
    return _is_inside(polygons, points.detach().double().reshape(-1, 2)).reshape(points.shape[:-1])


def trimmed_area(
    control_points: Float[Tensor, "n_u n_v dim"],
    knots_u: Float[Tensor, "k_u"],
    knots_v: Float[Tensor, "k_v"],
    loops: Sequence[Sequence[Curve]],
    *,
    weights: Float[Tensor, "n_u n_v"] | None = None,
    order: int = 16,
    tolerance: float | None = 1e-8,
) -> Float[Tensor, ""]:
    r"""Area of the part of a surface inside loops, without a mesh.

    By Green's theorem $\iint_\Omega a\, du\, dv = \oint A\, dv$, $A(u, v) = \int_{u_0}^u a(s, v)\, ds$ with
    the area element a: Gauss-Legendre along every loop and, for each node, along u from knot to knot. Exact
    up to quadrature: loops are not replaced by polylines. Differentiable with respect to the surface and the
    loops.

    Args:
        control_points: P, no batch.
        knots_u: knots of the first direction.
        knots_v: knots of the second direction.
        loops: as in `points_in_loops`; they must not cross.
        weights: w > 0; None for a polynomial surface.
        order: nodes for each span.
        tolerance: relative error of each curve's integral, whose spans are halved as in `arc_length`; the
            inner rule stays as it is. None for one rule on each span.

    Returns:
        The area, in the dtype of the control points.

    Raises:
        ValueError: no spline, bad loops, or one that leaves the domain.

    >>> import torch
    >>> from nurbs_diff import uniform_knots
    >>> flat = torch.tensor([[[0.0, 0], [0, 1]], [[1, 0], [1, 1]]])
    >>> knots = uniform_knots(2, degree=1)
    >>> corners = torch.tensor([[0.2, 0.2], [0.8, 0.2], [0.5, 0.8], [0.2, 0.2]])
    >>> trimmed_area(flat, knots, knots, [[Curve(corners, uniform_knots(4, degree=1))]])
    tensor(0.1800)
    """
    check_rule(order, tolerance)
    directions = checked_directions(control_points, weights, knots_u, knots_v)
    polygons = _polygons_inside(loops, 1e-4, directions)
    points = control_points.double()
    cuts = distinct_breakpoints(directions.knots[0], directions.degrees[0])
    total = points.new_zeros(())
    for k, loop in enumerate(loops):
        others = [polygon for j, polygon in enumerate(polygons) if j != k]
        is_hole = bool(_is_inside(others, polygons[k][:1])[0])
        sign = (-1.0 if is_hole else 1.0) * float(torch.sign(_signed_area(polygons[k])))
        for curve in loop:
            along = checked_directions(curve.control_points, curve.weights, curve.knots)

            def integrand(
                nodes: tuple[Tensor, ...], curve: Curve = curve, along: Directions = along
            ) -> Tensor:
                net = curve.control_points.double()
                partials = evaluate_partials(net, curve.weights, along, nodes, 1, grid=True)
                place = partials[0,]
                inner = _area_from_left(points, weights, directions, cuts, place, order)
                return inner * partials[1,][:, 1]

            boxes = boxes_between([distinct_breakpoints(along.knots[0], along.degrees[0])])
            if tolerance is not None:
                boxes = refine(integrand, boxes, order, tolerance)
            total = total + sign * integrate(integrand, boxes, order)
    return total.to(control_points.dtype)


def tessellate_trimmed_surface(
    control_points: Float[Tensor, "n_u n_v dim"],
    knots_u: Float[Tensor, "k_u"],
    knots_v: Float[Tensor, "k_v"],
    loops: Sequence[Sequence[Curve]],
    *,
    tolerance: float,
    weights: Float[Tensor, "n_u n_v"] | None = None,
) -> TriangleMesh:
    """Triangles of the part of a surface inside loops.

    The grid of `tessellate_surface`, for a third of the tolerance, is kept inside; the cells on a loop are
    cut along polylines that follow it, and what is left of them is triangulated (constrained Delaunay). The
    polylines have a vertex on every grid line that they cross, so neighbours share all vertices and there are
    no cracks. Between loop and edge of the mesh the distance is within the tolerance as far as the speeds at
    the vertices of the grid tell.

    Args:
        control_points: P, no batch.
        knots_u: knots of the first direction.
        knots_v: knots of the second direction.
        loops: as in `points_in_loops`.
        tolerance: in the unit of the control points.
        weights: w > 0; None for a polynomial surface.

    Returns:
        A mesh, differentiable in what defines the surface, with the parameters held.

    Raises:
        ValueError: no spline, bad loops, one that leaves the domain or crosses itself, or a tolerance as in
            `tessellate_surface`.
        ImportError: shapely is not installed (`pip install "nurbs-diff[trim]"`).

    >>> import torch
    >>> from nurbs_diff import uniform_knots
    >>> flat = torch.tensor([[[0.0, 0], [0, 1]], [[1, 0], [1, 1]]])
    >>> knots = uniform_knots(2, degree=1)
    >>> corners = torch.tensor([[0.2, 0.2], [0.8, 0.2], [0.5, 0.8], [0.2, 0.2]])
    >>> triangle = Curve(corners, uniform_knots(4, degree=1))
    >>> tessellate_trimmed_surface(flat, knots, knots, [[triangle]], tolerance=0.01).faces.shape
    torch.Size([1, 3])
    """
    shapely = _shapely()
    directions = checked_directions(control_points, weights, knots_u, knots_v)
    cuts = refined_breakpoints(control_points, weights, directions, tolerance / 3)
    with torch.no_grad():
        partials = evaluate_partials(control_points.double(), weights, directions, cuts, 1, grid=True)
        speed = torch.stack([torch.linalg.vector_norm(partials[i], dim=-1).max() for i in ((1, 0), (0, 1))])
    polygons = _polygons_inside(loops, tolerance / 4, directions, speed.clamp(min=1e-300))
    u, v = (x.numpy(force=True) for x in cuts)
    region = shapely.Polygon()
    for k, polygon in enumerate(polygons):
        ring = shapely.Polygon(_noded(polygon.numpy(force=True), u, v))
        if not ring.is_valid:
            raise ValueError(
                f"loops[{k}] crosses itself: {shapely.is_valid_reason(ring)}. Cut it into simple loops."
            )
        region = shapely.symmetric_difference(region, ring)  # inside an odd number of them
    shapely.prepare(region)
    i, j = (x.reshape(-1) for x in np.meshgrid(np.arange(len(u) - 1), np.arange(len(v) - 1), indexing="ij"))
    boxes = shapely.box(u[i], v[j], u[i + 1], v[j + 1])
    touches = shapely.intersects(region.boundary, boxes)
    is_whole = ~touches & shapely.covers(region, boxes)
    grid = torch.cartesian_prod(*cuts)
    whole = (
        grid_faces(len(u), len(v), grid.device).reshape(-1, 2, 3)[torch.as_tensor(is_whole)].reshape(-1, 3)
    )
    triangles = [
        grid[whole].numpy(force=True),
        _triangles(shapely, shapely.intersection(region, boxes[touches])),
    ]
    corners = np.concatenate(triangles).reshape(-1, 2)
    places, faces = np.unique(corners, axis=0, return_inverse=True)
    parameters = torch.as_tensor(places).to(directions.knots[0])
    net = to_homogeneous(control_points.double(), weights)
    found = divide(scattered_partials(net, directions, tuple(parameters.unbind(1)), 0), weights is not None)[
        0, 0
    ]
    vertices = found.to(control_points.dtype)
    rows = torch.as_tensor(faces.reshape(-1, 3), device=vertices.device)
    return TriangleMesh(vertices, rows[~is_collapsed(vertices, rows)], parameters.to(knots_u.dtype))


def _triangles(shapely: Any, pieces: Any) -> np.ndarray:
    """Corners of all triangles of polygons, counter-clockwise, (t, 3, 2)."""
    parts = shapely.get_parts(pieces)
    while np.any(
        shapely.get_type_id(parts) > 3
    ):  # collections of polygons and of edges that were only touched
        parts = shapely.get_parts(parts)
    polygons = parts[shapely.get_type_id(parts) == 3]
    triangles = shapely.get_parts(shapely.constrained_delaunay_triangles(polygons))
    corners = shapely.get_coordinates(triangles).reshape(-1, 4, 2)[:, :3]
    a, b = corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]
    is_clockwise = a[:, 0] * b[:, 1] < a[:, 1] * b[:, 0]
    corners[is_clockwise] = corners[is_clockwise][:, ::-1]
    return corners


def _noded(polygon: np.ndarray, u: np.ndarray, v: np.ndarray) -> np.ndarray:
    """A polygon with a vertex wherever it crosses a grid line, one coordinate of it exactly the line's."""
    found = []
    for a, b in zip(polygon, np.roll(polygon, -1, axis=0), strict=True):
        steps, points = [0.0], [a]
        for axis, lines in ((0, u), (1, v)):
            low, high = min(a[axis], b[axis]), max(a[axis], b[axis])
            crossed = lines[(lines > low) & (lines < high)]
            for line in crossed:
                step = (line - a[axis]) / (b[axis] - a[axis])
                point = a + step * (b - a)
                point[axis] = line
                steps.append(step)
                points.append(point)
        found += [points[k] for k in np.argsort(steps, kind="stable")]
    return np.array(found)


def loop_polygons(
    loops: Sequence[Sequence[Curve]], tolerance: float, scale: Tensor | None = None
) -> list[Tensor]:
    """The loops as polygons, without the repeated last vertex, within a distance after scaling the plane."""
    polygons = []
    for k, loop in enumerate(loops):
        if not len(loop):
            raise ValueError(f"loops[{k}] has no curve.")
        parts = []
        for j, curve in enumerate(loop):
            if not isinstance(curve, Curve):
                raise TypeError(f"loops[{k}][{j}] must be a Curve; got {type(curve).__name__}.")
            if curve.control_points.shape[1:] != (2,):
                raise ValueError(
                    f"loops[{k}][{j}] must lie in the parameter plane, control points of shape (n, 2); got "
                    f"{tuple(curve.control_points.shape)}."
                )
            points = curve.control_points.detach().double()
            weights = None if curve.weights is None else curve.weights.detach()
            stretch = 1.0 if scale is None else scale
            line = tessellate_curve(
                points * stretch, curve.knots.detach(), weights=weights, tolerance=tolerance
            )
            parts.append(line.points / stretch)
        extent = torch.cat(parts).amax(0) - torch.cat(parts).amin(0)
        for j, part in enumerate(parts):
            begin = parts[(j + 1) % len(parts)][0]
            if bool(((part[-1] - begin).abs() > GAP * extent.max()).any()):
                raise ValueError(
                    f"loops[{k}] is not closed: [{j}] ends at {part[-1].tolist()}, "
                    f"[{(j + 1) % len(parts)}] begins at {begin.tolist()}. Close it."
                )
        polygons.append(torch.cat([part[:-1] for part in parts]))
    return polygons


def _polygons_inside(
    loops: Sequence[Sequence[Curve]], tolerance: float, directions: Directions, scale: Tensor | None = None
) -> list[Tensor]:
    polygons = loop_polygons(loops, tolerance, scale)
    inside = []
    low = torch.stack([t[p] for t, p in zip(*directions, strict=True)]).detach()
    high = torch.stack([t[-p - 1] for t, p in zip(*directions, strict=True)]).detach()
    for k, polygon in enumerate(polygons):
        outside = torch.maximum(low - polygon, polygon - high)
        if bool((outside > GAP * (high - low)).any()):
            place = polygon[int(outside.amax(1).argmax())].tolist()
            raise ValueError(f"loops[{k}] leaves the domain at {place}. Clip it, or extend the surface.")
        inside.append(torch.minimum(torch.maximum(polygon, low), high))
    return inside


def _is_inside(polygons: list[Tensor], points: Tensor) -> Tensor:
    """Even-odd rule: a ray towards larger u crosses the polygons an odd number of times."""
    is_inside = torch.zeros(len(points), dtype=torch.bool, device=points.device)
    for polygon in polygons:
        a, b = polygon, polygon.roll(-1, 0)
        blocks = []
        for block in points.split(max(1, 2**22 // len(polygon))):
            x, y = block[:, 0, None], block[:, 1, None]
            is_across = (a[:, 1] > y) != (b[:, 1] > y)
            side = (b[:, 0] - a[:, 0]) * (y - a[:, 1]) - (x - a[:, 0]) * (b[:, 1] - a[:, 1])
            is_right = (side > 0) == (b[:, 1] > a[:, 1])
            blocks.append((is_across & is_right).sum(1) % 2 == 1)
        is_inside ^= torch.cat(blocks)
    return is_inside


def _signed_area(polygon: Tensor) -> Tensor:
    following = polygon.roll(-1, 0)
    return (polygon[:, 0] * following[:, 1] - polygon[:, 1] * following[:, 0]).sum() / 2


def _area_from_left(
    points: Tensor, weights: Tensor | None, directions: Directions, cuts: Tensor, places: Tensor, order: int
) -> Tensor:
    """The integral of the area element in u from the start of the domain to each place, (q,)."""
    u, v = places.unbind(1)
    reached = torch.minimum(cuts, u.unsqueeze(1))  # (q, cuts)
    boxes = torch.stack([reached[:, :-1], reached[:, 1:]], -1).reshape(-1, 1, 2)
    (nodes,), factors = gauss_legendre(boxes, order)
    across = v.repeat_interleave((len(cuts) - 1) * order)
    low, high = directions.knots[1][directions.degrees[1]], directions.knots[1][-directions.degrees[1] - 1]
    inside = torch.minimum(torch.maximum(across, low), high)
    values = area_element(points, weights, directions, (nodes, inside))
    return (values.reshape(factors.shape) * factors).sum(1).reshape(len(u), -1).sum(1)


def _shapely() -> Any:
    try:
        import shapely
    except ImportError as error:
        raise ImportError('Cutting a mesh needs shapely: pip install "nurbs-diff[trim]".') from error
    return shapely
