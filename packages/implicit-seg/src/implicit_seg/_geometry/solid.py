"""Volume and surface of a spline in space: Gauss's rule on lines that cross the boundary at most once.

Cells are halved until the gradient hardly varies in each (`leaves`), so that the function rises or falls all
along one of the directions, the height. Over the base of a cell, seen along the height, what is integrated
is smooth up to the curves where the boundary leaves the cell through its bottom or its top. Along a line in
the base these curves are the roots of two polynomials of the spline's degree, so that the line is cut there
and Gauss's rule used in between; the lines themselves are cut where the curves leave the base. A base in
which a curve may touch lines of both directions is quartered, as one on which two orders of the rule differ.

The idea is Saye's, *High-order quadrature methods for implicitly defined surfaces and volumes in
hyperrectangles*, 2015, here on Bernstein coefficients, whose signs decide.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from implicit_seg._geometry import bezier
from implicit_seg._geometry.leaves import gradient_varies_little, subdivide
from implicit_seg._geometry.trace import evaluate_1d, root_between

if TYPE_CHECKING:
    from jaxtyping import Bool, Float, Int

    from implicit_seg._geometry.frame import Frame

_ORDERS = (6, 9)  # of Gauss's rule
_TOLERANCE = 1e-11  # of one base, in units of a knot cell: its volume, or the area of its largest face
_QUARTERINGS = 26  # to sides of 1e-8, whose areas are below the tolerance
_MOST = 200_000  # bases that may still be quartered
_AT_ONCE = 1000  # bases, so that memory stays below some 100 MB


@dataclass(frozen=True)
class SolidMeasures:
    """Volume and surface of the inside of a spline in space, and how far they may be off.

    Attributes:
        volume: of the inside, in cubed units of the spacing.
        area: of the boundary, without what lies on the border of the domain.
        volume_error: an estimate from above, beside rounding: how much two orders of the rule differ, and all
            of the volume that could not be resolved around singular points.
        area_error: likewise; infinite where the boundary has singular points (crosses itself), around which
            the surface is left out.
    """

    volume: float
    area: float
    volume_error: float
    area_error: float


def measures(patches: Float[np.ndarray, "..."], frame: Frame) -> SolidMeasures:
    """Integrates over the inside of the piecewise polynomial with these patches."""
    leaves = subdivide(patches, lambda part, level: gradient_varies_little(part, frame.cell / 2**level))
    lengths = leaves.size[:, None] / leaves.unit * frame.cell
    height, rises = _heights(leaves.polynomials, lengths)
    singular = height < 0
    unknown = float(lengths[singular].prod(1).sum())
    volume = leaves.inside * float(frame.cell.prod()) + unknown / 2
    total = np.array([volume, 0.0, unknown / 2, np.inf if singular.any() else 0.0])
    scale = np.array([frame.cell.prod(), (frame.cell.prod() / frame.cell).max()])
    for axis in range(3):
        chosen = height == axis
        order = [*(k for k in range(3) if k != axis), axis]
        polynomials = leaves.polynomials[chosen].transpose(0, *(k + 1 for k in order))
        falls = ~rises[chosen]
        polynomials[falls] = polynomials[falls][..., ::-1]  # upside down: all rise
        for first in range(0, len(polynomials), _AT_ONCE):
            part = slice(first, first + _AT_ONCE)
            total += _adaptive(polynomials[part], lengths[chosen][part][:, order], scale)
    return SolidMeasures(*map(float, total))


def _heights(polynomials: np.ndarray, lengths: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The direction in which each polynomial changes fastest where it does so least, and whether it rises.

    -1 where there is none: around singular points.
    """
    bounds = np.stack([(slope.min(1), slope.max(1)) for slope in bezier.slopes(polynomials)], -1)
    low, high = bounds / lengths.T[:, :, None].transpose(2, 1, 0)
    least = np.where(low > 0, low, np.where(high < 0, -high, 0.0))
    height = least.argmax(1)
    each = np.arange(len(height))
    rises = low[each, height] > 0
    return np.where(least[each, height] > 0, height, -1), rises


