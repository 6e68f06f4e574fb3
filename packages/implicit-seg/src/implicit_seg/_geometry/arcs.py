"""Points on the arcs of a traced zero set, and integrals along them.

An arc from A to B is a graph over its chord: A + t d + h(t) n with d = B - A, n = d turned to the outside,
and h from Newton's method on the polynomial of its leaf. h is analytic, so that Gauss's rule converges fast.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from implicit_seg._geometry import bezier

if TYPE_CHECKING:
    from jaxtyping import Float, Int

    from implicit_seg._geometry.trace import Trace

_ORDERS = (8, 12)  # of Gauss's rule; an arc on which the two differ is halved
_HALVINGS = 20
_SPLITTINGS = 20
_TOLERANCE = 1e-13


class Parts(NamedTuple):
    """Parts of arcs: which, and their ends in the local coordinates of the leaf."""

    arc: Int[np.ndarray, " parts"]
    start: Float[np.ndarray, "parts 2"]
    end: Float[np.ndarray, "parts 2"]


def chord_ends(trace: Trace) -> tuple[Float[np.ndarray, "arcs 2"], Float[np.ndarray, "arcs 2"]]:
    """First and last point of each arc in the frame's coordinates."""
    return trace.corner + trace.start * trace.length, trace.corner + trace.end * trace.length


def measures(trace: Trace) -> tuple[Float[np.ndarray, " arcs"], Float[np.ndarray, " arcs"], Parts]:
    """Area between each arc and its chord, positive where the arc lies outside, and the length of each arc.

    Every arc is halved until Gauss's rule with 8 and with 12 points agree to 1e-13 of the side of its leaf;
    the parts that this leaves come last.
    """
    total_bulge, total_length = np.zeros(len(trace.start)), np.zeros(len(trace.start))
    arc = np.arange(len(trace.start))
    found: list[Parts] = []
    start, end = trace.start, trace.end  # local, as subtracting the corner would cost digits
    for halving in range(_HALVINGS + 1):
        chord = np.linalg.norm((end - start) * trace.length[arc], axis=1)
        estimates = []
        for order in _ORDERS:
            nodes, weights = np.polynomial.legendre.leggauss(order)
            t = np.broadcast_to((nodes + 1) / 2, (len(arc), order))
            _, h, slope = over_chord(trace, arc, start, end, t)
            estimates.append(np.stack([h * chord[:, None], np.sqrt(1 + slope**2)]) @ (weights / 2) * chord)
        side = trace.length[arc].max(1)
        error = np.abs(estimates[1] - estimates[0]) / np.stack([side**2, side])
        done = (error.max(0) <= _TOLERANCE) | (halving == _HALVINGS)
        bulge, length = estimates[1]
        np.add.at(total_bulge, arc[done], bulge[done])
        np.add.at(total_length, arc[done], length[done])
        found.append(Parts(arc[done], start[done], end[done]))
        if done.all():
            break
        arc, start, end = arc[~done], start[~done], end[~done]
        middle = over_chord(trace, arc, start, end, np.full((len(arc), 1), 0.5))[0][:, 0]
        along, aside = (end - start) * trace.length[arc], (middle - start) * trace.length[arc]
        np.add.at(
            total_bulge, arc, (along[:, 0] * aside[:, 1] - along[:, 1] * aside[:, 0]) / 2
        )  # the triangle
        start, end = np.concatenate([start, middle]), np.concatenate([middle, end])
        arc = np.tile(arc, 2)
    return total_bulge, total_length, Parts(*map(np.concatenate, zip(*found, strict=True)))


