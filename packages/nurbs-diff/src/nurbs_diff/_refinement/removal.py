"""Fewer control points: knot removal and degree reduction, with a bound on what they change."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Generic

import torch
from torch import Tensor

from nurbs_diff._derivatives.partials import apply_along, from_homogeneous
from nurbs_diff._refinement.operations import Direction, Spline, along, net_of, rebuilt
from nurbs_diff._refinement.operators import degree_elevation_matrix, insertion_matrix

if TYPE_CHECKING:
    from jaxtyping import Float


@dataclass(frozen=True)
class Simplified(Generic[Spline]):
    """A spline with fewer control points.

    Attributes:
        spline: the simpler one.
        error: no point of it lies further from the one it replaces, at the same parameter.
        removed: the knots removed, none for degree reduction.

    >>> import torch
    >>> from nurbs_diff import Curve, uniform_knots
    >>> curve = Curve(torch.rand(2, 2), uniform_knots(2, degree=1))
    >>> Simplified(curve, 0.0, torch.tensor([0.5])).error
    0.0
    """

    spline: Spline
    error: float
    removed: Float[Tensor, "_"]


def remove_knots(
    spline: Spline,
    knots: Float[Tensor, "m"] | None = None,
    *,
    tolerance: float,
    direction: Direction = "u",
) -> Simplified[Spline]:
    """Removes knots as long as the shape changes by no more than a tolerance.

    One knot after the other is left out; the control points on the knots that remain are the least-squares
    solution of "inserting the removed knots gives the original control points", with clamped ends held. The
    knot stays out if the bound on the distance to the original spline stays within the tolerance.

    Args:
        spline: a `Curve`, `Surface` or `Volume`.
        knots: what to try, in this order; a value that stands several times may be given as often. None for
            all knots inside the domain, from first to last.
        tolerance: allowed distance, in the unit of the control points. What was inserted before comes out
            again at a tolerance of about 1e-12 of the size of the spline in float64.
        direction: of the knots.

    Returns:
        The simpler spline, the bound on its distance and the knots removed. Of rational splines the bound
        takes the change of weights into account; the weights stay positive.

    Raises:
        ValueError: no spline, no such direction, or a value that is no knot inside the domain.

    O(n^3) for each knot tried. Lyche and Morken, *Knot removal for parametric B-spline curves and surfaces*
    (1987), for the idea of a least-squares fit in the control points.

    >>> import torch
    >>> from nurbs_diff import Curve, insert_knots, uniform_knots
    >>> curve = Curve(torch.rand(5, 2, dtype=torch.float64), uniform_knots(5, degree=3))
    >>> finer = insert_knots(curve, torch.tensor([0.2, 0.6]))
    >>> remove_knots(finer, tolerance=1e-10).removed
    tensor([0.2000, 0.6000], dtype=torch.float64)
    """
    axis, t, degree = along(spline, direction)
    if not tolerance >= 0:
        raise ValueError(f"`tolerance` must be at least 0; got {tolerance!r}.")
    inside = t.detach()[degree + 1 : len(t) - degree - 1]
    inside = inside[(inside > t[degree]) & (inside < t[-degree - 1])]
    candidates = (inside if knots is None else knots).tolist()
    net = net_of(spline)
    kept, best, error, removed = torch.arange(len(t), device=t.device), net, 0.0, []
    for i, value in enumerate(candidates):
        if value not in inside.tolist():
            raise ValueError(
                f"knots[{i}] = {value:g} is no knot inside the domain. Pass None to try all of them."
            )
        places = torch.nonzero(t[kept] == value)
        if not len(places):  # given more often than it stands
            continue
        shorter = torch.cat([kept[: places[0, 0]], kept[places[0, 0] + 1 :]])
        matrix = insertion_matrix(t[shorter], degree, t)
        fitted = _fit(matrix, net, axis)
        bound = _deviation(matrix, fitted, net, axis, spline.weights is not None)
        if bound <= tolerance:
            kept, best, error = shorter, fitted, bound
            removed.append(value)
    return Simplified(rebuilt(spline, best, axis, t[kept]), error, t.new_tensor(removed))


def reduce_degree(spline: Spline, *, direction: Direction = "u") -> Simplified[Spline]:
    """Lowers the degree by one, as well as a least-squares fit of the control points can.

    Each knot inside stands once less, but at least once. Exact where the degree was elevated before. Clamped
    ends are held.

    Args:
        spline: a `Curve`, `Surface` or `Volume`.
        direction: in which.

    Returns:
        The simpler spline and the bound on its distance.

    Raises:
        ValueError: no spline, no such direction, degree 0, or weights that would not stay positive.

    >>> import torch
    >>> from nurbs_diff import Curve, uniform_knots
    >>> line = Curve(torch.tensor([[0.0], [0.5], [1.0]]), uniform_knots(3, degree=2))
    >>> reduce_degree(line).spline.control_points.ravel()
    tensor([0., 1.])
    """
    axis, t, degree = along(spline, direction)
    if degree == 0:
        raise ValueError(f"The degree in direction {direction!r} is 0 already.")
    values = t.tolist()
    start, end = values[degree], values[-degree - 1]
    if not (values[0] == start < values[degree + 1] and values[-degree - 2] < end == values[-1]):
        raise ValueError(
            f"The knots in direction {direction!r} must be clamped: the first and the last must stand "
            f"degree + 1 = {degree + 1} times. Insert knots at the ends first."
        )
    is_surplus = [
        j + 1 < len(values) and values[j + 1] == x for j, x in enumerate(values)
    ]  # all but the last
    index = [j for j, x in enumerate(values) if is_surplus[j] or values.count(x) == 1]
    shorter = t[index]
    elevation, elevated = degree_elevation_matrix(shorter, degree - 1)
    is_rational = spline.weights is not None
    target = apply_along(insertion_matrix(t, degree, elevated), net_of(spline), axis)
    fitted = _fit(elevation, target, axis)
    if is_rational and not bool((fitted[..., -1] > 0).all()):
        raise ValueError("The degree cannot be reduced: a weight would not stay positive.")
    error = _deviation(elevation, fitted, target, axis, is_rational)
    return Simplified(rebuilt(spline, fitted, axis, shorter), error, t[:0])


def _fit(matrix: Tensor, target: Tensor, axis: int) -> Tensor:
    """The net Q with least |A Q - target|, and Q = target at an end where A interpolates."""
    a = matrix.double()
    b = target.movedim(axis, 0).double()
    shape = b.shape[1:]
    b = b.flatten(1)
    unit = torch.zeros_like(a[0])
    unit[0] = 1
    held = [side for side, row, one in ((0, a[0], unit), (-1, a[-1], unit.flip(0))) if torch.equal(row, one)]
    ends = {side: b[side] for side in held}
    free = slice(1 if 0 in held else 0, a.shape[1] - 1 if -1 in held else a.shape[1])
    for side in held:
        b = b - a[:, side, None] * ends[side]
    middle = torch.linalg.lstsq(a[:, free], b).solution
    fitted = torch.cat(
        [ends[0][None] if 0 in held else middle[:0], middle, ends[-1][None] if -1 in held else middle[:0]]
    )
    return fitted.unflatten(1, shape).movedim(0, axis).to(target.dtype)


def _deviation(matrix: Tensor, fitted: Tensor, target: Tensor, axis: int, is_rational: bool) -> float:
    r"""A bound on the distance of two splines from the difference of their nets.

    With the difference $(\Delta_i, \delta_i)$ of the homogeneous points,
    $w (S - \hat S) = \sum_i N_i (\Delta_i - \hat S \delta_i)$; the point $\hat S$ lies within R of the middle
    c of its control points, so $|S - \hat S| \le \max_i (|\Delta_i - c\, \delta_i| + R |\delta_i|) / w_i$.
    """
    difference = (apply_along(matrix, fitted, axis) - target).detach()
    if not is_rational:
        return float(torch.linalg.vector_norm(difference, dim=-1).max())
    if not bool((fitted[..., -1] > 0).all()):
        return float("inf")
    points, _ = from_homogeneous(fitted.detach(), is_rational)
    flat = points.flatten(0, -2)
    middle = (flat.amin(0) + flat.amax(0)) / 2
    radius = torch.linalg.vector_norm(flat - middle, dim=-1).max()
    change = difference[..., -1:]
    size = torch.linalg.vector_norm(difference[..., :-1] - middle * change, dim=-1)
    return float(((size + radius * change.squeeze(-1).abs()) / target[..., -1].detach()).max())
