"""Systems on a box, whose matrix is applied element by element and never assembled."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

from fem_diff._boxes.element import ElementOperator
from fem_diff._solvers.system import System

if TYPE_CHECKING:
    from jaxtyping import Float
    from torch import Tensor

    from fem_diff._boxes.contract import BoxTables
    from fem_diff._boxes.space import LagrangeSpace


class BoxSystem(System):
    """Works on any device."""

    space: LagrangeSpace
    tables: BoxTables

    @cached_property
    def inside(self) -> ElementOperator:
        """The part of K that comes from the inside."""
        pairs = zip(self.form.terms, self.weighted, strict=True)
        return ElementOperator(self.tables, [(term.pairs, c) for term, c in pairs if term.side is None])

    def apply(self, u: Float[Tensor, "samples *nodes"]) -> Float[Tensor, "samples *nodes"]:
        """K u, with the rows and columns of fixed nodes."""
        form, out = self.form, self.inside(u)
        for term, c in zip(form.terms, self.weighted, strict=True):
            if term.side is not None:
                on_side = form.tables_of(term)
                (values,) = on_side.evaluate(term.side.trace(u), gradient=False)
                term.side.trace(out).add_(on_side.assemble([values * c], gradient=False))
        return out
