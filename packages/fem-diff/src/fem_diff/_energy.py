"""The energy functional and its gradient."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor

from fem_diff._autograd import differentiable_assemble, differentiable_evaluate

if TYPE_CHECKING:
    from jaxtyping import Float

    from fem_diff._problem import Poisson


def energy(problem: Poisson, u: Float[Tensor, "*batch_nodes"]) -> Float[Tensor, "*all_batch"]:
    r"""The energy $J(u) = \int \frac12 \nu |\nabla u|^2 + \frac12 \sigma u^2 - f u$ (DSA eq. 11).

    Boundary values of `u` are first replaced by those of the problem, so that J may be minimised without
    constraint; `problem.impose(u)` of the minimiser is the solution of `solve`. Differentiable any number of
    times in `u` and in every coefficient.

    Args:
        problem: fixes nu, sigma, f and the boundary values.
        u: nodal values.

    Returns:
        One energy per sample.

    Raises:
        ValueError: `u` does not have the nodes of the space on its last axes.
        TypeError: `u` differs from the problem in dtype or device.

    Example:
        >>> import torch
        >>> from fem_diff import LagrangeSpace, Poisson, energy, solve, unit_square
        >>> problem = Poisson(LagrangeSpace(unit_square(8), degree=1), source=1.0)
        >>> u = solve(problem).u
        >>> bool(energy(problem, u) < energy(problem, 1.1 * u))
        True
    """
    ndim, u = problem.space.ndim, problem.impose(u)
    parts = differentiable_evaluate(u, problem.tables, value=problem.reaction is not None)
    density = problem.diffusivity * sum(partial.square() for partial in parts[:ndim])
    if problem.reaction is not None:
        density = density + problem.reaction * parts[-1].square()
    axes = tuple(range(-ndim, 0))
    return (density * problem.tables.weights).sum(axes) / 2 - (problem.load * u).sum(axes)


def residual(problem: Poisson, u: Float[Tensor, "*batch_nodes"]) -> Float[Tensor, "*all_nodes"]:
    r"""The weak residual $\int \nu \nabla u \cdot \nabla\phi_i + \sigma u \phi_i - f \phi_i$.

    It is the gradient of `energy` at `u`, boundary values replaced as there: zero at the nodes of the
    boundary, and everywhere for the solution.
    """
    u = problem.impose(u)
    return torch.where(problem.fixed, 0.0, stiffness(problem, u) - problem.load)


def stiffness(problem: Poisson, u: Float[Tensor, "*batch_nodes"]) -> Float[Tensor, "*all_nodes"]:
    """The stiffness (and reaction) matrix applied to nodal values, boundary rows and columns included."""
    value, weights = problem.reaction is not None, problem.tables.weights
    parts = differentiable_evaluate(u, problem.tables, value=value)
    flux = [problem.diffusivity * weights * partial for partial in parts[: problem.space.ndim]]
    if problem.reaction is not None:
        flux.append(problem.reaction * weights * parts[-1])
    return differentiable_assemble(tuple(flux), problem.tables, value=value)
