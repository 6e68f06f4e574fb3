"""Contours and the regions that they enclose."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from implicit_seg._geometry import arcs

if TYPE_CHECKING:
    from jaxtyping import Float

    from implicit_seg._geometry.frame import Frame
    from implicit_seg._geometry.trace import Trace


@dataclass(frozen=True)
class Contour:
    """One closed loop around or within a region, with the inside on its left (column to the right, row up).

    Attributes:
        points: (k, 2), row and column in units of the spacing; the first is not repeated at the end. They lie
            on the zero set of the spline, or on the border of the domain.
        area: enclosed, exact (not that of the polygon): positive around a region, negative around a hole.
        length: of the zero set, exact; without what runs along the border of the domain.
        moment: integral of the position over what is enclosed, with the sign of `area`, of the polygon.
        touches_border: whether a part of it runs along the border.
    """

    points: Float[np.ndarray, "k 2"]
    area: float
    length: float
    moment: Float[np.ndarray, " 2"]
    touches_border: bool

    @property
    def is_hole(self) -> bool:
        """Whether it encloses what is outside."""
        return self.area < 0


def contours(
    trace: Trace,
    measures: tuple[Float[np.ndarray, " arcs"], Float[np.ndarray, " arcs"]],
    frame: Frame,
    is_inside_at_corner: bool,
    tolerance: float,
) -> list[Contour]:
    """All loops: closed chains, and open ones closed along the border of the domain."""
    points, owner = arcs.sample(trace, tolerance)
    bulge, length = measures
    start, end = arcs.chord_ends(trace)
    offsets = np.searchsorted(owner, np.arange(len(start) + 1))

    def drawn(chain: np.ndarray) -> np.ndarray:
        return np.concatenate([points[offsets[arc] : offsets[arc + 1]] for arc in chain])

    loops = []
    border = _Border(frame.extent)
    openings: list[tuple[float, np.ndarray]] = []
    for chain, closed in zip(trace.chains, trace.is_closed, strict=True):
        if closed:
            loops.append(
                _loop(drawn(chain), start[chain], float(bulge[chain].sum()), float(length[chain].sum()))
            )
        else:
            openings.append((border.place(start[chain[0]]), chain))
    openings.sort(key=lambda opening: opening[0])
    places = np.array([place for place, _ in openings])
    seen = np.zeros(len(openings), bool)
    for first in range(len(openings)):
        parts, corners, index = [], [], first
        total = np.zeros(2)
        while not seen[index]:
            seen[index] = True
            chain = openings[index][1]
            last = end[chain[-1]]
            here = border.place(last)
            index = int(np.searchsorted(places, here)) % len(openings)  # the next that opens along the border
            along = border.between(here, places[index])
            parts += [drawn(chain), last[None], along]
            corners += [start[chain], last[None], along]
            total += (bulge[chain].sum(), length[chain].sum())
        if parts:
            loops.append(_loop(np.concatenate(parts), np.concatenate(corners), *total.tolist(), border=True))
    if not openings and is_inside_at_corner:
        loops.append(_loop(border.corners, border.corners, 0.0, 0.0, border=True))
    return loops


def _loop(
    points: np.ndarray, corners: np.ndarray, bulge: float, length: float, border: bool = False
) -> Contour:
    moved = np.any(points != np.roll(points, 1, axis=0), axis=1)
    return Contour(points[moved], _shoelace(corners)[0] + bulge, length, _shoelace(points)[1], border)


def _shoelace(points: np.ndarray) -> tuple[float, np.ndarray]:
    """Area and first moments of a polygon, counted from its first point to lose no digits."""
    if not len(points):
        return 0.0, np.zeros(2)
    local = points - points[0]
    following = np.roll(local, -1, axis=0)
    cross = local[:, 1] * following[:, 0] - local[:, 0] * following[:, 1]
    area = cross.sum() / 2
    return float(area), ((local + following) * cross[:, None]).sum(0) / 6 + area * points[0]


class _Border:
    """The border of the domain, as a way round from its first corner, inside on the left."""

    def __init__(self, extent: np.ndarray) -> None:
        height, width = extent
        self.extent = extent
        self.corners = np.array([[0, 0], [0, width], [height, width], [height, 0]], dtype=float)
        self.places = np.array([0, width, width + height, 2 * width + height])
        self.whole = 2 * (width + height)

    def place(self, point: np.ndarray) -> float:
        """How far along the border a point is that lies on it."""
        (row, column), (height, width) = point, self.extent
        nearest = int(np.argmin([row, width - column, height - row, column]))
        return float((column, width + row, width + height + width - column, self.whole - row)[nearest])

    def between(self, start: float, end: float) -> np.ndarray:
        """The corners that one meets from one place to another."""
        stop = end if end >= start else end + self.whole
        places = np.concatenate([self.places, self.places + self.whole])
        return np.tile(self.corners, (2, 1))[(places > start) & (places < stop)]


@dataclass(frozen=True)
class Region:
    """A connected part of the inside: what its outline encloses, less its holes.

    Attributes:
        outline: the loop around it.
        holes: the loops within.
    """

    outline: Contour
    holes: tuple[Contour, ...]

    @property
    def area(self) -> float:
        """Exact."""
        return self.outline.area + sum(hole.area for hole in self.holes)

    @property
    def perimeter(self) -> float:
        """Length of the boundary, holes included and the border of the domain left out; exact."""
        return self.outline.length + sum(hole.length for hole in self.holes)

    @property
    def centroid(self) -> Float[np.ndarray, " 2"]:
        """Mean row and column, of the polygon through the points."""
        loops = (self.outline, *self.holes)
        return sum((loop.moment for loop in loops), np.zeros(2)) / sum(
            _shoelace(loop.points)[0] for loop in loops
        )

    @cached_property
    def touches_border(self) -> bool:
        """Whether it is cut off by the border of the domain."""
        return self.outline.touches_border


def regions(loops: list[Contour]) -> list[Region]:
    """Gives each hole to the smallest outline around it; the largest region first."""
    outlines = sorted((loop for loop in loops if not loop.is_hole), key=lambda loop: loop.area)
    holes: list[list[Contour]] = [[] for _ in outlines]
    for hole in loops:
        if hole.is_hole:
            for outline, within in zip(outlines, holes, strict=True):
                if outline.area > -hole.area and _is_within(hole.points[0], outline.points):
                    within.append(hole)
                    break
    made = [Region(outline, tuple(within)) for outline, within in zip(outlines, holes, strict=True)]
    return sorted(made, key=lambda region: -region.area)


def _is_within(point: np.ndarray, polygon: np.ndarray) -> bool:
    """Whether a ray from the point crosses the polygon an odd number of times."""
    (row, column), following = point, np.roll(polygon, -1, axis=0)
    spans = (polygon[:, 0] > row) != (following[:, 0] > row)
    a, b = polygon[spans], following[spans]
    crossing = a[:, 1] + (row - a[:, 0]) / (b[:, 0] - a[:, 0]) * (b[:, 1] - a[:, 1])
    return bool((crossing > column).sum() % 2)
