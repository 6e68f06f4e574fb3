"""Regular meshes of boxes."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class BoxMesh:
    """The box [a1, b1] x ... x [aD, bD] cut into equal cells, D = 1, 2 or 3.

    Args:
        elements: cells per direction, each at least 1.
        bounds: the ends (a, b) of the box per direction, a < b; the unit box if left out.

    Raises:
        ValueError: no cells in a direction, ends that are equal, reversed or not finite, or counts that
        differ.

    Example:
        >>> mesh = BoxMesh((4, 2), bounds=((0.0, 2.0), (-1.0, 1.0)))
        >>> mesh.widths
        (0.5, 1.0)
    """

    elements: tuple[int, ...]
    bounds: tuple[tuple[float, float], ...] = ()

    def __post_init__(self) -> None:
        elements = (self.elements,) if isinstance(self.elements, int) else tuple(self.elements)
        if not 1 <= len(elements) <= 3:
            raise ValueError(
                f"`elements` needs one count per direction, 1 to 3 of them; got {len(elements)}."
            )
        for axis, count in enumerate(elements):
            if isinstance(count, bool) or not isinstance(count, (int, np.integer)):
                raise TypeError(
                    f"`elements` holds integers; elements[{axis}] is of type {type(count).__name__}. "
                    "Use int(...)."
                )
            if count < 1:
                raise ValueError(
                    f"`elements` must be at least 1; elements[{axis}] = {count}. A mesh needs a cell."
                )
        bounds = tuple(tuple(map(float, ends)) for ends in self.bounds) or ((0.0, 1.0),) * len(elements)
        if len(bounds) != len(elements):
            raise ValueError(
                f"`bounds` has {len(bounds)} directions, `elements` {len(elements)}. "
                "Give one pair (a, b) for each."
            )
        for axis, ends in enumerate(bounds):
            if len(ends) != 2 or not (
                math.isfinite(ends[0]) and math.isfinite(ends[1]) and ends[0] < ends[1]
            ):
                raise ValueError(f"`bounds` must be finite pairs a < b; bounds[{axis}] = {ends}.")
        object.__setattr__(self, "elements", tuple(map(int, elements)))
        object.__setattr__(self, "bounds", bounds)

    @property
    def ndim(self) -> int:
        """The number of directions."""
        return len(self.elements)

    @property
    def widths(self) -> tuple[float, ...]:
        """The width of a cell per direction."""
        return tuple((b - a) / n for (a, b), n in zip(self.bounds, self.elements, strict=True))


def unit_square(elements: int) -> BoxMesh:
    """The unit square cut into `elements` x `elements` equal squares.

    Example:
        >>> unit_square(128).elements
        (128, 128)
    """
    return BoxMesh((elements, elements))
