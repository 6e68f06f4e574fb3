"""Functionals of u for training networks: batched, differentiable twice and more."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from fem_diff._base.autograd import differentiable_evaluate, integrals
from fem_diff._boxes.space import LagrangeSpace
from fem_diff._data.lifting import extended
from fem_diff._forms.variational import EnergyProblem
from fem_diff._functionals.energy import energy, residual, stiffness
from fem_diff._problems.allen_cahn import double_well
from fem_diff._problems.pointwise import square_of
from fem_diff._solvers.matrix_free import MatrixFree

if TYPE_CHECKING:
    from jaxtyping import Float

    from fem_diff._problems.pointwise import Potential
    from fem_diff._problems.poisson import Poisson
    from fem_diff._spaces import Space


def log_energy(
    problem: Poisson | EnergyProblem, u: Float[Tensor, "*batch_nodes"], *, bound: float | Tensor = 0.0
) -> Float[Tensor, "*all_batch"]:
    r"""$\log(J(u) - b)$ for a bound b below the minimum of the energy J.

    It has the minimiser of J, and its gradient is that of J divided by J - b: samples whose energies differ
    by orders of magnitude, as those of log-normal diffusivities do, count alike. Without source b = 0 is a
    bound. With a source J is negative at the solution: give a bound for each sample (such as twice the
    energy of a coarse solution), or use `scale_free_energy`.

    Args:
        problem: gives J, as for `energy`.
        u: nodal values; those on the boundary are replaced.
        bound: b, one number or one for each sample.

    Raises:
        ValueError: J(u) is not above b.

    Example:
        >>> import torch
        >>> from fem_diff import LagrangeSpace, Poisson, log_energy, solve, unit_square
        >>> problem = Poisson(LagrangeSpace(unit_square(8), degree=1), boundary=lambda x, y: x)
        >>> u = solve(problem).u
        >>> round(float(log_energy(problem, u).exp()), 6)
        0.5
    """
    above = energy(problem, u) - bound
    if not (above > 0).all():
        raise ValueError(
            f"`bound` must lie below the energy; the smallest difference is {float(above.min()):g}. With a "
            "source the energy is negative: give a lower bound, or use scale_free_energy."
        )
    return above.log()


def scale_free_energy(
    problem: Poisson | EnergyProblem, u: Float[Tensor, "*batch_nodes"]
) -> Float[Tensor, "*all_batch"]:
    r"""$\log a(v,v) - 2\log|\ell(v)|$ for $u = \bar g + v$: the log-energy at the best multiple of v.

    $\bar g$ is a smooth extension of the boundary values (transfinite interpolation),
    $a(v,v) = \int\nu|\nabla v|^2 + \sigma v^2$ and $\ell(v) = \int f v - a(\bar g, v)$.
    Over all multiples of v the least energy is $J(\bar g + t v) = J(\bar g) - \ell(v)^2/(2a(v,v))$,
    at $t = \ell(v)/a(v,v)$, which
    `rescaled` applies. So this functional is bounded below by
    $-\log(2J(\bar g) - 2J^*)$, takes that value for all multiples of the solution's v and for them only, and
    does not change when v, f and g, or the coefficients, are scaled. A network that minimises it learns
    the shape of the solution; its size follows without training.

    Args:
        problem: linear; with a source or boundary values, else every v is as good.
        u: nodal values; those on the boundary are replaced.

    Raises:
        ValueError: v = 0, or l(v) = 0, for which the functional is infinite.

    Example:
        >>> from fem_diff import LagrangeSpace, Poisson, rescaled, scale_free_energy, solve, unit_square
        >>> problem = Poisson(LagrangeSpace(unit_square(8), degree=1), source=1.0)
        >>> u = solve(problem).u
        >>> bool((rescaled(problem, 7 * u) - u).abs().max() < 1e-9)
        True
    """
    _, square, linear = _split(problem, u)
    if not ((square > 0) & (linear != 0)).all():
        raise ValueError(
            "the functional is infinite: u less the extension of the boundary values is zero, or orthogonal "
            "to the load. Start from another u; a problem without source and boundary values has no scale."
        )
    return square.log() - 2 * linear.abs().log()


def rescaled(
    problem: Poisson | EnergyProblem, u: Float[Tensor, "*batch_nodes"]
) -> Float[Tensor, "*all_nodes"]:
    r"""$\bar g + t v$ with the t of least energy, for u = $\bar g + v$ as in `scale_free_energy`."""
    v, square, linear = _split(problem, u)
    t = torch.where(square > 0, linear / torch.where(square > 0, square, 1.0), 0.0)
    return problem.impose(u) + (t[(..., *(None,) * problem.space.axes)] - 1) * v


def weak_residual(
    problem: Poisson | EnergyProblem, u: Float[Tensor, "*batch_nodes"]
) -> Float[Tensor, "*all_batch"]:
    r"""$\sum_i r_i^2 / m_i$ with the weak residual $r_i = J'(u)\phi_i$ and $m_i = \int\phi_i$.

    For a smooth u the quotients $r_i/m_i$ are averages of the strong residual, so this is about its squared
    L2 norm, of order $h^{-2}$ worse conditioned than the energy. Zero for the solution alone.
    """
    _check_box("weak_residual", problem)
    r = residual(problem, u)
    tables = problem.tables
    mass = integrals(torch.ones_like(tables.weights), tables)
    return (r.square() / mass).sum(tuple(range(-problem.fixed.dim(), 0)))


class DualNorm:
    r"""$u \mapsto r(u)^T M r(u)$, the squared norm of the weak residual in the dual of the energy space.

    M is one symmetric multigrid V-cycle, equivalent to the inverse of the stiffness matrix K on all meshes.
    With M = K^{-1} the value would be $\|u - u^*\|_K^2 = 2(J(u) - J^*)$: it measures the error in the
    energy norm without knowledge of the solution, is well conditioned (its Hessian is like K), and is
    zero for the solution alone. Differentiable in u and, through r, in the data; M is made once and held
    fixed.

    Args:
        problem: linear or not; for an energy M belongs to its second derivative at the extension of the
            boundary values.

    Example:
        >>> import torch
        >>> from fem_diff import DualNorm, LagrangeSpace, Poisson, energy, solve, unit_square
        >>> problem = Poisson(LagrangeSpace(unit_square(8), degree=1), source=1.0)
        >>> solution = solve(problem).u
        >>> float(DualNorm(problem)(solution)) < 1e-15
        True
        >>> error = energy(problem, 0 * solution) - energy(problem, solution)
        >>> bool(0.5 < DualNorm(problem)(0 * solution) / (2 * error) < 1.1)
        True
    """

    def __init__(self, problem: Poisson | EnergyProblem) -> None:
        _check_box("DualNorm", problem)
        self.problem = problem
        shape = problem.fixed.shape
        if isinstance(problem, EnergyProblem):
            with torch.no_grad():
                linearised = problem.linearise(problem.lift().reshape(-1, *shape), single=False)
            self.preconditioner: Any = linearised.preconditioner
        else:
            if problem.indefinite:
                raise ValueError("`problem` is indefinite: its residual has no dual norm.")
            given = problem.form, problem.coefficients, problem.fixed, problem.batch
            self.preconditioner = MatrixFree(*given, tol=0.0, single=False).preconditioner

    def __call__(self, u: Float[Tensor, "*batch_nodes"]) -> Float[Tensor, "*all_batch"]:
        """The squared norm for each sample."""
        shape = self.problem.fixed.shape
        r = residual(self.problem, u)
        batch = r.shape[: -len(shape)]
        if batch.numel() != math.prod(self.problem.batch) and math.prod(self.problem.batch) != 1:
            raise ValueError(
                f"`u` gives the batch {tuple(batch)}, the problem has {self.problem.batch}. Make them equal."
            )
        corrected = _Precondition.apply(r.reshape(-1, *shape), self.preconditioner)
        return (r * corrected.view(r.shape)).sum(tuple(range(-len(shape), 0)))


class _Precondition(torch.autograd.Function):
    """M r, with M symmetric: its own derivative."""

    @staticmethod
    def forward(r: Tensor, preconditioner: Any) -> Tensor:
        return preconditioner(r)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple, output: Tensor) -> None:
        ctx.preconditioner = inputs[1]

    @staticmethod
    def backward(ctx: Any, *grads: Any) -> tuple:
        return _Precondition.apply(grads[0], ctx.preconditioner), None


def modica_mortola(
    space: Space,
    u: Float[Tensor, "*batch_nodes"],
    *,
    epsilon: float,
    potential: Potential = double_well,
) -> Float[Tensor, "*batch"]:
    r"""$\int \frac\epsilon2|\nabla u|^2 + W(u)/\epsilon$, which tends to $\sigma$ times the interface's area.

    $\sigma = \int_0^1\sqrt{2W}$, $\sqrt2/6$ for $W = u^2(1-u)^2$. Modica & Mortola, 1977.

    Args:
        space: of u.
        u: nodal values.
        epsilon: the width of layers, positive; meshes should have at least four nodes across it.
        potential: W, as for `AllenCahn`.

    Raises:
        ValueError: u without the nodes of the space on its last axes, or epsilon not positive.

    Example:
        >>> import math, torch
        >>> from fem_diff import BoxMesh, LagrangeSpace, modica_mortola
        >>> space = LagrangeSpace(BoxMesh((400,), bounds=((-1.0, 1.0),)), degree=2)
        >>> u = space.interpolate(lambda x: torch.sigmoid(math.sqrt(2) * x / 0.05))
        >>> round(float(modica_mortola(space, u, epsilon=0.05)) / (math.sqrt(2) / 6), 3)
        1.0
    """
    if not (math.isfinite(epsilon) and epsilon > 0):
        raise ValueError(f"`epsilon` must be positive and finite; got {epsilon:g}.")
    if u.shape[-space.axes :] != space.node_shape:
        raise ValueError(
            f"`u` has shape {tuple(u.shape)}; its last axes must be the nodes {space.node_shape}."
        )
    tables = space.tabulate(like=u)
    *partials, value = differentiable_evaluate(u, tables)
    density = epsilon / 2 * square_of(partials) + potential(value, *space.quadrature_points(like=u)) / epsilon
    return (density * tables.weights).sum(tuple(range(-space.axes, 0)))


def allen_cahn_energy(
    space: Space,
    u: Float[Tensor, "*batch_nodes"],
    *,
    epsilon: float,
    potential: Potential = double_well,
) -> Float[Tensor, "*batch"]:
    r"""$\int \frac12|\nabla u|^2 + W(u)/\epsilon^2$, which the flow of `AllenCahn` lowers.

    It is `modica_mortola` divided by epsilon; arguments and errors are the same.
    """
    return modica_mortola(space, u, epsilon=epsilon, potential=potential) / epsilon


def _check_box(name: str, problem: Poisson | EnergyProblem) -> None:
    if not isinstance(problem.space, LagrangeSpace):
        raise TypeError(
            f"{name} is for problems on a LagrangeSpace; got one on a {type(problem.space).__name__}. "
            "Use energy or log_energy."
        )


def _split(problem: Poisson | EnergyProblem, u: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """V, a(v, v) and l(v)."""
    if isinstance(problem, EnergyProblem):
        raise TypeError(f"`problem` must be a Poisson problem; got {type(problem).__name__}. Use log_energy.")
    count, nodes = problem.space.axes, problem.space.node_shape
    boundary = problem.boundary.expand(*problem.boundary.shape[:-count], *nodes)
    lifted = extended(boundary.reshape(-1, *nodes), problem.fixed, problem.space).view(boundary.shape)
    v = torch.where(problem.fixed, 0.0, problem.check_nodal("u", u) - lifted)
    axes = tuple(range(-count, 0))
    linear = -(residual(problem, torch.where(problem.fixed, boundary, lifted)) * v).sum(axes)
    return v, (v * stiffness(problem, v)).sum(axes), linear