def sample(
    trace: Trace, tolerance: float
) -> tuple[Float[np.ndarray, "points 2"], Int[np.ndarray, " points"]]:
    """Points on the arcs, so dense that the polygon through them is within `tolerance` of the zero set.

    Returns:
        The points of each arc from its start on, without its end, and the arc that each belongs to.
    """
    nodes = np.linspace(0, 1, 7)[1:-1]
    arc, start, end = np.arange(len(trace.start)), trace.start, trace.end
    place, share = np.zeros(len(arc)), np.ones(len(arc))  # where on the arc a part begins, and how much it is
    found = []
    for splitting in range(_SPLITTINGS + 1):
        _, h, _ = over_chord(trace, arc, start, end, np.broadcast_to(nodes, (len(arc), len(nodes))))
        sag = np.abs(h).max(1, initial=0) * np.linalg.norm((end - start) * trace.length[arc], axis=1)
        done = (sag <= tolerance) | (splitting == _SPLITTINGS)
        found.append((arc[done], place[done], start[done]))
        if done.all():
            break
        count = np.ceil(np.sqrt(sag[~done] / tolerance)).clip(2, 10_000).astype(np.int64)
        which = np.repeat(np.flatnonzero(~done), count)
        rank = np.arange(len(which)) - np.repeat(np.cumsum(count) - count, count)
        t = rank / np.repeat(count, count)
        first, last = rank == 0, np.roll(rank, -1) == 0
        points = over_chord(trace, arc[which], start[which], end[which], t[:, None])[0][:, 0]
        points[first] = start[~done]
        following = np.roll(points, -1, axis=0)
        following[last] = end[~done]
        place, share = place[which] + t * share[which], share[which] / np.repeat(count, count)
        arc, start, end = arc[which], points, following
    arc, place, local = map(np.concatenate, zip(*found, strict=True))
    order = np.lexsort((place, arc))
    arc, place, local = arc[order], place[order], local[order]
    points = trace.corner[arc] + local * trace.length[arc]
    points[place == 0] = chord_ends(trace)[0]  # the same bits as the end of the arc before
    return points, arc


def over_chord(
    trace: Trace,
    arc: Int[np.ndarray, " n"],
    start: Float[np.ndarray, "n 2"],
    end: Float[np.ndarray, "n 2"],
    t: Float[np.ndarray, "n q"],
) -> tuple[Float[np.ndarray, "n q 2"], Float[np.ndarray, "n q"], Float[np.ndarray, "n q"]]:
    """Points of (parts of) arcs over the parameters `t` of their chords, their height h, and dh/dt.

    Points, `start` and `end` are in the local coordinates of the leaves; the height is in units of the chord.
    """
    polynomials, length = trace.polynomials[arc], trace.length[arc, None]
    along = (end - start)[:, None]
    step = (along * length)[..., ::-1] * np.array([-1.0, 1.0]) / length  # the normal to the right
    base = start[:, None] + t[..., None] * along
    h = _heights(polynomials, base, np.broadcast_to(step, base.shape))
    local = base + h[..., None] * step
    rise_0, rise_1 = bezier.evaluate(polynomials, local, [(1, 0), (0, 1)])
    forward, rise = (rise_0 * v[..., 0] + rise_1 * v[..., 1] for v in (along, step))
    with np.errstate(divide="ignore", invalid="ignore"):
        slope = np.where(rise == 0, 0.0, -forward / rise)
    return local, h, slope


def _heights(polynomials: np.ndarray, base: np.ndarray, step: np.ndarray) -> np.ndarray:
    """Newton's method for F(base + h step) = 0, kept to the part of the line that is within the leaf."""
    with np.errstate(divide="ignore", invalid="ignore"):
        ends = np.stack([-base / step, (1 - base) / step])
    ends = np.where(np.isnan(ends), np.array([-np.inf, np.inf])[:, None, None, None], ends)
    low, high = ends.min(0).max(-1).clip(max=0), ends.max(0).min(-1).clip(min=0)
    h = np.zeros(low.shape)
    rows = np.arange(len(h))  # those that are not done
    for _ in range(60):  # bisection alone would take 53
        at = h[rows]
        value, rise_0, rise_1 = bezier.evaluate(
            polynomials[rows], base[rows] + at[..., None] * step[rows], [(0, 0), (1, 0), (0, 1)]
        )
        rise = rise_0 * step[rows, :, 0] + rise_1 * step[rows, :, 1]
        low[rows] = np.where(value > 0, at, low[rows])  # the function falls towards the outside
        high[rows] = np.where(value > 0, high[rows], at)
        with np.errstate(divide="ignore", invalid="ignore"):
            new = np.where(value == 0, at, at - value / rise)
        is_newton = (new >= low[rows]) & (new <= high[rows])
        h[rows] = np.where(is_newton, new, (low[rows] + high[rows]) / 2)
        # quadratic convergence: after a step of 1e-9 the next is below rounding
        rows = rows[(np.abs(h[rows] - at) > 1e-9).any(1)]
        if not len(rows):
            break
    return h
