"""Spaces of continuous piecewise polynomials on a mesh."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from fem_diff._base.autograd import plain
from fem_diff._base.nodal import NodalSpace
from fem_diff._boxes.contract import BoxTables, product_of, repeated
from fem_diff._boxes.mesh import BoxMesh
from fem_diff._boxes.reference import gauss_rule, lagrange_basis

if TYPE_CHECKING:
    from jaxtyping import Float, Int
    from numpy import ndarray


@dataclass(frozen=True)
class LagrangeSpace(NodalSpace):
    """Continuous functions that are polynomials of degree d in each coordinate on every cell: Q_d elements.

    A function is given by its values at the nodes, an array of shape `node_shape`: `degree * elements + 1`
    nodes per direction, equally spaced within each cell, the first axis of the array along x, the second
    along y, the third along z. A periodic direction has one node less: its last node is its first.

    Args:
        mesh: the cells.
        degree: 1, 2 or 3.
        quadrature: Gauss points per direction and cell; `degree + 1` if left out.

    Raises:
        ValueError: another degree, or a rule that under-integrates the mass matrix of this degree.

    Example:
        >>> from fem_diff import unit_square
        >>> LagrangeSpace(unit_square(8), degree=2).node_shape
        (17, 17)
    """

    mesh: BoxMesh
    degree: int
    quadrature: int | None = None

    def __post_init__(self) -> None:
        if not isinstance(self.mesh, BoxMesh):
            raise TypeError(f"`mesh` must be a BoxMesh; got {type(self.mesh).__name__}. Try unit_square(n).")
        self.check_degree()
        if self.quadrature is None:
            object.__setattr__(self, "quadrature", self.degree + 1)
        elif self.quadrature < self.degree + 1:
            raise ValueError(
                f"`quadrature` = {self.quadrature} under-integrates: a product of two functions of degree "
                f"{self.degree} has degree {2 * self.degree}, Gauss's rule is exact up to "
                f"{2 * self.quadrature - 1}. "
                f"Use {self.degree + 1} points or more."
            )

    @property
    def ndim(self) -> int:
        """The number of directions."""
        return self.mesh.ndim

    @property
    def axes(self) -> int:
        """The number of axes of an array of nodal values: one for each direction."""
        return self.mesh.ndim

    @property
    def label(self) -> str:
        """What a description of a function of the space begins with."""
        return f"Q{self.degree}, elements={self.mesh.elements}"

    @property
    def bounds(self) -> tuple[tuple[float, float], ...]:
        """The ends of the box along each direction."""
        return self.mesh.bounds

    @property
    def points(self) -> int:
        """Quadrature points per direction and cell."""
        return self.quadrature or self.degree + 1

    @property
    def node_shape(self) -> tuple[int, ...]:
        """The shape of an array of nodal values."""
        return tuple(
            self.degree * n + (not periodic)
            for n, periodic in zip(self.mesh.elements, self.mesh.periodic, strict=True)
        )

    @property
    def element_shape(self) -> tuple[int, ...]:
        """The shape of an array with one value per element."""
        return self.mesh.elements

    @property
    def quadrature_shape(self) -> tuple[int, ...]:
        """The shape of an array of values at the quadrature points, in the order of their coordinates."""
        return tuple(self.points * n for n in self.mesh.elements)

    def nodes(self, *, like: Tensor | None = None) -> tuple[Float[Tensor, "*nodes"], ...]:
        """The coordinates of the nodes, one array of shape `node_shape` per direction.

        Args:
            like: gives dtype and device; float64 on the CPU if left out.
        """
        like = torch.empty(0, dtype=torch.float64) if like is None else like
        axes = [torch.from_numpy(x).to(like) for x in self.node_coordinates]
        return torch.meshgrid(*axes, indexing="ij")

    @property
    def node_coordinates(self) -> tuple[ndarray, ...]:
        """The coordinates of the nodes along each direction, in float64."""
        axes = []
        for count, vertices, widths in zip(
            self.node_shape, self.mesh.vertices, self.mesh.cell_widths, strict=True
        ):
            inside = vertices[:-1, None] + widths[:, None] * (np.arange(self.degree) / self.degree)
            axes.append(np.append(inside, vertices[-1])[:count])
        return tuple(axes)

    def quadrature_points(
        self, points: int | None = None, *, like: Tensor | None = None
    ) -> tuple[Float[Tensor, "*points"], ...]:
        """The coordinates of the quadrature points, one array per direction.

        Args:
            points: of another Gauss rule per direction and cell; the space's own if left out.
            like: gives dtype and device; float64 on the CPU if left out.
        """
        like = torch.empty(0, dtype=torch.float64) if like is None else like
        axes = [torch.from_numpy(x).to(like) for x in self.point_coordinates(points)]
        return torch.meshgrid(*axes, indexing="ij")

    def point_coordinates(self, points: int | None = None) -> tuple[ndarray, ...]:
        """The coordinates of the quadrature points along each direction, in float64."""
        inside = (gauss_rule(points or self.points)[0] + 1) / 2
        return tuple(
            (vertices[:-1, None] + widths[:, None] * inside).ravel()
            for vertices, widths in zip(self.mesh.vertices, self.mesh.cell_widths, strict=True)
        )

    def from_elements(self, values: Float[Tensor, "*batch_elements"]) -> Float[Tensor, "*batch_points"]:
        """One value per element, brought to the quadrature points."""
        return repeated(values, self.points, self.ndim)

    def locate(
        self, points: Float[Tensor, "p ndim"]
    ) -> tuple[Int[Tensor, "p local"], Float[Tensor, "p local"]]:
        """For each point the numbers of the nodes of the cell that holds it, and the basis there in float64.

        Raises:
            ValueError: a point lies outside the box.
        """
        numbers = torch.zeros(len(points), 1, dtype=torch.int64, device=points.device)
        factors = torch.ones(len(points), 1, dtype=torch.float64, device=points.device)
        for axis in range(self.ndim):
            nodes, basis = self.locate_along(axis, points[:, axis])
            numbers = (numbers[:, :, None] * self.node_shape[axis] + nodes[:, None, :]).flatten(1)
            factors = (factors[:, :, None] * basis[:, None, :]).flatten(1)
        return numbers, factors

    def locate_along(
        self, axis: int, x: Float[Tensor, " p"]
    ) -> tuple[Int[Tensor, "p local"], Float[Tensor, "p local"]]:
        """The nodes along one direction of the cell that holds each coordinate, and the basis there."""
        a, b = self.mesh.bounds[axis]
        outside = ~((x >= a) & (x <= b))
        if outside.any():
            k = int(outside.nonzero()[0])
            raise ValueError(
                f"coordinate {k} along axis {axis} is {float(x[k]):g}; the box spans [{a:g}, {b:g}]."
            )
        place = x.detach().cpu().numpy().astype(np.float64)
        starts = self.mesh.vertices[axis][:-1]
        cell = np.maximum(np.searchsorted(starts, place, side="right") - 1, 0)
        basis, _ = lagrange_basis(
            self.degree, 2 * (place - starts[cell]) / self.mesh.cell_widths[axis][cell] - 1
        )
        nodes = (cell[:, None] * self.degree + np.arange(self.degree + 1)) % self.node_shape[axis]
        return torch.from_numpy(nodes).to(x.device), torch.from_numpy(basis).to(x.device)

    def tabulate(self, points: int | None = None, *, like: Tensor) -> BoxTables:
        """Basis matrices and weights of a Gauss rule with `points` points per direction and cell."""

        def constant(array: ndarray) -> Tensor:
            return plain(torch.from_numpy(array).to(like))

        x, w = gauss_rule(points or self.points)
        values, reference = lagrange_basis(self.degree, x)
        derivatives, weights = [], []
        for own, widths in zip(self.mesh.coordinates, self.mesh.cell_widths, strict=True):
            scale = 2 / widths[:, None, None] if own else 2 / widths[0]
            derivatives.append(constant(reference * scale))
            weights.append(constant(np.outer(widths / 2, w).ravel()))
        return BoxTables(
            degree=self.degree,
            periodic=self.mesh.periodic,
            values=constant(values),
            derivatives=tuple(derivatives),
            axis_weights=tuple(weights),
            weights=plain(product_of(tuple(weights), like=like)),
        )
