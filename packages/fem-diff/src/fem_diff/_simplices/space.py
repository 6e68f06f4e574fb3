"""Spaces of continuous piecewise polynomials on triangles or tetrahedra."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from fem_diff._base.autograd import plain
from fem_diff._base.nodal import NodalSpace
from fem_diff._simplices.contract import SimplexTables
from fem_diff._simplices.finder import CellFinder
from fem_diff._simplices.mesh import SimplexMesh
from fem_diff._simplices.reference import conical_rule, lattice, simplex_basis, subdivision

if TYPE_CHECKING:
    from jaxtyping import Float, Int, Shaped


@dataclass(frozen=True, eq=False)
class SimplexSpace(NodalSpace):
    """Continuous functions that are polynomials of total degree d on every cell: P_d elements.

    A function is given by its values at the nodes, one axis of length `node_shape[0]`: first the vertices,
    in the order of `mesh.points`, then for degree 2 and 3 the nodes inside edges, faces and cells.

    Args:
        mesh: triangles or tetrahedra.
        degree: 1, 2 or 3.
        quadrature: points per direction of the rule in each cell, which is exact for polynomials of degree
            `2 * quadrature - ndim`; enough for a product of two functions of the space if left out.

    Raises:
        ValueError: another degree, or a rule that under-integrates the mass matrix of this degree.
        TypeError: `mesh` is no SimplexMesh.

    Example:
        >>> from fem_diff import SimplexMesh, SimplexSpace
        >>> mesh = SimplexMesh([[0, 0], [1, 0], [1, 1], [0, 1]], [[0, 1, 2], [0, 2, 3]])
        >>> SimplexSpace(mesh, degree=2).node_shape
        (9,)
    """

    mesh: SimplexMesh
    degree: int
    quadrature: int | None = None

    def __post_init__(self) -> None:
        if not isinstance(self.mesh, SimplexMesh):
            raise TypeError(f"`mesh` must be a SimplexMesh; got {type(self.mesh).__name__}.")
        self.check_degree()
        enough = self.degree + math.ceil(self.ndim / 2)
        if self.quadrature is None:
            object.__setattr__(self, "quadrature", enough)
        elif self.quadrature < enough:
            raise ValueError(
                f"`quadrature` = {self.quadrature} under-integrates: a product of two functions of degree "
                f"{self.degree} has degree {2 * self.degree}, the rule is exact up to "
                f"{2 * self.quadrature - self.ndim}. Use {enough} points or more."
            )

    @property
    def ndim(self) -> int:
        """The number of directions."""
        return self.mesh.ndim

    @property
    def axes(self) -> int:
        """The number of axes of an array of nodal values: one."""
        return 1

    @property
    def label(self) -> str:
        """What a description of a function of the space begins with."""
        return f"P{self.degree}, cells={len(self.mesh.cells)}"

    @property
    def bounds(self) -> tuple[tuple[float, float], ...]:
        """The least and the greatest coordinate along each direction."""
        return self.mesh.bounds

    @property
    def points(self) -> int:
        """Quadrature points per direction and cell."""
        return self.quadrature or self.degree + math.ceil(self.ndim / 2)

    @cached_property
    def _numbering(self) -> tuple[np.ndarray, np.ndarray]:
        """The vertices of which each node is the mean, and the nodes of each cell.

        Vertices come first because a node that repeats one vertex is given that vertex's number.
        """
        members = np.sort(self.mesh.cells[:, lattice(self.ndim, self.degree)], axis=2)
        flat = members.reshape(-1, self.degree)
        order = np.concatenate([(flat[:, :1] != flat[:, -1:]).astype(np.int64), flat], axis=1)
        unique, numbers = np.unique(order, axis=0, return_inverse=True)
        return unique[:, 1:], numbers.reshape(members.shape[:2])

    @property
    def dofs(self) -> Int[np.ndarray, "c local"]:
        """The numbers of the nodes of each cell."""
        return self._numbering[1]

    @property
    def node_shape(self) -> tuple[int]:
        """The shape of an array of nodal values."""
        return (len(self._numbering[0]),)

    @property
    def element_shape(self) -> tuple[int]:
        """The shape of an array with one value per cell."""
        return (len(self.mesh.cells),)

    @property
    def quadrature_shape(self) -> tuple[int]:
        """The shape of an array of values at the quadrature points, cell after cell."""
        return (len(self.mesh.cells) * self.points**self.ndim,)

    def nodes_of(self, faces: Int[np.ndarray, "f ndim"]) -> Int[np.ndarray, "f local"]:
        """The numbers of the nodes on some faces of cells, given by their vertices."""
        members, _ = self._numbering
        wanted = np.sort(faces[:, lattice(self.ndim - 1, self.degree)], axis=2)
        known = np.concatenate([members, wanted.reshape(-1, self.degree)])
        _, first, place = np.unique(known, axis=0, return_index=True, return_inverse=True)
        return first[place.ravel()[len(members) :]].reshape(wanted.shape[:2])

    @cached_property
    def linear_cells(self) -> Int[np.ndarray, "pieces vertices"]:
        """The nodes of the smaller simplices into which its lattice of nodes cuts each cell, for pictures."""
        return self.dofs[:, subdivision(self.ndim, self.degree)].reshape(-1, self.ndim + 1)

    def nodes(self, *, like: Tensor | None = None) -> tuple[Float[Tensor, " nodes"], ...]:
        """The coordinates of the nodes, one array per direction.

        Args:
            like: gives dtype and device; float64 on the CPU if left out.
        """
        like = torch.empty(0, dtype=torch.float64) if like is None else like
        means = self.mesh.points[self._numbering[0]].mean(1)
        return tuple(torch.from_numpy(x.copy()).to(like) for x in means.T)

    def quadrature_points(
        self, points: int | None = None, *, like: Tensor | None = None
    ) -> tuple[Float[Tensor, " points"], ...]:
        """The coordinates of the quadrature points, one array per direction, cell after cell.

        Args:
            points: per direction, of another rule; the space's own if left out.
            like: gives dtype and device; float64 on the CPU if left out.
        """
        like = torch.empty(0, dtype=torch.float64) if like is None else like
        barycentric, _ = conical_rule(self.ndim, points or self.points)
        x = barycentric @ self.mesh.points[self.mesh.cells]
        return tuple(torch.from_numpy(x[..., axis].ravel()).to(like) for axis in range(self.ndim))

    def from_elements(self, values: Shaped[Tensor, "*batch cells"]) -> Shaped[Tensor, "*batch points"]:
        """One value per cell, brought to the quadrature points."""
        return values.repeat_interleave(self.points**self.ndim, -1)

    @cached_property
    def _finder(self) -> CellFinder:
        return CellFinder(self.mesh)

    def locate(
        self, points: Float[Tensor, "p ndim"]
    ) -> tuple[Int[Tensor, "p local"], Float[Tensor, "p local"]]:
        """For each point the numbers of the nodes of a cell that holds it, and the basis there in float64.

        Raises:
            ValueError: a point lies outside the mesh.
        """
        cells, barycentric = self._finder(points.detach().cpu().numpy().astype(np.float64))
        values, _ = simplex_basis(self.degree, barycentric)
        device = points.device
        return torch.from_numpy(self.dofs[cells]).to(device), torch.from_numpy(values).to(device)

    def tabulate(self, points: int | None = None, *, like: Tensor) -> SimplexTables:
        """Basis values, derivatives and weights of a rule with `points` points per direction and cell."""

        def constant(array: np.ndarray) -> Tensor:
            return plain(torch.from_numpy(array).to(like))

        barycentric, w = conical_rule(self.ndim, points or self.points)
        values, derivatives = simplex_basis(self.degree, barycentric)
        corners = self.mesh.points[self.mesh.cells]
        # gradients of the barycentric coordinates: from the inverse of the edges; they sum to zero
        edges = corners[:, 1:] - corners[:, :1]
        gradients = np.linalg.inv(edges).transpose(0, 2, 1)
        gradients = np.concatenate([-gradients.sum(1, keepdims=True), gradients], axis=1)
        return SimplexTables(
            dofs=torch.from_numpy(self.dofs).to(like.device),
            nodes=self.node_shape[0],
            values=constant(values),
            derivatives=constant(derivatives),
            gradients=constant(gradients),
            weights=constant((self.mesh.volumes[:, None] * w).ravel()),
        )

    def __repr__(self) -> str:
        return f"SimplexSpace({self.mesh!r}, degree={self.degree})"
