"""Polylines and triangle meshes within a stated distance of curves and surfaces."""

from __future__ import annotations

from itertools import product
from math import prod
from typing import TYPE_CHECKING, NamedTuple

import torch
from torch import Tensor

from nurbs_diff import _checks
from nurbs_diff._derivatives.partials import (
    Directions,
    checked_directions,
    from_homogeneous,
    knot_names,
    to_homogeneous,
)
from nurbs_diff._evaluation.grids import evaluate_curve, evaluate_surface
from nurbs_diff._geometry.surfaces import distinct_breakpoints
from nurbs_diff._mesh import TriangleMesh
from nurbs_diff._refinement.operations import bezier_net

if TYPE_CHECKING:
    from jaxtyping import Float

BLOCK = 2**16  # pieces looked at at once
LARGEST = 4_000_000  # pieces; beyond that a tolerance is more likely a slip than a wish


class Polyline(NamedTuple):
    """Points on a curve, in order.

    Attributes:
        points: differentiable in what defines the curve.
        parameters: where they lie.

    >>> import torch
    >>> Polyline(torch.zeros(2, 3), torch.tensor([0.0, 1.0])).points.shape
    torch.Size([2, 3])
    """

    points: Float[Tensor, "m dim"]
    parameters: Float[Tensor, "m"]


def tessellate_curve(
    control_points: Float[Tensor, "n dim"],
    knots: Float[Tensor, "k"],
    *,
    tolerance: float,
    weights: Float[Tensor, "n"] | None = None,
) -> Polyline:
    r"""A polyline nowhere further than `tolerance` from the curve at the same parameter.

    Each span is halved until a bound is met that holds for every parameter, rational curves included. With
    the chord L, $w (C - L)$ is a Bezier function of degree p + 1, hence
    $\lvert C - L \rvert \le \max_i \lvert c_i \rvert / w_i$ over its coefficients c and those of w.

    Args:
        control_points: P, no batch.
        knots: t.
        tolerance: in the unit of the control points.
        weights: w > 0; None for a polynomial curve.

    Returns:
        The points, in the dtype of the control points, and their parameters.

    Raises:
        ValueError: no spline, a tolerance that is not positive or would take millions of pieces, or a curve
            that jumps.

    >>> import torch
    >>> quarter = torch.tensor([[1.0, 0.0], [1.0, 1.0], [0.0, 1.0]])
    >>> knots, weights = torch.tensor([0.0, 0, 0, 1, 1, 1]), torch.tensor([1.0, 0.5**0.5, 1.0])
    >>> tessellate_curve(quarter, knots, weights=weights, tolerance=0.01).parameters
    tensor([0.0000, 0.1250, 0.2500, 0.3750, 0.5000, 0.6250, 0.7500, 0.8750, 1.0000])
    """
    directions = checked_directions(control_points, weights, knots)
    (u,) = refined_breakpoints(control_points, weights, directions, tolerance)
    u = u.to(knots.dtype)
    return Polyline(evaluate_curve(control_points, knots, u, weights=weights), u)


