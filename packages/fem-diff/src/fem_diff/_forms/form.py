"""Bilinear forms as sums of coefficients times products of partial derivatives, values and traces."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from fem_diff._base.autograd import differentiable_assemble, differentiable_evaluate

if TYPE_CHECKING:
    from collections.abc import Sequence

    from jaxtyping import Float

    from fem_diff._base.discrete import Part, Tables
    from fem_diff._spaces import Space


@dataclass(frozen=True)
class Term:
    r"""$\int c \sum_{(i, j)} (D_i u)(D_j v)$ over the mesh or a part of its boundary, symmetric in u and v.

    Attributes:
        pairs: $D_i$ is the partial derivative along the direction i, and the value for i = ndim (on the
            boundary for i = 0).
        side: None for the inside.
    """

    pairs: tuple[tuple[int, int], ...]
    side: Part | None = None


@dataclass(frozen=True)
class Form:
    """A sum of terms; their coefficients come with each call, in the same order.

    Attributes:
        space: of both arguments.
        tables: of the space.
        terms: at least one of them with partial derivatives.
    """

    space: Space
    tables: Tables
    terms: tuple[Term, ...]

    @cached_property
    def has_value(self) -> bool:
        """Whether the value of u inside is needed."""
        ndim = self.space.ndim
        return any((ndim, ndim) in term.pairs for term in self.terms if term.side is None)

    @cached_property
    def is_diagonal(self) -> bool:
        """Whether no product inside mixes two partial derivatives."""
        return all(i == j for term in self.terms if term.side is None for i, j in term.pairs)

    def axes_of(self, term: Term) -> int:
        """The number of axes of the values of a term at the quadrature points."""
        return self.space.axes if term.side is None else term.side.axes

    @cached_property
    def _tables(self) -> dict[int, Tables]:
        """The tables of the domain of each term, by its identity: those of a side are made once."""
        return {
            id(term): self.tables if term.side is None else term.side.tables(self.tables)
            for term in self.terms
        }

    def tables_of(self, term: Term) -> Tables:
        """The tables of the domain of a term."""
        return self._tables[id(term)]

    def parts(self, u: Float[Tensor, "*batch_nodes"]) -> list[tuple[Tensor, ...]]:
        """For each term the $D_i u$ at the quadrature points. Differentiable."""
        inside = differentiable_evaluate(u, self.tables, value=self.has_value)
        return [
            inside
            if term.side is None
            else differentiable_evaluate(term.side.trace(u), self.tables_of(term), gradient=False)
            for term in self.terms
        ]

    def density(self, term: Term, u: Sequence[Tensor], v: Sequence[Tensor]) -> Tensor:
        """The products of a term at the quadrature points, times the weights of the rule."""
        products = [u[i] * v[j] for i, j in term.pairs]
        return sum(products[1:], products[0]) * self.tables_of(term).weights

    def action(
        self, u: Float[Tensor, "*batch_nodes"], coefficients: Sequence[Tensor]
    ) -> Float[Tensor, "*all_nodes"]:
        """The matrix of the form applied to nodal values. Differentiable in both."""
        count = self.space.ndim + self.has_value
        flux: list[Tensor | None] = [None] * count
        total = None
        for term, coefficient, parts in zip(self.terms, coefficients, self.parts(u), strict=True):
            tables = self.tables_of(term)
            weighted = coefficient * tables.weights
            if term.side is not None:
                on_side = differentiable_assemble((weighted * parts[0],), tables, gradient=False)
                share = term.side.extend(on_side)
                total = share if total is None else total + share
                continue
            for i, j in term.pairs:
                product = weighted * parts[j]
                held = flux[i]
                flux[i] = product if held is None else held + product
        inside = torch.broadcast_tensors(*(part for part in flux if part is not None))
        share = differentiable_assemble(tuple(inside), self.tables, value=self.has_value)
        return share if total is None else total + share
