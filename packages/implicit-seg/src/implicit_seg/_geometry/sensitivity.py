"""How area and perimeter of a spline in the plane change with its coefficients.

Where a coefficient c of the B-spline B grows, the boundary moves outwards by V = B / |grad F|. The area
changes by the integral of V along the boundary, its length by that of the curvature times V, and by what its
ends slide along the sides of the cell that they are on.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from implicit_seg._geometry import arcs, bezier
from implicit_seg._geometry.frame import Frame

if TYPE_CHECKING:
    from jaxtyping import Float

    from implicit_seg._geometry.trace import Trace

_ORDER = 12  # of Gauss's rule, on pieces where it gives the lengths to rounding
_ON_BORDER = 1e-9  # of the domain


def area_gradient(trace: Trace, parts: arcs.Parts, frame: Frame) -> Float[np.ndarray, "n m"]:
    """Derivative of the area by each coefficient."""
    points, lengths, gradient, _ = _along(trace, parts)
    return _spread(frame, points, lengths / np.linalg.norm(gradient, axis=-1))


def perimeter_gradient(trace: Trace, parts: arcs.Parts, frame: Frame) -> Float[np.ndarray, "n m"]:
    """Derivative of the perimeter by each coefficient."""
    points, lengths, gradient, hessian = _along(trace, parts)
    norm = np.linalg.norm(gradient, axis=-1)
    bend = np.einsum("pi,pij,pj->p", gradient, hessian, gradient)
    curvature = (bend - norm**2 * np.trace(hessian, axis1=1, axis2=2)) / norm**3
    return _spread(frame, points, lengths * curvature / norm) + _of_ends(trace, frame)


def _along(trace: Trace, parts: arcs.Parts) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Gauss's rule along the boundary: points, lengths, gradients and Hessians."""
    arc, start, end = parts
    nodes, weights = np.polynomial.legendre.leggauss(_ORDER)
    t = np.broadcast_to((nodes + 1) / 2, (len(arc), _ORDER))
    local, _, slope = arcs.over_chord(trace, arc, start, end, t)
    side = trace.length[arc]
    chord = np.linalg.norm((end - start) * side, axis=1)
    lengths = chord[:, None] * np.sqrt(1 + slope**2) * weights / 2
    points = trace.corner[arc, None] + local * side[:, None]
    gradient, hessian = _derivatives(trace.polynomials[arc], local, side)
    return points.reshape(-1, 2), lengths.ravel(), gradient.reshape(-1, 2), hessian.reshape(-1, 2, 2)


def _derivatives(
    polynomials: np.ndarray, local: np.ndarray, side: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    orders = [(1, 0), (0, 1), (2, 0), (1, 1), (0, 2)]
    down, right, down_2, mixed, right_2 = (
        values / np.prod(side[:, None] ** np.array(order), axis=-1)
        for order, values in zip(orders, bezier.evaluate(polynomials, local, orders), strict=True)
    )
    hessian = np.stack([np.stack([down_2, mixed], -1), np.stack([mixed, right_2], -1)], -1)
    return np.stack([down, right], -1), hessian


def _of_ends(trace: Trace, frame: Frame) -> Float[np.ndarray, "n m"]:
    """What the ends of arcs contribute as they slide along the sides of their cells.

    Where two arcs meet with one tangent their parts cancel: for a spline without kinks all but those on the
    border of the domain, which are left out then.
    """
    local = np.concatenate([trace.start, trace.end])
    side = np.tile(trace.length, (2, 1))
    polynomials = np.concatenate([trace.polynomials] * 2)
    gradient, _ = (part[:, 0] for part in _derivatives(polynomials, local[:, None], side))
    norm = np.linalg.norm(gradient, axis=1)
    points = np.tile(trace.corner, (2, 1)) + local * side
    on_side = (local == 0) | (local == 1)
    if frame.degree > 1:
        slack = _ON_BORDER * frame.extent
        on_side &= (points < slack) | (points > frame.extent - slack)
    fixed = on_side.argmax(1)  # the coordinate that stays
    across, along = gradient[np.arange(len(local)), fixed], gradient[np.arange(len(local)), 1 - fixed]
    # the way along the boundary is (n_1, -n_0) for the outer normal n, out of the arc at its end
    out = np.repeat([-1.0, 1.0], len(trace.start)) * np.where(fixed == 0, -1.0, 1.0)
    taken = on_side.any(1) & (along != 0)
    with np.errstate(divide="ignore", invalid="ignore"):
        weight = np.where(taken, out * across / along / norm, 0.0)
    return _spread(frame, points, weight)


def _spread(
    frame: Frame, points: Float[np.ndarray, "p 2"], weights: Float[np.ndarray, " p"]
) -> Float[np.ndarray, "n m"]:
    """Sums of the weights times each B-spline at the points."""
    bases = []
    for axis in (0, 1):
        line = Frame((frame.grid[axis],), frame.degree, (frame.size[axis],), (frame.spacing[axis],))
        pieces = np.stack([bezier.patches(unit, line) for unit in np.eye(frame.grid[axis])])
        place = points[:, axis] / frame.cell[axis]
        cell = np.clip(np.floor(place), 0, frame.cells[axis] - 1).astype(np.int64)
        values = bezier.bernstein(place - cell, frame.degree)[0]
        bases.append(np.einsum("npj,pj->pn", pieces[:, cell], values))
    return (bases[0] * weights[:, None]).T @ bases[1]
