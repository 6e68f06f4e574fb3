"""Semilinear equations as minimisers of their energy."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fem_diff._data.coefficients import Data, finite_at_points
from fem_diff._problems.pointwise import (
    Hessian,
    Parts,
    PointwiseProblem,
    Potential,
    second_derivative,
    square_of,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor

    from fem_diff._boxes.space import LagrangeSpace


class Semilinear(PointwiseProblem):
    r"""$-\nabla\cdot(\nu\nabla u) + W'(u, x) = f$, minimising $\int \frac12\nu|\nabla u|^2 + W(u,x) - fu$.

    `solve` finds it by Newton's method: conjugate gradients on the second derivative $-\nabla\cdot\nu\nabla +
    W''(u)$, cut off where the curvature is negative (so that W need not be convex: a local minimiser is found
    from the start given), and a line search. W' and W'' come from autograd.

    Args:
        space: the space of the solution.
        potential: W, called with the values of u at the quadrature points (batch axes in front) and their
            coordinates, such as `lambda u, x, y: u**4 / 4`. It acts on each point by itself, in torch
            functions, twice differentiable.
        parameters: tensors that W takes after the coordinates, such as `lambda u, x, y, a: a * u**4`, to get
            gradients through `solve`.
        diffusivity: nu, positive, in the forms of `Poisson`.
        source: f.
        boundary: u on the whole boundary; None for no flux, where W must make the solution unique.

    Raises:
        ValueError: data as for `Poisson`; a potential that returns another shape than that of u, with batch
            axes in front, or that is not finite at the given boundary values (from `solve`).
        TypeError: tensors of different dtype or device, or a potential that is not callable.

    Example:
        >>> import torch
        >>> from fem_diff import LagrangeSpace, Semilinear, solve, unit_square
        >>> space = LagrangeSpace(unit_square(16), degree=2)
        >>> problem = Semilinear(space, lambda u, x, y: u.exp(), source=10.0)
        >>> solution = solve(problem)
        >>> bool(problem.residual(solution.u).abs().max() < 1e-10)
        True
    """

    def __init__(
        self,
        space: LagrangeSpace,
        potential: Potential,
        *,
        parameters: Sequence[Tensor] = (),
        diffusivity: Data = 1.0,
        source: Data = 0.0,
        boundary: Data | None = 0.0,
    ) -> None:
        super().__init__(space, source, boundary, parameters, diffusivity=diffusivity)
        self.potential = potential
        self.diffusivity = finite_at_points("diffusivity", diffusivity, space, self.tables, positive=True)
        values = self._probe("potential", potential, "u")
        self._settle(diffusivity=self.diffusivity, potential=values)
        self.data = (self.load, self.diffusivity, *self.parameters)

    def density(self, parts: Parts, *data: Tensor) -> Tensor:
        (*partials, u), (diffusivity, *parameters) = parts, data
        return diffusivity * square_of(partials) / 2 + self.potential(u, *self.points, *parameters)

    def hessian(self, parts: Parts) -> Hessian:
        ndim = self.space.ndim
        u = parts[-1].expand(*self.batch, *self.space.quadrature_shape)
        curvature = second_derivative(self.potential, u, (*self.points, *self.parameters))
        return {**{(axis, axis): self.diffusivity for axis in range(ndim)}, (ndim, ndim): curvature}
