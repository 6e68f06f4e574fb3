"""A discrete problem prepared for repeated solves with one symmetric matrix: forward, adjoint, and theirs."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from fem_diff._contract import assemble, evaluate

if TYPE_CHECKING:
    from jaxtyping import Float, Int

    from fem_diff._problem import Poisson

Callback = Callable[[int, int, float], None]


@dataclass(frozen=True)
class Record:
    """How a solver reached its result: the last two attributes of `Solution`."""

    iterations: Int[Tensor, "*batch"]
    residuals: Float[Tensor, "steps *batch"]


class System(ABC):
    """K u = b at the free nodes, where K is symmetric positive definite, with given values at the fixed ones.

    All batch axes are flattened into one. A coefficient without batch axes keeps a single sample, so that
    what is made from it (levels, factors) is made once.

    Args:
        problem: gives the coefficients and the batch; loads and boundary values come with each solve.
        tol: relative, in the norm that the solver names.
    """

    def __init__(self, problem: Poisson, tol: float) -> None:
        self.space, self.tables, self.batch, self.tol = problem.space, problem.tables, problem.batch, tol
        self.free = ~problem.fixed
        #: at the quadrature points, multiplied with their weights
        self.diffusivity = self.flattened(problem.diffusivity) * self.tables.weights
        self.reaction = None
        if problem.reaction is not None:
            self.reaction = self.flattened(problem.reaction) * self.tables.weights

    def flattened(self, values: Tensor) -> Tensor:
        """Coefficients with one batch axis: of one sample if they are the same for all."""
        batch, shape = values.shape[: -self.space.ndim], values.shape[-self.space.ndim :]
        if math.prod(batch) > 1:
            values = values.expand(*self.batch, *shape)
        return values.detach().reshape(-1, *shape)

    @torch.no_grad()
    def solve(
        self,
        load: Float[Tensor, "*load"],
        boundary: Float[Tensor, "*boundary"],
        start: Float[Tensor, "*start"] | None = None,
        callback: Callback | None = None,
    ) -> tuple[Float[Tensor, "*batch_nodes"], Record]:
        """The solution and how it was reached."""
        nodes = self.space.node_shape

        def flat(values: Tensor) -> Tensor:
            return values.expand(*self.batch, *nodes).reshape(-1, *nodes)

        lifted = torch.where(self.free, extended(flat(boundary)), flat(boundary))
        rhs = torch.where(self.free, flat(load) - self.apply(lifted), 0.0)
        first = None if start is None else torch.where(self.free, flat(start) - lifted, 0.0)
        x, record = self._solve(rhs, first, callback)
        record = Record(record.iterations.view(self.batch), record.residuals.view(-1, *self.batch))
        return (lifted + x).view(*self.batch, *nodes), record

    def apply(self, u: Float[Tensor, "samples *nodes"]) -> Float[Tensor, "samples *nodes"]:
        """K u, with the rows and columns of fixed nodes."""
        value = self.reaction is not None
        parts = evaluate(u, self.tables, value=value)
        for partial in parts[: self.space.ndim]:
            partial.mul_(self.diffusivity)
        if self.reaction is not None:
            parts[-1].mul_(self.reaction)
        return assemble(parts, self.tables, value=value)

    @abstractmethod
    def _solve(self, rhs: Tensor, start: Tensor | None, callback: Callback | None) -> tuple[Tensor, Record]:
        """The solution with zero values at fixed nodes, where `rhs` and `start` are zero too."""


def extended(u: Float[Tensor, "samples *nodes"]) -> Float[Tensor, "samples *nodes"]:
    """Transfinite interpolation of the values of `u` on the faces of the box, which is as smooth as they are.

    The boolean sum of the linear interpolations between opposite faces (Gordon & Hall 1973). A right-hand
    side that is left over from it is small where the solution is smooth, so a tolerance relative to it means
    something.
    """
    rest = u
    for axis in range(1, u.dim()):
        share = torch.linspace(0, 1, u.shape[axis], dtype=u.dtype, device=u.device)
        share = share.view(-1, *(1,) * (u.dim() - 1 - axis))
        rest = rest - torch.lerp(rest.narrow(axis, 0, 1), rest.narrow(axis, u.shape[axis] - 1, 1), share)
    return u - rest