def tessellate_surface(
    control_points: Float[Tensor, "n_u n_v dim"],
    knots_u: Float[Tensor, "k_u"],
    knots_v: Float[Tensor, "k_v"],
    *,
    tolerance: float,
    weights: Float[Tensor, "n_u n_v"] | None = None,
) -> TriangleMesh:
    r"""Triangles nowhere further than `tolerance` from the surface at the same parameters.

    The domain is cut into a tensor grid, fine where it has to be, two triangles a cell. As every cut runs
    through the whole domain there are no T-junctions, hence no cracks; the price is that a detail refines the
    strips through it. A cell passes if
    $\lvert S - B \rvert + \tfrac14 \lvert P_{00} - P_{10} - P_{01} + P_{11} \rvert$ does, B bilinear in the
    corners: the first part is bounded as in `tessellate_curve`, the second is what two triangles lack of B.

    Args:
        control_points: P, no batch.
        knots_u: knots of the first direction.
        knots_v: knots of the second direction.
        tolerance: in the unit of the control points.
        weights: w > 0; None for a polynomial surface.

    Returns:
        A mesh; its vertices are differentiable in what defines the surface. Triangles collapsed at a pole are
        left out. Seams of closed surfaces have their vertices twice, once for each parameter.

    Raises:
        ValueError: no spline, a tolerance that is not positive or would take millions of cells, or a surface
            that jumps.

    >>> import torch
    >>> flat = torch.tensor([[[0.0, 0, 0], [0, 1, 0]], [[1, 0, 0], [1, 1, 0]]])
    >>> knots = torch.tensor([0.0, 0.0, 1.0, 1.0])
    >>> tessellate_surface(flat, knots, knots, tolerance=0.01).faces
    tensor([[0, 2, 3],
            [0, 3, 1]])
    """
    directions = checked_directions(control_points, weights, knots_u, knots_v)
    u, v = refined_breakpoints(control_points, weights, directions, tolerance)
    u, v = u.to(knots_u.dtype), v.to(knots_v.dtype)
    vertices = evaluate_surface(control_points, knots_u, knots_v, u, v, weights=weights).flatten(0, 1)
    faces = grid_faces(len(u), len(v), u.device)
    return TriangleMesh(vertices, faces[~is_collapsed(vertices, faces)], torch.cartesian_prod(u, v))


def grid_faces(rows: int, columns: int, device: torch.device) -> Tensor:
    """Two triangles for each cell of a grid of vertices, (2 cells, 3)."""
    corner = torch.arange((rows - 1) * columns, device=device).reshape(rows - 1, columns)[:, :-1].reshape(-1)
    lower = torch.stack([corner, corner + columns, corner + columns + 1], 1)
    upper = torch.stack([corner, corner + columns + 1, corner + 1], 1)
    return torch.stack([lower, upper], 1).reshape(-1, 3)


def is_collapsed(vertices: Tensor, faces: Tensor) -> Tensor:
    """Whether two corners of a triangle are the same point up to rounding."""
    corners = vertices.detach()[faces]
    shortest = torch.linalg.vector_norm(corners - corners.roll(1, 1), dim=-1).amin(1)
    return shortest <= 64 * torch.finfo(vertices.dtype).eps * vertices.detach().abs().max()


