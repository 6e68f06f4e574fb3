"""The zero set of a spline in the plane, as chains of arcs: every loop, in its right order, once.

The plane is cut into leaves in which the zero set is one graph that meets each side at most once. What meets
a side is then known from the signs at the corners, which neighbours share: no gap and no false branch is
possible.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from implicit_seg._geometry import bezier
from implicit_seg._geometry.leaves import (
    Leaves,
    gradient_varies_little,
    sign_changes_at_most_once,
    subdivide,
)

if TYPE_CHECKING:
    from jaxtyping import Bool, Float, Int

    from implicit_seg._geometry.frame import Frame


@dataclass(frozen=True)
class Trace:
    """Arcs of the zero set, each within one leaf, with the inside on the left (axis 1 to the right, 0 up).

    Attributes:
        polynomials: of the leaf of each arc, in Bernstein form.
        corner: lowest corner of the leaf, in the frame's coordinates.
        length: sides of the leaf.
        start: first point of each arc, in the leaf's local coordinates.
        end: last point.
        chains: for each connected piece the indices of its arcs in order.
        is_closed: for each chain, whether it is a loop; the others run from border to border.
    """

    polynomials: Float[np.ndarray, "arcs a b"]
    corner: Float[np.ndarray, "arcs 2"]
    length: Float[np.ndarray, "arcs 2"]
    start: Float[np.ndarray, "arcs 2"]
    end: Float[np.ndarray, "arcs 2"]
    chains: list[np.ndarray]
    is_closed: list[bool]


def trace(patches: Float[np.ndarray, "..."], frame: Frame) -> Trace:
    """Finds all of the zero set of the piecewise polynomial with these patches."""
    leaves = subdivide(patches, lambda part, level: _is_simple(part, frame.cell / 2**level))
    segments = _segments(leaves)
    roots = _roots(leaves, segments)
    leaf, start, end = _arcs(leaves, segments)
    sides = leaves.size[leaf, None]
    chains, is_closed = _chains(segments.identity[start], segments.identity[end])
    return Trace(
        leaves.polynomials[leaf],
        leaves.corner[leaf] * (frame.cell / leaves.unit),
        sides * (frame.cell / leaves.unit),
        (roots[start] - leaves.corner[leaf]) / sides,
        (roots[end] - leaves.corner[leaf]) / sides,
        chains,
        is_closed,
    )


def _is_simple(polynomials: np.ndarray, lengths: np.ndarray) -> Bool[np.ndarray, " n"]:
    simple = gradient_varies_little(polynomials, lengths)
    for side in (polynomials[:, 0], polynomials[:, -1], polynomials[:, :, 0], polynomials[:, :, -1]):
        simple &= sign_changes_at_most_once(side)
    return simple


@dataclass(frozen=True)
class _Segments:
    """Parts of the sides of leaves on which the sign changes.

    Attributes:
        leaf: whose side.
        side: 0 to 3, going round the leaf with it on the left.
        axis: along which the segment runs.
        corner: its lower end, in units.
        length: in units.
        falls: whether the function falls along the way round.
        identity: the same for the segments that two leaves share.
    """

    leaf: Int[np.ndarray, " m"]
    side: Int[np.ndarray, " m"]
    axis: Int[np.ndarray, " m"]
    corner: Int[np.ndarray, "m 2"]
    length: Int[np.ndarray, " m"]
    falls: Bool[np.ndarray, " m"]
    identity: Int[np.ndarray, " m"]


def _segments(leaves: Leaves) -> _Segments:
    stride = int((leaves.corner + leaves.size[:, None]).max(initial=0)) + 1

    def key(corner: np.ndarray, axis: int) -> np.ndarray:  # increases along `axis`
        return corner[:, 1 - axis].astype(np.int64) * stride + corner[:, axis]

    count = len(leaves.size)
    squares = ((0, 0), (0, 1), (1, 0), (1, 1))
    corners = np.concatenate([leaves.corner + leaves.size[:, None] * np.array(place) for place in squares])
    values = np.concatenate([leaves.polynomials[:, i, j] for i in (0, -1) for j in (0, -1)])
    _, first = np.unique(key(corners, 1), return_index=True)
    corners, inside = corners[first], values[first] > 0  # one sign for each, whatever the rounding around it

    leaf, side, begin, finish = [], [], [], []
    for number, (place, axis) in enumerate([((0, 0), 1), ((0, 1), 0), ((1, 0), 1), ((0, 0), 0)]):
        order = np.argsort(key(corners, axis))
        keys = key(corners, axis)[order]
        low = leaves.corner + leaves.size[:, None] * np.array(place)
        from_ = np.searchsorted(
            keys, key(low, axis)
        )  # corners lie at both ends, and where a neighbour is smaller
        pieces = np.searchsorted(keys, key(low, axis) + leaves.size) - from_
        which = np.repeat(np.arange(count), pieces)
        index = np.arange(len(which)) - np.repeat(np.cumsum(pieces) - pieces, pieces) + from_[which]
        leaf.append(which)
        side.append(np.full(len(which), number))
        begin.append(order[index])
        finish.append(order[index + 1])
    leaf, side, begin, finish = (np.concatenate(parts) for parts in (leaf, side, begin, finish))
    kept = inside[begin] != inside[finish]
    leaf, side, begin, finish = leaf[kept], side[kept], begin[kept], finish[kept]
    axis = np.array([1, 0, 1, 0])[side]
    _, identity = np.unique(2 * begin + axis, return_inverse=True)
    length = (corners[finish] - corners[begin]).sum(1)
    return _Segments(leaf, side, axis, corners[begin], length, inside[begin] == (side < 2), identity)


def _roots(leaves: Leaves, segments: _Segments) -> Float[np.ndarray, "m 2"]:
    """Where the function is zero on each segment, in units; the same point for both of its leaves."""
    _, first, back = np.unique(segments.identity, return_index=True, return_inverse=True)
    leaf, axis = segments.leaf[first], segments.axis[first]
    polynomials = leaves.polynomials[leaf]
    upper = np.isin(segments.side[first], (1, 2))  # the side at the leaf's far end of the other axis
    rows = np.where(
        (axis == 1)[:, None],
        np.where(upper[:, None], polynomials[:, -1], polynomials[:, 0]),
        np.where(upper[:, None], polynomials[:, :, -1], polynomials[:, :, 0]),
    )
    corner, size = segments.corner[first], leaves.size[leaf]
    each = np.arange(len(leaf))
    begin = (corner[each, axis] - leaves.corner[leaf][each, axis]) / size
    t = root_between(rows, begin, begin + segments.length[first] / size)
    points = corner.astype(float)
    points[each, axis] = leaves.corner[leaf][each, axis] + t * size
    return points[back]


def root_between(
    polynomials: Float[np.ndarray, "n coefficients"],
    low: Float[np.ndarray, " n"],
    high: Float[np.ndarray, " n"],
) -> Float[np.ndarray, " n"]:
    """The root of each polynomial in one variable within its bracket, by Newton's method kept inside it."""
    low, high = low.copy(), high.copy()
    first, last = evaluate_1d(polynomials, low)[0], evaluate_1d(polynomials, high)[0]
    rising = last > first
    with np.errstate(divide="ignore", invalid="ignore"):
        secant = low - first * ((high - low) / (last - first))
    t = np.where((secant > low) & (secant < high), secant, (low + high) / 2)
    rows = np.arange(len(t))  # those that are not done
    for _ in range(60):  # bisection alone would take 53
        at = t[rows]
        value, slope = evaluate_1d(polynomials[rows], at)
        below = (value > 0) != rising[rows]
        low[rows], high[rows] = np.where(below, at, low[rows]), np.where(below, high[rows], at)
        with np.errstate(divide="ignore", invalid="ignore"):
            new = at - value / slope
        is_newton = (new >= low[rows]) & (new <= high[rows])
        t[rows] = np.where(is_newton, new, (low[rows] + high[rows]) / 2)
        # quadratic convergence: after a step of 1e-9 the next is below rounding
        rows = rows[np.abs(t[rows] - at) > np.where(is_newton, 1e-9, 2 * np.finfo(float).eps)]
        if not len(rows):
            break
    return t


