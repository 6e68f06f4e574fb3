"""Spaces of continuous piecewise polynomials on a mesh."""

from __future__ import annotations

from dataclasses import dataclass
from functools import reduce
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from fem_diff._contract import Tables
from fem_diff._mesh import BoxMesh
from fem_diff._reference import gauss_rule, lagrange_basis

if TYPE_CHECKING:
    from collections.abc import Callable

    from jaxtyping import Float


@dataclass(frozen=True)
class LagrangeSpace:
    """Continuous functions that are polynomials of degree d in each coordinate on every cell: Q_d elements.

    A function is given by its values at the nodes, an array of shape `node_shape`: `degree * elements + 1`
    equally spaced nodes per direction, the first axis of the array along x, the second along y, the third
    along z.

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
        is_integer = isinstance(self.degree, (int, np.integer)) and not isinstance(self.degree, bool)
        if not is_integer or self.degree not in (1, 2, 3):
            raise ValueError(f"`degree` must be 1, 2 or 3; got {self.degree!r}.")
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
    def points(self) -> int:
        """Quadrature points per direction and cell."""
        return self.quadrature or self.degree + 1

    @property
    def node_shape(self) -> tuple[int, ...]:
        """The shape of an array of nodal values."""
        return tuple(self.degree * n + 1 for n in self.mesh.elements)

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
        axes = [
            torch.linspace(a, b, count, dtype=like.dtype, device=like.device)
            for (a, b), count in zip(self.mesh.bounds, self.node_shape, strict=True)
        ]
        return torch.meshgrid(*axes, indexing="ij")

    def quadrature_points(
        self, points: int | None = None, *, like: Tensor | None = None
    ) -> tuple[Float[Tensor, "*points"], ...]:
        """The coordinates of the quadrature points, one array per direction.

        Args:
            points: of another Gauss rule per direction and cell; the space's own if left out.
            like: gives dtype and device; float64 on the CPU if left out.
        """
        like = torch.empty(0, dtype=torch.float64) if like is None else like
        inside = torch.from_numpy((gauss_rule(points or self.points)[0] + 1) / 2)
        axes = []
        for (a, _), count, width in zip(self.mesh.bounds, self.mesh.elements, self.mesh.widths, strict=True):
            cells = torch.arange(count, dtype=torch.float64)[:, None]
            axes.append((a + width * (cells + inside)).flatten().to(like))
        return torch.meshgrid(*axes, indexing="ij")

    def interpolate(
        self, function: Callable[..., Tensor | float], *, like: Tensor | None = None
    ) -> Float[Tensor, "*batch_nodes"]:
        """The nodal values of `function(x, y)` (as many arguments as the mesh has directions).

        Args:
            function: takes the coordinates of the nodes as tensors and returns values that broadcast with
                them.
            like: gives dtype and device; float64 on the CPU if left out.
        """
        nodes = self.nodes(like=like)
        values = torch.as_tensor(function(*nodes)).to(nodes[0])
        return values.expand(np.broadcast_shapes(values.shape, self.node_shape))

    def tabulate(self, points: int | None = None, *, like: Tensor) -> Tables:
        """Basis matrices and weights of a Gauss rule with `points` points per direction and cell."""
        x, w = gauss_rule(points or self.points)
        values, derivatives = (torch.from_numpy(table).to(like) for table in lagrange_basis(self.degree, x))
        weights = [
            torch.from_numpy(w * (width / 2)).to(like).repeat(count)
            for count, width in zip(self.mesh.elements, self.mesh.widths, strict=True)
        ]
        return Tables(
            degree=self.degree,
            values=values,
            derivatives=tuple(derivatives * (2 / width) for width in self.mesh.widths),
            weights=reduce(lambda product, axis: product[..., None] * axis, weights),
        )
