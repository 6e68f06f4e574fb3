"""Nodal values to quadrature points and back on triangles and tetrahedra, cell by cell."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor

if TYPE_CHECKING:
    from jaxtyping import Float, Int


@dataclass(frozen=True, eq=False)
class SimplexTables:
    """The reference basis at the points of a rule, and the geometry of the cells, on one device.

    Attributes:
        dofs: the nodes of each cell.
        nodes: their number.
        values: of the reference basis.
        derivatives: of the reference basis by the barycentric coordinates.
        gradients: of the barycentric coordinates in each cell.
        weights: of the rule on the whole mesh, cell after cell.
    """

    dofs: Int[Tensor, "cells local"]
    nodes: int
    values: Float[Tensor, "q local"]
    derivatives: Float[Tensor, "q local vertices"]
    gradients: Float[Tensor, "cells vertices ndim"]
    weights: Float[Tensor, " points"]

    @property
    def ndim(self) -> int:
        """The number of directions of the gradient: none on faces."""
        return self.gradients.shape[2]

    @property
    def axes(self) -> int:
        """The number of axes of an array of nodal values."""
        return 1

    def evaluate(self, u: Tensor, *, gradient: bool = True, value: bool = True) -> list[Tensor]:
        """Partial derivatives (with `gradient`) and last the value (with `value`) at the points."""
        local = u[..., self.dofs]
        parts: list[Tensor] = []
        if gradient:
            slopes = torch.einsum("...cl,qlv->...cqv", local, self.derivatives)
            partials = torch.einsum("...cqv,cvd->d...cq", slopes, self.gradients)
            parts.extend(partials.flatten(-2))
        if value:
            parts.append((local @ self.values.T).flatten(-2))
        return parts

    def assemble(self, parts: list[Tensor], *, gradient: bool = True, value: bool = True) -> Tensor:
        """The transpose of `evaluate`, from as many parts as that one returns to nodal values."""
        cells, q = len(self.dofs), len(self.values)
        shared: list[Tensor] = []
        if gradient:
            flux = torch.stack([part.unflatten(-1, (cells, q)) for part in parts[: self.ndim]])
            slopes = torch.einsum("d...cq,cvd->...cqv", flux, self.gradients)
            shared.append(torch.einsum("...cqv,qlv->...cl", slopes, self.derivatives))
        if value:
            shared.append(parts[-1].unflatten(-1, (cells, q)) @ self.values)
        local = torch.stack(shared).sum(0) if len(shared) > 1 else shared[0]
        out = local.new_zeros(*local.shape[:-2], self.nodes)
        return out.index_add_(-1, self.dofs.flatten(), local.flatten(-2))
