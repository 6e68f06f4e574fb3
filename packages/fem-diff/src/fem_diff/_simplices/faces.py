"""Faces of triangles and tetrahedra: what a space looks like from a part of its boundary."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from fem_diff._base.autograd import plain
from fem_diff._simplices.contract import SimplexTables
from fem_diff._simplices.reference import conical_rule, simplex_basis

if TYPE_CHECKING:
    from jaxtyping import Bool, Float, Int, Shaped

    from fem_diff._base.discrete import Tables
    from fem_diff._simplices.space import SimplexSpace


@dataclass(frozen=True, eq=False)
class SimplexSide:
    """Some faces of cells. Its nodes are numbered as they follow each other in the space.

    Args:
        space: on the cells.
        faces: the vertices of each face.
    """

    space: SimplexSpace
    faces: Int[np.ndarray, "f ndim"]

    @cached_property
    def _numbering(self) -> tuple[np.ndarray, np.ndarray]:
        """The numbers in the space of the nodes of the side, and the nodes of the side on each face."""
        nodes, dofs = np.unique(self.space.nodes_of(self.faces), return_inverse=True)
        return nodes, dofs.reshape(len(self.faces), -1)

    @property
    def numbers(self) -> Int[np.ndarray, " side"]:
        """The numbers in the space of the nodes of the side."""
        return self._numbering[0]

    @property
    def axes(self) -> int:
        """The number of axes of an array of nodal values: one."""
        return 1

    @property
    def node_shape(self) -> tuple[int]:
        """The shape of an array of values at the nodes of the side."""
        return (len(self._numbering[0]),)

    @property
    def element_shape(self) -> tuple[int]:
        """The shape of an array with one value per face."""
        return (len(self.faces),)

    @property
    def quadrature_shape(self) -> tuple[int]:
        """The shape of an array of values at the quadrature points, face after face."""
        return (len(self.faces) * self.space.points ** (self.space.ndim - 1),)

    def quadrature_points(
        self, points: int | None = None, *, like: Tensor | None = None
    ) -> tuple[Float[Tensor, " points"], ...]:
        """The coordinates of the quadrature points, as many arrays as the mesh has directions."""
        barycentric, _ = conical_rule(self.space.ndim - 1, points or self.space.points)
        return self._places(barycentric, torch.empty(0, dtype=torch.float64) if like is None else like)

    def centres(self, *, like: Tensor) -> tuple[Float[Tensor, " faces"], ...]:
        """The coordinates of the centres of the faces."""
        ndim = self.space.ndim
        return self._places(np.full((1, ndim), 1 / ndim), like)

    def _places(self, barycentric: np.ndarray, like: Tensor) -> tuple[Tensor, ...]:
        x = barycentric @ self.space.mesh.points[self.faces]
        return tuple(torch.from_numpy(x[..., axis].ravel()).to(like) for axis in range(self.space.ndim))

    def from_elements(self, values: Shaped[Tensor, "*batch faces"]) -> Shaped[Tensor, "*batch points"]:
        """One value per face, brought to the quadrature points."""
        return values.repeat_interleave(self.space.points ** (self.space.ndim - 1), -1)

    def mask(self, *, like: Tensor) -> Bool[Tensor, " nodes"]:
        """True at the nodes of the side."""
        found = torch.zeros(self.space.node_shape, dtype=torch.bool, device=like.device)
        found[self._nodes(found)] = True
        return found

    def _nodes(self, like: Tensor) -> Int[Tensor, " side"]:
        return torch.from_numpy(self._numbering[0]).to(like.device)

    def tables(self, tables: Tables) -> SimplexTables:
        """The tables of the side, on the device of those of the space; they have no gradient."""
        like = tables.weights

        def constant(array: np.ndarray) -> Tensor:
            return plain(torch.from_numpy(array).to(like))

        barycentric, w = conical_rule(self.space.ndim - 1, self.space.points)
        values, derivatives = simplex_basis(self.space.degree, barycentric)
        corners = self.space.mesh.points[self.faces]
        edges = corners[:, 1:] - corners[:, :1]
        gram = np.linalg.det(edges @ edges.transpose(0, 2, 1))
        areas = np.sqrt(gram) / math.factorial(self.space.ndim - 1)
        return SimplexTables(
            dofs=torch.from_numpy(self._numbering[1]).to(like.device),
            nodes=self.node_shape[0],
            values=constant(values),
            derivatives=constant(derivatives),
            gradients=like.new_empty(len(self.faces), self.space.ndim, 0),
            weights=constant((areas[:, None] * w).ravel()),
        )

    def trace(self, u: Shaped[Tensor, "*batch nodes"]) -> Shaped[Tensor, "*batch side"]:
        """The values at the nodes of the side."""
        return u[..., self._nodes(u)]

    def extend(self, values: Float[Tensor, "*batch side"]) -> Float[Tensor, "*batch nodes"]:
        """The transpose of `trace`: zero at all other nodes."""
        zero = values.new_zeros(*values.shape[:-1], *self.space.node_shape)
        return zero.index_add(-1, self._nodes(values), values)
