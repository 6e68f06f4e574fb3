"""The algebraic multigrid solver: the assembled sparse matrix, and cycles that pyamg makes from it."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from fem_diff._solvers.assembled import Assembled
from fem_diff._solvers.cg import conjugate_gradients
from fem_diff._solvers.system import Callback, Record

LIMIT = 1000  # steps of conjugate gradients before giving up


class Algebraic(Assembled):
    """Conjugate gradients, preconditioned by a V-cycle of smoothed aggregation.

    The method is that of Vanek, Mandel & Brezina (1996), as pyamg sets it up. It
    needs no nested meshes. The tolerance is that of `conjugate_gradients`.
    """

    name, extra = "amg", "amg"

    def prepare(self) -> None:
        pyamg = self.library("pyamg")
        self.cycles = [
            pyamg.smoothed_aggregation_solver(matrix, symmetry="symmetric").aspreconditioner()
            for matrix in self.reduced
        ]

    def _solve(self, rhs: Tensor, start: Tensor | None, callback: Callback | None) -> tuple[Tensor, Record]:
        def reduced(u: Tensor) -> Tensor:
            return torch.from_numpy(u.flatten(1).double().cpu().numpy()[:, self.unknown])

        def each(operators: list, u: Tensor) -> Tensor:
            rows = [operators[k % len(operators)] @ row for k, row in enumerate(u.numpy())]
            return torch.from_numpy(np.array(rows).reshape(u.shape))

        x, iterations, residuals = conjugate_gradients(
            lambda u: each(self.reduced, u),
            lambda r: each(self.cycles, r),
            reduced(rhs),
            tol=self.tol,
            limit=LIMIT,
            start=None if start is None else reduced(start),
            callback=callback,
        )
        full = torch.zeros(len(x), self.free.numel(), dtype=torch.float64)
        full[:, self.unknown] = x
        return full.to(rhs).view_as(rhs), Record(iterations.to(rhs.device), residuals.to(rhs))