@torch.no_grad()
def refined_breakpoints(
    control_points: Tensor, weights: Tensor | None, directions: Directions, tolerance: float
) -> tuple[Tensor, ...]:
    """Cuts of each direction such that every box between them meets the tolerance."""
    _checks.check_positive("tolerance", tolerance)
    d = len(directions.knots)
    if control_points.ndim != d + 1:
        raise ValueError(
            f"`control_points` must have {d + 1} axes, no batch, to be tessellated; got shape "
            f"{tuple(control_points.shape)}. Loop over the batch."
        )
    for name, t, p in zip(knot_names(d), *directions, strict=True):
        inside = t[(t > t[p]) & (t < t[-p - 1])]
        jumps = inside[p:][inside[p:] == inside[: max(len(inside) - p, 0)]]
        if len(jumps):
            raise ValueError(
                f"`{name}` repeats {float(jumps[0]):g} degree + 1 = {p + 1} times: the spline may jump. "
                f"Split it there first."
            )
    net = to_homogeneous(control_points.double(), weights)
    cuts = [distinct_breakpoints(t, p) for t, p in zip(*directions, strict=True)]
    while True:
        rows = max(1, BLOCK // prod(len(x) - 1 for x in cuts[1:]))
        starts = range(0, len(cuts[0]) - 1, rows)
        blocks = [(cuts[0][i : i + rows + 1], *cuts[1:]) for i in starts]
        found = [flatness(bezier_net(net, directions, x), d, weights is not None) for x in blocks]
        total, along = (torch.cat(parts) for parts in zip(*found, strict=True))
        # an error falls with the square of the width at best: at least so many pieces will come of this
        if float((total / tolerance).sqrt().ceil().clamp(min=1).sum()) / 2 > LARGEST:
            raise ValueError(
                f"`tolerance` = {tolerance:g} would take more than {LARGEST} pieces. Loosen it, or split the "
                f"spline."
            )
        is_bad = total > tolerance
        if not bool(is_bad.any()):
            return tuple(cuts)
        # halve the strips through bad boxes, in the directions that share the blame
        halved = is_bad.unsqueeze(-1) & (along >= 0.5 * along.amax(-1, keepdim=True))
        for axis in range(d):
            strip = halved[..., axis].movedim(axis, 0).reshape(len(cuts[axis]) - 1, -1).any(1)
            middle = (cuts[axis][:-1] + cuts[axis][1:])[strip] / 2
            cuts[axis] = torch.cat([cuts[axis], middle]).sort().values


def flatness(patches: Tensor, d: int, is_rational: bool) -> tuple[Tensor, Tensor]:
    """A bound on the distance of each Bezier patch from its triangles, and what each direction adds to it.

    Shapes (m_1, ..., m_d) and (m_1, ..., m_d, d).
    """
    points, weights = from_homogeneous(patches, is_rational)
    if weights is None:
        weights = torch.ones_like(points[..., 0])
    axes, shape = tuple(range(d, 2 * d)), points.shape[:d]
    total = _departure(points, weights, axes)
    along = torch.stack(
        [_departure(points, weights, (axis,)).reshape(*shape, -1).amax(-1) for axis in axes], -1
    )
    if d == 2:
        corners = points[..., :: points.shape[2] - 1 or 1, :: points.shape[3] - 1 or 1, :]
        twist = (
            corners[..., 0, 0, :] - corners[..., -1, 0, :] - corners[..., 0, -1, :] + corners[..., -1, -1, :]
        )
        lack = torch.linalg.vector_norm(twist, dim=-1) / 4
        total, along = total + lack, along + lack.unsqueeze(-1) / 2
    return total, along


def _departure(points: Tensor, weights: Tensor, axes: tuple[int, ...]) -> Tensor:
    r"""Bound on |S - B| for the function B, linear along each of the axes, in the points at their ends.

    $w (S - B) = \sum_a \lambda_a w (S - P_a)$ over the ends a, with $\lambda_a$ linear Bernstein polynomials;
    each product has degree p + 1.
    """
    numerator, denominator = torch.zeros(()), torch.zeros(())
    for ends in product((0, 1), repeat=len(axes)):
        corner = points
        for axis, end in zip(axes, ends, strict=True):
            corner = corner.narrow(axis, end * (points.shape[axis] - 1), 1)
        difference, weight = weights.unsqueeze(-1) * (points - corner), weights
        for axis, end in zip(axes, ends, strict=True):
            difference, weight = _times_linear(difference, axis, end), _times_linear(weight, axis, end)
        numerator, denominator = numerator + difference, denominator + weight
    bounds = torch.linalg.vector_norm(numerator, dim=-1) / denominator
    return bounds.amax(axes)


def _times_linear(coefficients: Tensor, axis: int, end: int) -> Tensor:
    """Bezier coefficients of the product with 1 - x, or with x for the upper end, one degree higher."""
    p = coefficients.shape[axis] - 1
    k = torch.arange(p + 2, dtype=coefficients.dtype, device=coefficients.device) / (p + 1)
    none = torch.zeros_like(coefficients.narrow(axis, 0, 1))
    shifted = torch.cat([none, coefficients] if end else [coefficients, none], axis)
    factor = k if end else 1 - k
    return shifted * factor.reshape(-1, *[1] * (coefficients.ndim - axis - 1))
