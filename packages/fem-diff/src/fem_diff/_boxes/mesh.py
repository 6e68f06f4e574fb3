"""Tensor meshes of boxes."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy import ndarray

if TYPE_CHECKING:
    from collections.abc import Iterable


@dataclass(frozen=True)
class BoxMesh:
    """The box [a1, b1] x ... x [aD, bD] cut by planes across its directions, D = 1, 2 or 3.

    The cells are equal, or as wide as the caller wants with `BoxMesh.graded`. In a periodic direction the two
    ends of the box are one and the same.

    Args:
        elements: cells per direction, each at least 1.
        bounds: the ends (a, b) of the box per direction, a < b; the unit box if left out.
        periodic: for each direction whether its ends are joined; none if left out.
        coordinates: where the cells of each direction begin and end, for meshes from `graded`; an empty tuple
            for a direction with equal cells.

    Raises:
        ValueError: no cells in a direction, ends that are equal, reversed or not finite, coordinates that do
            not increase, or counts that differ.

    Example:
        >>> mesh = BoxMesh((4, 2), bounds=((0.0, 2.0), (-1.0, 1.0)), periodic=(True, False))
        >>> mesh.widths
        (0.5, 1.0)
    """

    elements: tuple[int, ...]
    bounds: tuple[tuple[float, float], ...] = ()
    periodic: tuple[bool, ...] = ()
    coordinates: tuple[tuple[float, ...], ...] = ()

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
        object.__setattr__(self, "periodic", _answers(self.periodic, len(elements)))
        self._check_coordinates()

    def _check_coordinates(self) -> None:
        if not self.coordinates:
            object.__setattr__(self, "coordinates", ((),) * self.ndim)
        fitting = [len(x) in (0, n + 1) for x, n in zip(self.coordinates, self.elements, strict=False)]
        ends = [not x or (x[0], x[-1]) == ab for x, ab in zip(self.coordinates, self.bounds, strict=False)]
        if len(self.coordinates) != self.ndim or not all(fitting) or not all(ends):
            raise ValueError(
                "`coordinates` do not fit `elements` and `bounds`. Make the mesh with "
                "BoxMesh.graded(x, y, ...)."
            )

    @classmethod
    def graded(cls, *coordinates: Iterable[float] | ndarray, periodic: tuple[bool, ...] = ()) -> BoxMesh:
        """A mesh whose cells begin and end at the given coordinates.

        Args:
            coordinates: for each direction an increasing sequence of at least two numbers.
            periodic: as for the class.

        Raises:
            ValueError: not one to three sequences, or one that is too short, not finite or not increasing.

        Example:
            >>> mesh = BoxMesh.graded([0.0, 0.1, 0.3, 1.0], [0.0, 0.5, 1.0])
            >>> mesh.elements
            (3, 2)
            >>> [float(round(width, 3)) for width in mesh.cell_widths[0]]
            [0.1, 0.2, 0.7]
        """
        if not 1 <= len(coordinates) <= 3:
            raise ValueError(f"graded needs one to three sequences of coordinates; got {len(coordinates)}.")
        axes = [tuple(float(x) for x in axis) for axis in coordinates]
        for axis, x in enumerate(axes):
            if len(x) < 2:
                raise ValueError(
                    f"`coordinates` of direction {axis} hold {len(x)} numbers; a cell needs two. "
                    "A mesh needs a cell."
                )
            steps = np.diff(x)
            bad = ~(np.isfinite(steps) & (steps > 0))
            if bad.any():
                k = int(bad.argmax())
                raise ValueError(
                    f"`coordinates` must be finite and increase; in direction {axis} number {k} is {x[k]:g} "
                    f"and number {k + 1} is {x[k + 1]:g}. Sort them first."
                )
        return cls(
            tuple(len(x) - 1 for x in axes),
            tuple((x[0], x[-1]) for x in axes),
            _answers(periodic, len(axes)),
            tuple(axes),
        )

    @property
    def ndim(self) -> int:
        """The number of directions."""
        return len(self.elements)

    @property
    def is_graded(self) -> bool:
        """Whether some direction has coordinates of its own."""
        return any(self.coordinates)

    @property
    def widths(self) -> tuple[float, ...]:
        """The width of a cell per direction, for equal cells.

        Raises:
            ValueError: the mesh is graded, so there is no such width.
        """
        if self.is_graded:
            raise ValueError("a graded mesh has no single width per direction; use `cell_widths`.")
        return tuple((b - a) / n for (a, b), n in zip(self.bounds, self.elements, strict=True))

    @property
    def vertices(self) -> tuple[ndarray, ...]:
        """Where cells begin and end, one array of `elements + 1` numbers per direction."""
        return tuple(
            np.array(x) if x else np.linspace(*ends, count + 1)
            for x, ends, count in zip(self.coordinates, self.bounds, self.elements, strict=True)
        )

    @property
    def cell_widths(self) -> tuple[ndarray, ...]:
        """The width of each cell, one array per direction."""
        return tuple(
            np.diff(x) if x else np.full(count, (ends[1] - ends[0]) / count)
            for x, ends, count in zip(self.coordinates, self.bounds, self.elements, strict=True)
        )


def _answers(periodic: tuple[bool, ...], ndim: int) -> tuple[bool, ...]:
    answers = periodic or (False,) * ndim
    if not isinstance(answers, tuple) or len(answers) != ndim:
        raise ValueError(f"`periodic` needs True or False for each of {ndim} directions; got {periodic!r}.")
    return tuple(map(bool, answers))


def unit_square(elements: int) -> BoxMesh:
    """The unit square cut into `elements` x `elements` equal squares.

    Example:
        >>> unit_square(128).elements
        (128, 128)
    """
    return BoxMesh((elements, elements))
