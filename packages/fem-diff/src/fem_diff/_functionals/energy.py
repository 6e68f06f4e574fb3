"""The energy functional and its gradient."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor

from fem_diff._forms.variational import EnergyProblem

if TYPE_CHECKING:
    from jaxtyping import Float

    from fem_diff._problems.poisson import Poisson


def energy(problem: Poisson | EnergyProblem, u: Float[Tensor, "*batch_nodes"]) -> Float[Tensor, "*all_batch"]:
    r"""The energy $J(u) = \int \frac12 \nu |\nabla u|^2 + \frac12 \sigma u^2 - f u$ (DSA eq. 11).

    Neumann and Robin conditions add $\int \frac12 \alpha u^2 - h u$ over their parts of the boundary.
    Dirichlet values of `u` are first replaced by those of the problem, so that J may be minimised without
    constraint; `problem.impose(u)` of the minimiser is the solution of `solve`. Differentiable any number of
    times in `u` and in every coefficient.

    Args:
        problem: fixes nu, sigma, f and the boundary conditions; a problem of another kind than `Poisson` has
            the energy that its description states.
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
    if isinstance(problem, EnergyProblem):
        return problem.energy(u)
    form, u = problem.form, problem.impose(u)
    total = -(problem.load * u).sum(tuple(range(-problem.space.axes, 0)))
    for term, coefficient, parts in zip(form.terms, problem.coefficients, form.parts(u), strict=True):
        density = coefficient * form.density(term, parts, parts)
        total = total + density.sum(tuple(range(density.dim() - form.axes_of(term), density.dim()))) / 2
    return total


def residual(
    problem: Poisson | EnergyProblem, u: Float[Tensor, "*batch_nodes"]
) -> Float[Tensor, "*all_nodes"]:
    r"""The weak residual $\int \nu \nabla u \cdot \nabla\phi_i + \sigma u \phi_i - f \phi_i$.

    With the integrals of Neumann and Robin conditions. It is the gradient of `energy` at `u`, Dirichlet
    values replaced as there: zero at their nodes, and everywhere for the solution.
    """
    if isinstance(problem, EnergyProblem):
        return problem.residual(u)
    u = problem.impose(u)
    return torch.where(problem.fixed, 0.0, stiffness(problem, u) - problem.load)


def stiffness(problem: Poisson, u: Float[Tensor, "*batch_nodes"]) -> Float[Tensor, "*all_nodes"]:
    """The matrix of the problem applied to nodal values, rows and columns of fixed nodes included."""
    return problem.form.action(u, problem.coefficients)