def evaluate_1d(polynomials: np.ndarray, t: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Value and derivative of each polynomial in one variable at its own point, by de Casteljau."""
    values = polynomials
    for _ in range(polynomials.shape[-1] - 2):
        values = values[:, :-1] + t[:, None] * (values[:, 1:] - values[:, :-1])
    rise = values[:, 1] - values[:, 0]
    return values[:, 0] + t * rise, (polynomials.shape[-1] - 1) * rise


def _arcs(leaves: Leaves, segments: _Segments) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Pairs the crossings of each leaf: (leaf, index of the first segment, of the last)."""
    sign = np.where(segments.side < 2, 1, -1)  # the way round goes up along sides 0 and 1, and back
    place = sign * segments.corner[np.arange(len(segments.axis)), segments.axis]
    order = np.lexsort((place, segments.side, segments.leaf))
    starts, ends = order[segments.falls[order]], order[~segments.falls[order]]
    leaf = segments.leaf[starts]
    # Around a leaf falls and rises alternate. A fall is joined to the rise that comes next where the middle
    # is inside, to the one before where it is not; with two crossings, which is nearly always, both are the
    # same.
    same = np.concatenate([[True], leaf[1:] != leaf[:-1]]) if len(leaf) else np.zeros(0, bool)
    first = np.maximum.accumulate(np.where(same, np.arange(len(leaf)), 0))
    count = np.bincount(leaf, minlength=len(leaves.size))[leaf]
    rank = np.empty(len(order), np.int64)
    rank[order] = np.arange(len(order))
    opens_with_fall = rank[starts[first]] < rank[ends[first]] if len(leaf) else np.zeros(0, bool)
    middle = np.full((len(leaf), 1, 2), 0.5)
    is_inside = bezier.evaluate(leaves.polynomials[leaf], middle, [(0, 0)])[0][:, 0] > 0
    within = np.arange(len(leaf)) - first
    shift = np.where(opens_with_fall, 0, 1) - np.where(is_inside, 0, 1)
    return leaf, starts, ends[first + (within + shift) % count]


def _chains(start: np.ndarray, end: np.ndarray) -> tuple[list[np.ndarray], list[bool]]:
    """Follows arcs from crossing to crossing; open chains first."""
    begins = {crossing: arc for arc, crossing in enumerate(start.tolist())}
    following = [begins.get(crossing, -1) for crossing in end.tolist()]
    arrived = set(end.tolist())
    openings = [arc for arc, crossing in enumerate(start.tolist()) if crossing not in arrived]
    seen = np.zeros(len(start), bool)
    chains, is_closed = [], []
    for first, closed in [(arc, False) for arc in openings] + [(arc, True) for arc in range(len(start))]:
        if seen[first]:
            continue
        chain, arc = [], first
        while arc >= 0 and not seen[arc]:
            seen[arc] = True
            chain.append(arc)
            arc = following[arc]
        chains.append(np.array(chain))
        is_closed.append(closed)
    return chains, is_closed
