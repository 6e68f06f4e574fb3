"""The matrix-free solver: conjugate gradients preconditioned by multigrid."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor

from fem_diff._cg import conjugate_gradients
from fem_diff._multigrid import Multigrid
from fem_diff._network import Network
from fem_diff._reference import cell_averages, gauss_rule
from fem_diff._system import Callback, Record, System

if TYPE_CHECKING:
    from fem_diff._problem import Poisson

LIMIT = 1000  # steps of conjugate gradients before giving up


class MatrixFree(System):
    """Applies the operator element by element, stores no matrix, and works on any device."""

    def __init__(self, problem: Poisson, tol: float) -> None:
        super().__init__(problem, tol)
        space = self.space
        widths = tuple(width / space.degree for width in space.mesh.widths)
        averages = torch.from_numpy(cell_averages(space.degree, gauss_rule(space.points)[1])).to(
            self.tables.weights
        )

        def on_cells(values: Tensor) -> Tensor:
            values = self.flattened(values).expand(-1, *space.quadrature_shape)
            for axis in range(-space.ndim, 0):
                along = values.movedim(axis, -1).unflatten(-1, (-1, space.points))
                values = (along @ averages.T).flatten(-2).movedim(-1, axis)
            return values

        reaction = None if problem.reaction is None else on_cells(problem.reaction)
        network = Network.of_cells(on_cells(problem.diffusivity), reaction, widths, self.free)
        self.preconditioner = Multigrid(network, widths)

    def _solve(self, rhs: Tensor, start: Tensor | None, callback: Callback | None) -> tuple[Tensor, Record]:
        def operator(u: Tensor) -> Tensor:
            return self.apply(u).mul_(self.free)

        x, iterations, residuals = conjugate_gradients(
            operator, self.preconditioner, rhs, tol=self.tol, limit=LIMIT, start=start, callback=callback
        )
        return x, Record(iterations, residuals)
