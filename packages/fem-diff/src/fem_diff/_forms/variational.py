"""What problems have in common whose solution minimises an energy."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from fem_diff._data.boundary import prepare
from fem_diff._data.coefficients import Data, check_batch
from fem_diff._data.conditions import Dirichlet, Placed
from fem_diff._data.lifting import extended
from fem_diff._data.unknowns import Unknowns
from fem_diff._forms.derivative import pulled_back

if TYPE_CHECKING:
    from collections.abc import Callable

    from jaxtyping import Bool, Float

    from fem_diff._base.discrete import Tables
    from fem_diff._boxes.space import LagrangeSpace


@dataclass(frozen=True)
class Linearised:
    """The second derivative K of an energy at one u. All maps take and return (samples, *unknowns).

    Attributes:
        operator: K with the rows of fixed unknowns zero; its argument is zero there.
        preconditioner: symmetric and positive definite on the free unknowns.
        size: $(u^T K_+ u)^{1/2}$ of each sample, K_+ like K with what is negative at a point left out: the
            energy norm of u, by which residuals are measured.
    """

    operator: Callable[[Tensor], Tensor]
    preconditioner: Callable[[Tensor], Tensor]
    size: Float[Tensor, " samples"]


class EnergyProblem(Unknowns, ABC):
    """Minimise an energy over u with given values at the fixed unknowns, on a box.

    Attributes:
        data: all tensors that the energy depends on beside u and `boundary`.
        quadratic: whether one linear solve finds the minimiser.
    """

    space: LagrangeSpace  # pyright: ignore[reportIncompatibleVariableOverride] (set once, in __init__)
    data: tuple[Tensor, ...]
    quadratic = False

    @abstractmethod
    def functional(self, u: Float[Tensor, "*batch_unknowns"], *data: Tensor) -> Float[Tensor, "*all_batch"]:
        """The energy of u as it is, boundary values included; differentiable in u and in `data`."""

    @abstractmethod
    def linearise(self, u: Float[Tensor, "samples *unknowns"], *, single: bool = True) -> Linearised:
        """The second derivative at u, for each sample of the flattened batch; `single` as for `Multigrid`."""

    def energy(self, u: Float[Tensor, "*batch_unknowns"]) -> Float[Tensor, "*all_batch"]:
        """The energy of `impose(u)`."""
        return self.functional(self.impose(u), *self.data)

    def residual(self, u: Float[Tensor, "*batch_unknowns"]) -> Float[Tensor, "*all_unknowns"]:
        """The derivative of `energy` in u, for each sample of its own: zero at fixed unknowns."""
        given = tuple(self.check_nodal("u", u).shape[: -self.fixed.dim()])
        batch = check_batch([("u", given), ("problem", self.batch)])
        data = (self.boundary, *self.data)
        differentiate = torch.is_grad_enabled() and any(part.requires_grad for part in (u, *data))
        with torch.set_grad_enabled(differentiate):
            return self.residual_of(u.expand(*batch, *self.fixed.shape), *data)

    def residual_of(self, u: Tensor, boundary: Tensor, *data: Tensor) -> Tensor:
        """`residual` as a function of all that it depends on."""

        def total(v: Tensor) -> Tensor:
            return self.functional(torch.where(self.fixed, boundary, v), *data).sum()

        return pulled_back(total, [u])[0]

    def lift(self) -> Float[Tensor, "*batch_unknowns"]:
        """Values of the whole batch, without a graph: the given ones, smooth in between."""
        shape = tuple(self.fixed.shape)
        values = self.boundary.detach().expand(*self.batch, *shape).reshape(-1, *self.space.node_shape)
        fixed = self.fixed.reshape(-1, *self.space.node_shape)
        lifted = values.unflatten(0, (-1, len(fixed)))
        lifted = torch.stack([extended(lifted[:, k], here, self.space) for k, here in enumerate(fixed)], 1)
        lifted = lifted.reshape(*self.batch, *shape)
        return torch.where(self.fixed, self.boundary.detach(), lifted)


def dirichlet(
    boundary: Data | None, space: LagrangeSpace, tables: Tables
) -> tuple[Bool[Tensor, "*nodes"], Float[Tensor, "*batch_nodes"]]:
    """The nodes of the whole boundary and the values there; no node at all if `boundary` is None."""
    conditions = [] if boundary is None else [Placed("boundary", Dirichlet(boundary), None, bare=True)]
    prepared = prepare(conditions, space, tables)
    return prepared.fixed, prepared.values
