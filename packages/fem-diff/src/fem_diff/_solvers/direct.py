"""The direct solver: LU factors of the assembled sparse matrix, by scipy."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

from fem_diff._solvers.assembled import Assembled
from fem_diff._solvers.cg import ConvergenceError
from fem_diff._solvers.system import Callback, Record

SINGULAR = 1e4 * np.finfo(np.float64).eps  # |b| below this many rounding errors of |K| |x|
RESONANCE = (
    "With a negative reaction this is a resonance: the equation without source has a solution. Change it."
)


class Direct(Assembled):
    """One factorisation for each sample of the coefficients, used for every load. On the CPU, in float64.

    The tolerance bounds the normwise backward error |b - K x| / (|K| |x| + |b|) in the maximum norm.
    """

    name, extra = "direct", "direct"

    def prepare(self) -> None:
        linalg = self.library("scipy.sparse.linalg")
        self.factors = [self._factors(matrix.tocsc(), linalg) for matrix in self.reduced]

    def _factors(self, matrix: Any, linalg: Any) -> Any:
        if self.indefinite:  # with pivots, which a definite matrix can do without
            options = {"permc_spec": "COLAMD"}
        else:
            options = {
                "permc_spec": "MMD_AT_PLUS_A",
                "diag_pivot_thresh": 0.0,
                "options": {"SymmetricMode": True},
            }
        try:
            return linalg.splu(matrix, **options)
        except RuntimeError as error:
            raise ConvergenceError(
                f"the matrix of the problem has no LU factors ({error}). {RESONANCE}"
            ) from None

    @property
    def indefinite(self) -> bool:
        """Whether a coefficient is negative somewhere."""
        diagonal = [term.pairs[0][0] == term.pairs[0][1] for term in self.form.terms]
        return any(
            bool((c < 0).any()) for c, squares in zip(self.coefficients, diagonal, strict=True) if squares
        )

    def _solve(self, rhs: Tensor, start: Tensor | None, callback: Callback | None) -> tuple[Tensor, Record]:
        b = rhs.flatten(1).double().cpu().numpy()[:, self.unknown]
        x, errors = np.zeros((len(b), self.free.numel())), [0.0] * len(b)
        for k, load in enumerate(b if self.unknown.size else ()):
            matrix, factors = (found[k % len(found)] for found in (self.reduced, self.factors))
            inside = factors.solve(load)
            scale = abs(matrix).sum(1).max() * np.abs(inside).max() + np.abs(load).max()
            errors[k] = np.abs(load - matrix @ inside).max() / scale if scale else 0.0
            if not errors[k] <= self.tol:
                raise ConvergenceError(
                    f"the direct solver reached the backward error {errors[k]:.3g} in sample {k}, short of "
                    f"`tol` = {self.tol:g}. Reduce the contrast of the coefficients."
                )
            if self.indefinite and np.abs(load).max() < SINGULAR * scale:
                raise ConvergenceError(
                    f"the matrix of the problem is singular to rounding errors in sample {k}. {RESONANCE}"
                )
            x[k, self.unknown] = inside
            if callback is not None:
                callback(k + 1, len(b), errors[k])
        iterations = torch.ones(len(b), dtype=torch.int64, device=rhs.device)
        return torch.from_numpy(x).to(rhs).view_as(rhs), Record(iterations, rhs.new_tensor(errors)[None])
