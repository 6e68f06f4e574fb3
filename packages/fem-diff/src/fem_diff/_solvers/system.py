"""A discrete problem prepared for repeated solves with one symmetric matrix: forward, adjoint, and theirs."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from fem_diff._data.lifting import extended
from fem_diff._forms.null_space import balanced_by_constant, mean_weights, without_mean

if TYPE_CHECKING:
    from jaxtyping import Bool, Float, Int

    from fem_diff._forms.form import Form

Callback = Callable[[int, int, float], None]


@dataclass(frozen=True)
class Record:
    """How a solver reached its result: the last two attributes of `Solution`."""

    iterations: Int[Tensor, "*batch"]
    residuals: Float[Tensor, "steps *batch"]


class System(ABC):
    """K u = b at the free nodes, where K is symmetric, with given values at the fixed ones.

    All batch axes are flattened into one. A coefficient without batch axes keeps a single sample, so that
    what is made from it (levels, factors) is made once.

    Without fixed nodes, reaction and Robin terms K maps constants to zero: then b is made to sum to zero by a
    constant source, and u is the solution of mean zero, which makes the map from b to u symmetric again.

    Args:
        form: the matrix.
        coefficients: of its terms.
        fixed: True at the nodes with given values.
        batch: of the loads, with which that of the coefficients broadcasts.
        tol: relative, in the norm that the solver names.
    """

    def __init__(
        self,
        form: Form,
        coefficients: Sequence[Tensor],
        fixed: Bool[Tensor, "*nodes"],
        batch: tuple[int, ...],
        tol: float,
    ) -> None:
        self.form, self.space, self.tables, self.batch, self.tol = form, form.space, form.tables, batch, tol
        self.fixed, self.free = fixed, ~fixed
        #: at the quadrature points, with one batch axis
        self.coefficients = [
            self._flattened(c, form.axes_of(term)) for term, c in zip(form.terms, coefficients, strict=True)
        ]
        #: the same, multiplied with the weights of the rule
        self.weighted = [
            c * form.tables_of(term).weights for term, c in zip(form.terms, self.coefficients, strict=True)
        ]
        alone = not fixed.any() and all(term.side is None for term in form.terms) and not form.has_value
        self.mean = mean_weights(self.tables) if alone else None

    @property
    def has_one_matrix(self) -> bool:
        """Whether all samples share one matrix."""
        return all(len(c) == 1 for c in self.coefficients)

    def _flattened(self, values: Tensor, axes: int) -> Tensor:
        """A coefficient with one batch axis: of one sample if it is the same for all."""
        cut = values.dim() - axes
        batch, shape = values.shape[:cut], values.shape[cut:]
        if math.prod(batch) > 1:
            values = values.expand(*self.batch, *shape)
        return values.detach().reshape(-1, *shape)

    @torch.no_grad()
    def solve(
        self,
        load: Float[Tensor, "*load"],
        boundary: Float[Tensor, "*boundary"],
        batch: tuple[int, ...],
        start: Float[Tensor, "*start"] | None = None,
        callback: Callback | None = None,
    ) -> tuple[Float[Tensor, "*batch_nodes"], Record]:
        """The solution and how it was reached.

        Args:
            load: b.
            boundary: given values at the fixed nodes, zero at the others.
            batch: of the solution; that of the system, unless there is one matrix for all.
            start: where to begin.
            callback: as for `fem_diff.solve`.
        """
        nodes = self.space.node_shape

        def flat(values: Tensor) -> Tensor:
            return values.expand(*batch, *nodes).reshape(-1, *nodes)

        lifted = torch.where(self.free, extended(flat(boundary), self.fixed, self.space), flat(boundary))
        rhs = torch.where(self.free, flat(load) - self.apply(lifted), 0.0)
        if self.mean is not None:
            rhs = balanced_by_constant(rhs, self.mean)
        first = None if start is None else torch.where(self.free, flat(start) - lifted, 0.0)
        x, record = self._solve(rhs, first, callback)
        if self.mean is not None:
            x = without_mean(x, self.mean)
        record = Record(record.iterations.view(batch), record.residuals.view(-1, *batch))
        return (lifted + x).view(*batch, *nodes), record

    @abstractmethod
    def apply(self, u: Float[Tensor, "samples *nodes"]) -> Float[Tensor, "samples *nodes"]:
        """K u, with the rows and columns of fixed nodes."""

    @abstractmethod
    def _solve(self, rhs: Tensor, start: Tensor | None, callback: Callback | None) -> tuple[Tensor, Record]:
        """The solution with zero values at fixed nodes, where `rhs` and `start` are zero too."""
