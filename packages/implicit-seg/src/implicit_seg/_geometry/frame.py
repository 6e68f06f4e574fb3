"""Where the grid of coefficients lies in space."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from implicit_seg._splines.collocation import collocation_matrix

if TYPE_CHECKING:
    from jaxtyping import Float


@dataclass(frozen=True)
class Frame:
    """Coordinates of a spline: the centre of pixel i is at `i * spacing`, the first and last at the ends.

    Attributes:
        grid: number of coefficients in each direction.
        degree: of the spline, 1 to 3.
        size: number of pixels in each direction.
        spacing: distance between their centres.
    """

    grid: tuple[int, ...]
    degree: int
    size: tuple[int, ...]
    spacing: tuple[float, ...]

    @property
    def cells(self) -> tuple[int, ...]:
        """Number of knot cells in each direction."""
        return tuple(n - self.degree for n in self.grid)

    @cached_property
    def extent(self) -> Float[np.ndarray, " dimension"]:
        """Length of the domain in each direction."""
        return (np.array(self.size) - 1) * np.array(self.spacing)

    @cached_property
    def cell(self) -> Float[np.ndarray, " dimension"]:
        """Length of a knot cell in each direction."""
        return self.extent / np.array(self.cells)

    def basis(self, axis: int, size: int) -> Float[np.ndarray, "size n"]:
        """B-splines of one direction at `size` uniform points from end to end."""
        return collocation_matrix(self.grid[axis], size, self.degree).numpy()
