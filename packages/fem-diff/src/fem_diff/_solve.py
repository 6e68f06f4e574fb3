"""Solutions of a problem, and their derivatives by the adjoint."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import torch
from torch import Tensor

from fem_diff._autograd import differentiable_assemble, differentiable_evaluate
from fem_diff._coefficients import check_finite
from fem_diff._direct import Direct
from fem_diff._field import Field
from fem_diff._matrix_free import MatrixFree

if TYPE_CHECKING:
    from jaxtyping import Float, Int

    from fem_diff._problem import Poisson
    from fem_diff._system import Callback, Record, System

_SOLVERS: dict[str, type[System]] = {"auto": MatrixFree, "multigrid": MatrixFree, "direct": Direct}


@dataclass(frozen=True)
class Solution(Field):
    """What `solve` returns.

    Attributes:
        space: of the solution.
        u: nodal values, with the batch axes of the problem; differentiable in the data of the problem.
        iterations: steps of the solver for each sample (1 for the direct one).
        residuals: the relative residual of each sample before the first and after each step, in the norm of
            the solver. A sample that has converged keeps its value.
    """

    iterations: Int[Tensor, "*batch"] = field(kw_only=True)
    residuals: Float[Tensor, "steps *batch"] = field(kw_only=True)

    def __repr__(self) -> str:
        steps, residual = int(self.iterations.max()), float(self.residuals[-1].max())
        return (
            f"Solution(Q{self.space.degree}, elements={self.space.mesh.elements}, "
            f"batch={tuple(self.iterations.shape)}, iterations={steps}, residual={residual:.1e})"
        )


def solve(
    problem: Poisson,
    *,
    solver: Literal["auto", "multigrid", "direct"] = "auto",
    tol: float = 1e-10,
    u0: Float[Tensor, "*batch_nodes"] | None = None,
    callback: Callback | None = None,
) -> Solution:
    r"""The Galerkin solution: the minimiser of `energy` with the boundary values of the problem.

    Derivatives with respect to diffusivity, reaction, source and boundary values come from the adjoint
    problem $K \lambda = \partial L / \partial u$, one more solve with the same matrix and preconditioner; so
    do second and higher derivatives.

    Args:
        problem: what to solve.
        solver: "multigrid", matrix-free conjugate gradients preconditioned by a multigrid cycle, which needs
            memory and time in proportion to the number of nodes and takes any number of elements; "direct",
            sparse LU factors by scipy (the extra `direct`), on the CPU, for small problems and as a check;
            "auto" is "multigrid" for every problem there is at present.
        tol: for "multigrid" a bound for the residual in the norm of the preconditioner, relative to the load,
            which is about the relative error in the energy norm; for "direct" a bound for the backward error.
        u0: nodal values to start from; zero if left out. Not differentiated.
        callback: called with the step, the largest number of steps and the largest relative residual.

    Returns:
        The nodal values with a record of the convergence.

    Raises:
        ConvergenceError: the tolerance was not reached; no unconverged solution is ever returned.
        ValueError: an unknown solver, a tolerance out of reach of the dtype, a `u0` of the wrong shape.
        ImportError: "direct" without scipy.

    Example:
        >>> import math, torch
        >>> from fem_diff import LagrangeSpace, Poisson, l2_error, solve, unit_square
        >>> exact = lambda x, y: torch.sin(math.pi * x) * torch.sin(math.pi * y)
        >>> source = lambda x, y: 2 * math.pi**2 * exact(x, y)
        >>> solution = solve(Poisson(LagrangeSpace(unit_square(32), degree=3), source=source))
        >>> bool(l2_error(solution, exact) < 3e-8)
        True
    """
    if solver not in _SOLVERS:
        raise ValueError(f"`solver` must be one of {', '.join(map(repr, _SOLVERS))}; got {solver!r}.")
    reachable = 20 * torch.finfo(problem.tables.weights.dtype).eps
    if not reachable <= tol < 1:
        raise ValueError(
            f"`tol` must lie in [{reachable:.1e}, 1) for {problem.tables.weights.dtype}; got {tol:g}. "
            "Use float64 for smaller tolerances."
        )
    if u0 is not None:
        u0 = problem.check_nodal("u0", u0).detach()
        check_finite("u0", u0, "at the nodes")
        if np.broadcast_shapes(u0.shape[: -problem.space.ndim], problem.batch) != problem.batch:
            raise ValueError(
                f"`u0` has batch axes {tuple(u0.shape[: -problem.space.ndim])}, the problem {problem.batch}. "
                "The batch of the solution is that of the problem."
            )
    run = _Run(_SOLVERS[solver](problem, tol), u0, callback)
    u = _Solve.apply(problem.diffusivity, problem.reaction, problem.load, problem.boundary, run)
    if run.record is None:
        raise RuntimeError("the solver left no record")
    return Solution(problem.space, u, iterations=run.record.iterations, residuals=run.record.residuals)


@dataclass
class _Run:
    """A prepared system, with what concerns the forward solve alone."""

    system: System
    start: Tensor | None = None
    callback: Callback | None = None
    record: Record | None = None


class _Solve(torch.autograd.Function):
    """u(nu, sigma, b, g): K(nu, sigma) u = b at free nodes, u = g at fixed ones.

    With the adjoint lambda (K lambda = du at free nodes, zero at fixed ones) the derivative of the loss is
    that of -lambda . (K u - b) in nu, sigma and b, and du - K lambda at the fixed nodes in g. All of it is
    written in differentiable functions, this one included, so that it can be differentiated again.
    """

    @staticmethod
    def forward(
        diffusivity: Tensor, reaction: Tensor | None, load: Tensor, boundary: Tensor, run: _Run
    ) -> Tensor:
        u, run.record = run.system.solve(load, boundary, run.start, run.callback)
        return u

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple, output: Tensor) -> None:
        *tensors, run = inputs
        ctx.save_for_backward(*tensors, output)
        ctx.system = run.system

    @staticmethod
    def backward(ctx: Any, *grad_outputs: Any) -> tuple:
        (grad,) = grad_outputs
        diffusivity, reaction, load, boundary, u = ctx.saved_tensors
        system, need = ctx.system, ctx.needs_input_grad
        tables, ndim = system.tables, system.space.ndim
        adjoint = _Solve.apply(diffusivity, reaction, grad, torch.zeros_like(boundary), _Run(system))
        value = reaction is not None
        of_u = differentiable_evaluate(u, tables, value=value)
        of_adjoint = differentiable_evaluate(adjoint, tables, value=value)
        grads: list[Tensor | None] = [None] * 5
        if need[0]:
            product = sum(a * b for a, b in zip(of_u[:ndim], of_adjoint[:ndim], strict=True))
            grads[0] = (-tables.weights * product).sum_to_size(diffusivity.shape)
        if need[1]:
            grads[1] = (-tables.weights * of_u[-1] * of_adjoint[-1]).sum_to_size(reaction.shape)
        if need[2]:
            grads[2] = adjoint.sum_to_size(load.shape)
        if need[3]:
            flux = [diffusivity * tables.weights * partial for partial in of_adjoint[:ndim]]
            if value:
                flux.append(reaction * tables.weights * of_adjoint[-1])
            kept = torch.where(
                system.free, 0.0, grad - differentiable_assemble(tuple(flux), tables, value=value)
            )
            grads[3] = kept.sum_to_size(boundary.shape)
        return tuple(grads)
