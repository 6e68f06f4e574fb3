"""The matrix-free solver: conjugate gradients preconditioned by multigrid, started by nested iteration."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from fem_diff._solvers.box_system import BoxSystem
from fem_diff._solvers.cg import conjugate_gradients, improved
from fem_diff._solvers.levels import cycle
from fem_diff._solvers.nested import Embedding, halved_form, sampled
from fem_diff._solvers.system import Callback, Record

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fem_diff._forms.form import Form

LIMIT = 1000  # steps of conjugate gradients before giving up
COARSEST = 10  # steps on the coarsest mesh of nested iteration, which starts from zero
STEPS = {1: 2, 2: 3, 3: 5}  # on the meshes in between: the error falls below that of the space of the degree
SETTLED = 0.05  # of the error of the space: the last step of a solve with tol="floor" is at most as large


class MatrixFree(BoxSystem):
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
        single: bool = True,
    ) -> None:
        super().__init__(form, coefficients, fixed, batch, tol)
        self.to_the_floor = to_the_floor
        self.mask = self.free.to(self.tables.weights.dtype)
        ndim = self.space.ndim
        diffusivities: list[Tensor | None] = [None] * ndim
        reaction, robin = None, []
        for term, c in zip(form.terms, self.coefficients, strict=True):
            if term.side is not None:
                robin.append((term.side, c))
            elif term.pairs == ((ndim, ndim),):
                reaction = c
            elif all(i == j for i, j in term.pairs):
                for axis, _ in term.pairs:
                    diffusivities[axis] = c
        along = [found for found in diffusivities if found is not None]
        self.preconditioner = cycle(self.space, along, reaction, self.free, robin, single=single)

    @cached_property
    def coarser(self) -> tuple[MatrixFree, Embedding] | None:
        """The same problem on cells of twice the size, if they pair."""
        form = halved_form(self.form, self.space)
        if form is None:
            return None
        coefficients = [
            sampled(c, self.space.points, self.form.axes_of(term))
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
        found = improved(coarse.operator, coarse.preconditioner, load, x, steps)
        return embedding.embed(found).mul_(self.mask)  # beside the end of a condition it reaches held nodes

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
