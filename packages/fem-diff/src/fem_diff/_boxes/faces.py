"""The sides of a box: what a space looks like from there."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from fem_diff._boxes.contract import repeated

if TYPE_CHECKING:
    from jaxtyping import Bool, Float, Shaped

    from fem_diff._boxes.contract import BoxTables
    from fem_diff._boxes.space import LagrangeSpace

#: names of the low and high end of each direction
NAMES = (("left", "right"), ("bottom", "top"), ("back", "front"))


@dataclass(frozen=True)
class Side:
    """The end of a box in one direction. Functions of the space are polynomials of its degree there too.

    Args:
        space: on the box.
        axis: the direction.
        end: 0 for the low end, 1 for the high one.
    """

    space: LagrangeSpace
    axis: int
    end: int

    @classmethod
    def all_of(cls, space: LagrangeSpace) -> dict[str, Side]:
        """The sides of the box by name; a periodic direction has none."""
        return {
            NAMES[axis][end]: cls(space, axis, end)
            for axis in range(space.ndim)
            if not space.mesh.periodic[axis]
            for end in (0, 1)
        }

    @property
    def axes(self) -> int:
        """The number of directions along the side."""
        return self.space.ndim - 1

    @property
    def points(self) -> int:
        """Quadrature points per direction and face."""
        return self.space.points

    @property
    def node_shape(self) -> tuple[int, ...]:
        """The shape of an array of values at the nodes of the side."""
        return self._without_axis(self.space.node_shape)

    @property
    def element_shape(self) -> tuple[int, ...]:
        """The shape of an array with one value per face."""
        return self._without_axis(self.space.element_shape)

    @property
    def quadrature_shape(self) -> tuple[int, ...]:
        """The shape of an array of values at the quadrature points of the side."""
        return self._without_axis(self.space.quadrature_shape)

    def quadrature_points(
        self, points: int | None = None, *, like: Tensor | None = None
    ) -> tuple[Float[Tensor, "*points"], ...]:
        """The coordinates of the quadrature points, as many arrays as the box has directions."""
        like = torch.empty(0, dtype=torch.float64) if like is None else like
        axes = [torch.from_numpy(x).to(like) for x in self.space.point_coordinates(points)]
        axes[self.axis] = like.new_full((1,), self.space.mesh.bounds[self.axis][self.end])
        return tuple(x.squeeze(self.axis) for x in torch.meshgrid(*axes, indexing="ij"))

    def from_elements(self, values: Shaped[Tensor, "*batch_faces"]) -> Shaped[Tensor, "*batch_points"]:
        """One value per face, brought to the quadrature points."""
        return repeated(values, self.points, self.axes)

    def centres(self, *, like: Tensor) -> tuple[Float[Tensor, "*faces"], ...]:
        """The coordinates of the centres of the faces."""
        return self.quadrature_points(1, like=like)

    def mask(self, *, like: Tensor) -> Bool[Tensor, "*nodes"]:
        """True at the nodes of the side."""
        found = torch.zeros(self.space.node_shape, dtype=torch.bool, device=like.device)
        self.trace(found).fill_(True)
        return found

    def tables(self, tables: BoxTables) -> BoxTables:
        """The tables of the side, of those of the box."""
        return tables.across(self.axis)

    def trace(self, u: Shaped[Tensor, "*batch_nodes"]) -> Shaped[Tensor, "*batch_side"]:
        """The values at the nodes of the side, a view."""
        return u.select(self.axis - self.space.ndim, -self.end)

    def extend(self, values: Float[Tensor, "*batch_side"]) -> Float[Tensor, "*batch_nodes"]:
        """The transpose of `trace`: zero at all other nodes."""
        axis = self.axis - self.space.ndim
        inner = values.unsqueeze(axis)
        shape = list(inner.shape)
        shape[axis] = self.space.node_shape[self.axis] - 1
        rest = inner.new_zeros(shape)
        return torch.cat([rest, inner] if self.end else [inner, rest], axis)

    def _without_axis(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        return (*shape[: self.axis], *shape[self.axis + 1 :])
