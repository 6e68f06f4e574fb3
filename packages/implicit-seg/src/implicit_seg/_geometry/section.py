"""The spline in a plane through a spline in space."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from implicit_seg._geometry import bezier
from implicit_seg._geometry.frame import Frame

if TYPE_CHECKING:
    from jaxtyping import Float


def section(
    coefficients: Float[np.ndarray, "n m l"], frame: Frame, axis: int, index: float
) -> Float[np.ndarray, "a b"]:
    """Coefficients along the other two axes at pixel `index`, a fraction too, of one."""
    place = index * frame.spacing[axis] / frame.cell[axis]
    cell = min(int(place), frame.cells[axis] - 1)
    basis = bezier.bernstein(np.array(place - cell), frame.degree)[0]
    # the row of basis values: the Bernstein values through the conversion of each unit coefficient
    line = Frame((frame.grid[axis],), frame.degree, (frame.size[axis],), (frame.spacing[axis],))
    row = np.array([bezier.patches(unit, line)[cell] @ basis for unit in np.eye(frame.grid[axis])])
    return np.tensordot(row, coefficients, (0, axis))