def _adaptive(
    polynomials: Float[np.ndarray, "n a b c"],
    lengths: Float[np.ndarray, "n 3"],
    scale: Float[np.ndarray, " 2"],
) -> Float[np.ndarray, " 4"]:
    """Volume, area and their errors of boxes in which the polynomials rise in the last direction."""
    total = np.zeros(4)
    for quartering in range(_QUARTERINGS + 1):
        polynomials, lengths, error = _turned(polynomials, lengths)
        seen = np.all(error <= _TOLERANCE * scale, axis=1) | (quartering == _QUARTERINGS)
        seen |= 4 * len(polynomials) > _MOST
        rough, fine = (_integrate(polynomials[seen], lengths[seen], order) for order in _ORDERS)
        error = error[seen] + np.abs(fine - rough)
        good = np.all(error <= _TOLERANCE * scale, axis=1) | (quartering == _QUARTERINGS)
        good |= 4 * len(polynomials) > _MOST
        total += np.concatenate([fine[good].sum(0), error[good].sum(0)])
        seen[seen] = good
        if seen.all():
            break
        parts = bezier.halves(polynomials[~seen], 0)
        polynomials = np.concatenate([half for part in parts for half in bezier.halves(part, 1)])
        lengths = np.tile(lengths[~seen] * [0.5, 0.5, 1.0], (4, 1))
    return total


def _turned(
    polynomials: np.ndarray, lengths: np.ndarray
) -> tuple[np.ndarray, np.ndarray, Float[np.ndarray, "n 2"]]:
    """Boxes turned so that lines along the second direction meet the curves on bottom and top once, if any.

    Returns:
        The boxes, their sides, and bounds on the volume and the area that such lines may miss: 0 unless a
        curve could be closed, or turn back, within the base.
    """
    lost = [_is_lost(polynomials, axis) for axis in (1, 2)]
    turned = lost[1] & ~lost[0]
    polynomials, lengths = polynomials.copy(), lengths.copy()
    polynomials[turned] = polynomials[turned].transpose(0, 2, 1, 3)
    lengths[turned] = lengths[turned][:, (1, 0, 2)]
    missed = np.zeros((len(polynomials), 2))
    rows = np.flatnonzero(lost[0] & lost[1])
    part, sides = polynomials[rows], lengths[rows]
    steepest = [np.abs(slope).max(1) / side for slope, side in zip(bezier.slopes(part), sides.T, strict=True)]
    flattest = bezier.slopes(part)[2].min(1) / sides[:, 2]
    values = [np.where(_is_crossed(face)[:, None, None], face, 0) for face in (part[..., 0], part[..., -1])]
    depth = np.abs(values).max((0, 2, 3)) / flattest
    base = sides[:, :2].prod(1)
    missed[rows, 0] = base * np.minimum(depth, sides[:, 2])
    missed[rows, 1] = base * np.linalg.norm(steepest, axis=0) / flattest
    return polynomials, lengths, missed


def _is_crossed(faces: Float[np.ndarray, "n a b"]) -> Bool[np.ndarray, " n"]:
    return np.any(faces > 0, axis=(1, 2)) & np.any(faces <= 0, axis=(1, 2))


def _is_lost(polynomials: np.ndarray, axis: int) -> Bool[np.ndarray, " n"]:
    """Whether bottom or top is crossed by a curve, and neither rises nor falls all along one direction."""
    lost = np.zeros(len(polynomials), bool)
    for face in (polynomials[..., 0], polynomials[..., -1]):
        rise = np.diff(face, axis=axis)
        lost |= _is_crossed(face) & ~((rise > 0).all((1, 2)) | (rise < 0).all((1, 2)))
    return lost


