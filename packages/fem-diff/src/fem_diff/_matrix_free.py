"""The matrix-free solver: conjugate gradients preconditioned by multigrid."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from fem_diff._cg import conjugate_gradients
from fem_diff._multigrid import Multigrid
from fem_diff._network import Network, spread
from fem_diff._reference import cell_averages, gauss_rule
from fem_diff._system import Callback, Record, System

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fem_diff._faces import Side
    from fem_diff._form import Form

LIMIT = 1000  # steps of conjugate gradients before giving up


class MatrixFree(System):
    """Applies the operator element by element, stores no matrix, and works on any device.

    The preconditioner sees the diagonal of an anisotropic diffusivity.
    """

    def __init__(
        self,
        form: Form,
        coefficients: Sequence[Tensor],
        fixed: Tensor,
        batch: tuple[int, ...],
        tol: float,
    ) -> None:
        super().__init__(form, coefficients, fixed, batch, tol)
        space, ndim = self.space, self.space.ndim
        widths = [np.repeat(w / space.degree, space.degree) for w in space.mesh.cell_widths]
        sizes = [torch.from_numpy(w).to(self.tables.weights) for w in widths]
        averages = torch.from_numpy(cell_averages(space.degree, gauss_rule(space.points)[1])).to(sizes[0])

        def on_cells(values: Tensor, points: tuple[int, ...]) -> Tensor:
            values = values.expand(-1, *points)
            for axis in range(-len(points), 0):
                along = values.movedim(axis, -1).unflatten(-1, (-1, space.points))
                values = (along @ averages.T).flatten(-2).movedim(-1, axis)
            return values

        diffusivities: list[Tensor | None] = [None] * ndim
        reaction, robin = None, []
        for term, c in zip(form.terms, self.coefficients, strict=True):
            if term.side is not None:
                robin.append((term.side, on_cells(c, term.side.quadrature_shape)))
                continue
            if any(i != j for i, j in term.pairs):
                continue
            cells = on_cells(c, space.quadrature_shape)
            if term.pairs == ((ndim, ndim),):
                reaction = cells
                continue
            for axis, _ in term.pairs:
                diffusivities[axis] = cells
        along = [found for found in diffusivities if found is not None]
        network = Network.of_cells(along, reaction, sizes, self.free, space.mesh.periodic)
        for side, cells in robin:
            network = network.grounded(_ground(side, cells, sizes))
        # what coarsening compares is how far a cell is across for the current
        scales = [float(found.mean()) for found in along]
        seen = [w * (scales[0] / scale) ** 0.5 for w, scale in zip(widths, scales, strict=True)]
        self.preconditioner = Multigrid(network, [w.tolist() for w in seen])

    def _solve(self, rhs: Tensor, start: Tensor | None, callback: Callback | None) -> tuple[Tensor, Record]:
        def operator(u: Tensor) -> Tensor:
            return self.apply(u).mul_(self.free)

        x, iterations, residuals = conjugate_gradients(
            operator, self.preconditioner, rhs, tol=self.tol, limit=LIMIT, start=start, callback=callback
        )
        return x, Record(iterations, residuals)


def _ground(side: Side, cells: Tensor, sizes: list[Tensor]) -> Tensor:
    """Conductances to zero at the nodes of the box, from a Robin coefficient on the faces of a side."""
    periodic = side.space.mesh.periodic
    others = [axis for axis in range(side.space.ndim) if axis != side.axis]
    for place, axis in zip(range(-side.ndim, 0), others, strict=True):
        cells = spread(cells * sizes[axis].view(-1, *(1,) * (-place - 1)), place, periodic=periodic[axis])
    return side.extend(cells)
