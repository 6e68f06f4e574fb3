"""Energies whose density depends on u and its gradient at a point."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from fem_diff._base.autograd import differentiable_evaluate, integrals
from fem_diff._boxes.space import LagrangeSpace
from fem_diff._data.coefficients import Data, check_batch, common_tensor, finite_at_points
from fem_diff._forms.derivative import pulled_back
from fem_diff._forms.variational import EnergyProblem, Linearised, dirichlet
from fem_diff._solvers.cg import column
from fem_diff._solvers.levels import cycle

if TYPE_CHECKING:
    from jaxtyping import Float

Potential = Callable[..., Tensor]
Parts = tuple[Tensor, ...]
Hessian = dict[tuple[int, int], Tensor]
SMALLEST = 1e-4  # of the mean: what the preconditioner takes for a smaller, or negative, diffusivity


class PointwiseProblem(EnergyProblem):
    r"""Minimise $\int \psi(\nabla u, u, x) - f u$.

    Args:
        space: the space of the solution.
        source: f.
        boundary: u on the whole boundary; None for no flux.
        parameters: tensors that functions of the caller take after the coordinates.
        others: data of the subclass, which have a say in dtype and device.
    """

    def __init__(
        self,
        space: LagrangeSpace,
        source: Data,
        boundary: Data | None,
        parameters: Sequence[Tensor],
        **others: Data,
    ) -> None:
        if not isinstance(space, LagrangeSpace):
            raise TypeError(f"`space` must be a LagrangeSpace; got {type(space).__name__}.")
        given = {} if boundary is None else {"boundary": boundary}
        like = common_tensor({**others, "source": source, **given, **checked_parameters(parameters)})
        self.parameters = tuple(parameters)
        self.space, self.tables = space, space.tabulate(like=like)
        self.points = space.quadrature_points(like=like)
        self.load = integrals(finite_at_points("source", source, space, self.tables), self.tables)
        self.fixed, self.boundary = dirichlet(boundary, space, self.tables)

    def _settle(self, **parts: Tensor) -> None:
        """Fixes the batch, once all the data are there."""
        parts = {"source": self.load, "boundary": self.boundary, **parts}
        self.batch = check_batch([(name, tuple(p.shape[: -self.space.ndim])) for name, p in parts.items()])

    def _probe(self, name: str, function: Potential, argument: str) -> Tensor:
        """Values of a function of the caller at zero, after a check of their shape."""
        if not callable(function):
            raise TypeError(
                f"`{name}` must be a function of {argument} and the coordinates; "
                f"got {type(function).__name__}."
            )
        shape = self.space.quadrature_shape
        with torch.no_grad():
            values = function(self.tables.weights.new_zeros(shape), *self.points, *self.parameters)
        if not isinstance(values, Tensor) or tuple(values.shape)[-len(shape) :] != shape:
            found = tuple(values.shape) if isinstance(values, Tensor) else type(values).__name__
            raise ValueError(
                f"`{name}` returned {found} for {argument} of shape {shape}. Return a tensor with one "
                "value per point, with batch axes in front."
            )
        return values

    @abstractmethod
    def density(self, parts: Parts, *data: Tensor) -> Tensor:
        """Psi at the quadrature points, from the derivatives of u and, last, u; `data` but the load."""

    def hessian(self, parts: Parts) -> Hessian:
        """The second derivatives of `density` at each point; pairs that are left out are zero."""
        others = self.data[1:]

        def slope(a: int) -> Callable[..., Tensor]:
            return lambda *p: pulled_back(lambda *q: self.density(q, *others).sum(), p)[a].sum()

        rows = (pulled_back(slope(a), parts) for a in range(len(parts)))
        return {(a, b): entry for a, row in enumerate(rows) for b, entry in enumerate(row)}

    def functional(self, u: Float[Tensor, "*batch_nodes"], *data: Tensor) -> Float[Tensor, "*all_batch"]:
        load, *others = data
        parts = differentiable_evaluate(u, self.tables)
        axes = tuple(range(-self.space.ndim, 0))
        return (self.density(parts, *others) * self.tables.weights).sum(axes) - (load * u).sum(axes)

    def linearise(self, u: Float[Tensor, "samples *nodes"], *, single: bool = True) -> Linearised:
        ndim, tables = self.space.ndim, self.tables
        free = ~self.fixed
        with torch.no_grad():
            parts = tables.evaluate(u.view(*self.batch, *self.space.node_shape))
            shape = (*self.batch, *self.space.quadrature_shape)
            hessian = {
                pair: entry.expand(shape).reshape(-1, *self.space.quadrature_shape)
                for pair, entry in self.hessian(tuple(parts)).items()
            }
        weighted = {pair: entry * tables.weights for pair, entry in hessian.items()}
        value = (ndim, ndim) in hessian

        def operator(v: Tensor) -> Tensor:
            of_v = tables.evaluate(v, value=value)
            flux = [torch.zeros_like(of_v[0]) for _ in of_v]
            for (a, b), weight in weighted.items():
                flux[a].addcmul_(weight, of_v[b])
            return tables.assemble(flux, value=value).mul_(free)

        along = []
        for axis in range(ndim):
            entry = hessian[axis, axis]
            mean = entry.clamp_min(0).mean(tuple(range(1, entry.dim())), keepdim=True)
            along.append(torch.maximum(entry, SMALLEST * mean).clamp_min(torch.finfo(entry.dtype).tiny))
        ground = hessian[ndim, ndim].clamp_min(0) if value else None
        if ground is not None and not self.fixed.any():  # where it vanishes, nothing holds the constant
            longest = max(b - a for a, b in self.space.mesh.bounds)
            ground = torch.maximum(
                ground, SMALLEST / longest**2 * column(along[0].flatten(1).mean(1), ground)
            )
        preconditioner = cycle(self.space, along, ground, free, single=single)
        squares = u.new_zeros(len(u))
        for a in range(ndim + value):
            part = parts[a].reshape(-1, *self.space.quadrature_shape)
            squares = squares + (weighted[a, a].clamp_min(0) * part.square()).flatten(1).sum(1)
        return Linearised(operator, preconditioner, squares.sqrt())


def checked_parameters(parameters: Sequence[Tensor]) -> dict[str, Data]:
    """By name, after a check that they are tensors."""
    for k, parameter in enumerate(parameters):
        if not isinstance(parameter, Tensor):
            raise TypeError(f"`parameters` holds tensors; parameters[{k}] is {type(parameter).__name__}.")
    return {f"parameters[{k}]": parameter for k, parameter in enumerate(parameters)}


def square_of(partials: Sequence[Tensor]) -> Tensor:
    """|grad u|^2 at each point."""
    return sum((partial.square() for partial in partials[1:]), partials[0].square())


def second_derivative(potential: Potential, u: Tensor, others: Sequence[Tensor]) -> Tensor:
    """W'' at each point."""

    def slope(v: Tensor) -> Tensor:
        return pulled_back(lambda w: potential(w, *others).sum(), [v])[0].sum()

    return pulled_back(slope, [u])[0]
