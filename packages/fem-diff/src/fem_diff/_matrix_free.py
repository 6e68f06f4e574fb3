"""The matrix-free solver: conjugate gradients preconditioned by multigrid, started by nested iteration."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from fem_diff._cg import conjugate_gradients, improved
from fem_diff._multigrid import Multigrid
from fem_diff._nested import Embedding, combined, halved_form, sampled
from fem_diff._network import Network, spread
from fem_diff._reference import cell_averages, gauss_rule
from fem_diff._system import Callback, Record, System

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fem_diff._faces import Side
    from fem_diff._form import Form

LIMIT = 1000  # steps of conjugate gradients before giving up
COARSEST = 10  # steps on the coarsest mesh of nested iteration, which starts from zero
STEPS = {1: 2, 2: 3, 3: 5}  # on the meshes in between: the error falls below that of the space of the degree
SETTLED = 0.05  # of the error of the space: the last step of a solve with tol="floor" is at most as large


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
        *,
        to_the_floor: bool = False,
    ) -> None:
        super().__init__(form, coefficients, fixed, batch, tol)
        self.to_the_floor = to_the_floor
        self.mask = self.free.to(self.tables.weights.dtype)
        space, ndim = self.space, self.space.ndim
        widths = [np.repeat(w / space.degree, space.degree) for w in space.mesh.cell_widths]
        sizes = [torch.from_numpy(w).to(self.tables.weights) for w in widths]
        averages = cell_averages(space.degree, gauss_rule(space.points)[1])

        def on_cells(values: Tensor, points: tuple[int, ...]) -> Tensor:
            cells = combined(values, averages, len(points))
            return cells.expand(-1, *(count // space.points * space.degree for count in points))

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

    @cached_property
    def coarser(self) -> tuple[MatrixFree, Embedding] | None:
        """The same problem on cells of twice the size, if they pair."""
        form = halved_form(self.form)
        if form is None:
            return None
        coefficients = [
            sampled(c, self.space.points, self.form.ndim_of(term))
            for term, c in zip(self.form.terms, self.coefficients, strict=True)
        ]
        fixed = self.fixed[(slice(None, None, 2),) * self.space.ndim]
        batch = (max(map(len, coefficients)),)
        return MatrixFree(form, coefficients, fixed, batch, self.tol), Embedding(self.space, self.tables)

    def operator(self, u: Tensor) -> Tensor:
        """K u at the free nodes."""
        return self.apply(u).mul_(self.mask)

    def started(self, rhs: Tensor) -> Tensor | None:
        """A start from the solution on the halved mesh, or None where there is no such mesh."""
        if self.coarser is None:
            return None
        coarse, embedding = self.coarser
        load = embedding.restrict(rhs).mul_(coarse.mask)
        x, steps = coarse.started(load), STEPS[self.space.degree]
        if x is None:
            x, steps = torch.zeros_like(load), COARSEST
        return embedding.embed(improved(coarse.operator, coarse.preconditioner, load, x, steps))

    def _solve(self, rhs: Tensor, start: Tensor | None, callback: Callback | None) -> tuple[Tensor, Record]:
        start = self.started(rhs) if start is None else start
        settled = 0.0
        if self.to_the_floor:
            # From one mesh to the next the error falls by 2^(d+1), so the way from the start is that many
            # times (less one) the error of the space.
            settled = SETTLED / (2 ** (self.space.degree + 1) - 1)
        x, iterations, residuals = conjugate_gradients(
            self.operator,
            self.preconditioner,
            rhs,
            tol=self.tol,
            limit=LIMIT,
            start=start,
            settled=settled,
            callback=callback,
        )
        return x, Record(iterations, residuals)


def _ground(side: Side, cells: Tensor, sizes: list[Tensor]) -> Tensor:
    """Conductances to zero at the nodes of the box, from a Robin coefficient on the faces of a side."""
    periodic = side.space.mesh.periodic
    others = [axis for axis in range(side.space.ndim) if axis != side.axis]
    for place, axis in zip(range(-side.ndim, 0), others, strict=True):
        cells = spread(cells * sizes[axis].view(-1, *(1,) * (-place - 1)), place, periodic=periodic[axis])
    return side.extend(cells)