def _integrate(
    polynomials: Float[np.ndarray, "n a b c"], lengths: Float[np.ndarray, "n 3"], order: int
) -> Float[np.ndarray, "n 2"]:
    """Volume of the inside and area of the boundary within each box, by Gauss's rule of one order."""
    degree, count = polynomials.shape[-1] - 1, len(polynomials)
    ends = polynomials[..., (0, -1)]
    edges = ends[:, :, (0, -1)].transpose(0, 2, 3, 1)  # of bottom and top, as polynomials in the first place
    box, u, weight_u = _gauss(roots(edges.reshape(4 * count, degree + 1)).reshape(count, -1), order)
    lines, lines_u = (
        np.einsum("li,lijk->ljk", basis, polynomials[box]) for basis in bezier.bernstein(u, degree, 1)
    )
    stops = roots(lines[..., (0, -1)].transpose(0, 2, 1).reshape(-1, degree + 1))
    line, v, weight_v = _gauss(stops.reshape(len(lines), -1), order)
    basis, slope = bezier.bernstein(v, degree, 1)
    columns = np.einsum("pj,pjk->pk", basis, lines[line])
    box, weight = box[line], weight_u[line] * weight_v
    below, above = columns[:, 0] > 0, columns[:, -1] > 0
    share = np.where(below, 1.0, 0.0)
    crossed = ~below & above
    box_c, line_c, columns = box[crossed], line[crossed], columns[crossed]
    w = root_between(columns, np.zeros(len(columns)), np.ones(len(columns)))
    share[crossed] = 1 - w
    top = bezier.bernstein(w, degree)[0]
    rise_u = np.einsum("pj,pjk,pk->p", basis[crossed], lines_u[line_c], top) / lengths[box_c, 0]
    rise_v = np.einsum("pj,pjk,pk->p", slope[crossed], lines[line_c], top) / lengths[box_c, 1]
    rise_w = evaluate_1d(columns, w)[1] / lengths[box_c, 2]
    stretch = np.sqrt(rise_u**2 + rise_v**2 + rise_w**2) / rise_w
    volume = np.bincount(box, weight * share, count) * lengths.prod(1)
    area = np.bincount(box_c, weight[crossed] * stretch, count) * lengths[:, :2].prod(1)
    return np.stack([volume, area], 1)


def _gauss(
    stops: Float[np.ndarray, "n k"], order: int
) -> tuple[Int[np.ndarray, " m"], Float[np.ndarray, " m"], Float[np.ndarray, " m"]]:
    """Gauss's rule between neighbouring stops of each interval 0 to 1: (interval, node, weight)."""
    nodes, weights = np.polynomial.legendre.leggauss(order)
    border = np.broadcast_to([0.0, 1.0], (len(stops), 2))
    bounds = np.sort(np.concatenate([border, stops], 1), axis=1)
    length = np.diff(bounds, axis=1)
    interval, piece = np.nonzero(length)
    low, length = bounds[interval, piece, None], length[interval, piece, None]
    at = low + length * (nodes + 1) / 2
    return np.repeat(interval, order), at.ravel(), (length * weights / 2).ravel()


def roots(polynomials: Float[np.ndarray, "n coefficients"]) -> Float[np.ndarray, "n degree"]:
    """Where polynomials in one variable, in Bernstein form, change their sign between 0 and 1.

    Between the roots of its derivative a polynomial changes its sign at most once.

    Returns:
        As many as the degree in no order; 1 in place of those that there are not.
    """
    degree = polynomials.shape[-1] - 1
    found = np.ones((len(polynomials), degree))
    rows = np.flatnonzero((polynomials > 0).any(1) & (polynomials <= 0).any(1))
    part = polynomials[rows]
    turns = roots(degree * np.diff(part, axis=1)) if degree > 1 else np.zeros((len(part), 0))
    bounds = np.concatenate([np.zeros((len(part), 1)), turns, np.ones((len(part), 1))], 1)
    bounds.sort(axis=1)
    values = (bezier.bernstein(bounds, degree)[0] @ part[..., None])[..., 0]
    inside = values > 0
    for k in range(degree):
        changes = np.flatnonzero(inside[:, k] != inside[:, k + 1])
        found[rows[changes], k] = root_between(part[changes], bounds[changes, k], bounds[changes, k + 1])
    return found
