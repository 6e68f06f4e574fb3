"""Both kinds of spaces, and the parts of their boundary."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fem_diff._boxes.faces import Side
from fem_diff._boxes.space import LagrangeSpace
from fem_diff._simplices.faces import SimplexSide
from fem_diff._simplices.space import SimplexSpace

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from fem_diff._base.discrete import Part

Space = LagrangeSpace | SimplexSpace


def sides_of(space: Space) -> Mapping[str, Part]:
    """The parts that have names: the sides of a box, those that a mesh of simplices brings along."""
    if isinstance(space, SimplexSpace):
        return {name: SimplexSide(space, faces) for name, faces in space.mesh.sides.items()}
    return Side.all_of(space)


def boundary_of(space: Space) -> Sequence[Part]:
    """Parts that together are the boundary."""
    if isinstance(space, SimplexSpace):
        return [SimplexSide(space, space.mesh.boundary)]
    return list(Side.all_of(space).values())
