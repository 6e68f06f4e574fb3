"""Solutions of a problem, and their derivatives by the adjoint."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING, Any, Literal, cast

import numpy as np
import torch
from torch import Tensor

from fem_diff._base.autograd import tangents
from fem_diff._boxes.space import LagrangeSpace
from fem_diff._data.coefficients import check_finite
from fem_diff._field import Field
from fem_diff._forms.variational import EnergyProblem
from fem_diff._solvers.algebraic import Algebraic
from fem_diff._solvers.diagonalization import Diagonalization, pays
from fem_diff._solvers.direct import Direct
from fem_diff._solvers.matrix_free import MatrixFree
from fem_diff._solvers.nested import FEWEST, halved
from fem_diff._solvers.newton import minimise

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from jaxtyping import Float, Int

    from fem_diff._forms.form import Form
    from fem_diff._problems.poisson import Poisson
    from fem_diff._solvers.system import Callback, Record, System

_SOLVERS: dict[str, type[System]] = {
    "multigrid": MatrixFree,
    "diagonalization": Diagonalization,
    "direct": Direct,
    "amg": Algebraic,
}
_ON_BOXES = ("multigrid", "diagonalization")
FEW = {2: 30_000, 3: 5_000}  # nodes up to which the direct solver is about the faster one on simplices
ALGEBRAIC = 1e-10  # the tolerance of the solvers that do not stop at the floor


@dataclass(frozen=True)
class Solution(Field):
    """What `solve` returns.

    Attributes:
        space: of the solution.
        u: nodal values, with the batch axes of the problem; differentiable in the data of the problem.
        iterations: steps of the solver for each sample (1 for the direct one; for diagonalization how often
            the solution was corrected by that of its residual).
        residuals: the relative residual of each sample before the first and after each step, in the norm of
            the solver. A sample that has converged keeps its value.
    """

    iterations: Int[Tensor, "*batch"] = field(kw_only=True)
    residuals: Float[Tensor, "steps *batch"] = field(kw_only=True)

    def __repr__(self) -> str:
        steps, residual = int(self.iterations.max()), float(self.residuals[-1].max())
        return (
            f"Solution({self.space.label}, "
            f"batch={tuple(self.iterations.shape)}, iterations={steps}, residual={residual:.1e})"
        )


def solve(
    problem: Poisson | EnergyProblem,
    *,
    solver: Literal["auto", "multigrid", "diagonalization", "direct", "amg"] = "auto",
    tol: float | Literal["floor"] = 1e-10,
    u0: Float[Tensor, "*batch_nodes"] | None = None,
    callback: Callback | None = None,
) -> Solution:
    r"""The Galerkin solution: the minimiser of `energy` with the boundary values of the problem.

    Derivatives with respect to diffusivity, reaction, source, Dirichlet, Neumann and Robin data come from the
    adjoint problem $K \lambda = \partial L / \partial u$, one more solve with the same matrix and
    preconditioner; so do second and higher derivatives. For `Poisson` the transforms of torch.func work:
    grad, vjp, jvp, vmap (one batched solve) and what is made of them, such as jacrev, jacfwd and hessian; a
    tangent of a tangent (jvp of jvp) is an error.

    Args:
        problem: what to solve. All but `Poisson` is solved by Newton's method with conjugate gradients and
            multigrid (by one linear solve if the energy is quadratic).
        solver: "multigrid", matrix-free conjugate gradients preconditioned by a multigrid cycle and started
            from the solution on coarser meshes, which needs memory and time in proportion to the number of
            nodes and takes any coefficients; "diagonalization", the exact inverse by the eigenvectors along
            each direction, for constant coefficients without Robin conditions; "direct", sparse LU factors by
            scipy (the extra `direct`), on the CPU, for small problems and as a check; "amg", conjugate
            gradients preconditioned by the algebraic multigrid of pyamg (the extra `amg`), on the CPU. The
            first two are for boxes, the others for triangles and tetrahedra too. "auto" is "direct" for an
            `indefinite` problem and for small meshes of triangles (30,000 nodes) and tetrahedra (5,000),
            "amg" for larger ones; on boxes "diagonalization" where it applies and is faster (up to 1500
            nodes along a direction, 750 for the floor; 200 and 100 on a line), and "multigrid" for all
            others.
        tol: for "multigrid" a bound for the residual in the norm of the preconditioner, relative to the load,
            which is about the relative error in the energy norm, as for "diagonalization"; for "direct" a
            bound for the backward error. "floor" stops when the last step is small against the error of the
            space itself, which is estimated from the solution on cells of twice the size. The adjoint stops
            by the same rule, so derivatives then have an error of that size.
        u0: nodal values to start from; zero if left out. Not differentiated.
        callback: called with the step, the largest number of steps and the largest relative residual.

    Returns:
        The nodal values with a record of the convergence.

    Raises:
        NotImplementedError: a tangent of a tangent, or a transform of torch.func for another problem than
            `Poisson`.
        ConvergenceError: the tolerance was not reached; no unconverged solution is ever returned.
        ValueError: an unknown solver, one that the space or an indefinite problem does not admit, a tolerance
            out of reach of the dtype, a `u0` of the wrong shape; for a problem other than `Poisson` another
            solver than "multigrid", tol="floor", an energy that is not finite at the start, or a function
            that reads a tensor which wants a gradient beside `parameters`.
        ImportError: "direct" without scipy, "amg" without pyamg.

    Example:
        >>> import math, torch
        >>> from fem_diff import LagrangeSpace, Poisson, l2_error, solve, unit_square
        >>> exact = lambda x, y: torch.sin(math.pi * x) * torch.sin(math.pi * y)
        >>> source = lambda x, y: 2 * math.pi**2 * exact(x, y)
        >>> solution = solve(Poisson(LagrangeSpace(unit_square(32), degree=3), source=source))
        >>> bool(l2_error(solution, exact) < 3e-8)
        True
    """
    if solver not in ("auto", *_SOLVERS):
        raise ValueError(f"`solver` must be one of 'auto', {', '.join(map(repr, _SOLVERS))}; got {solver!r}.")
    reachable = 20 * torch.finfo(problem.tables.weights.dtype).eps
    if tol != "floor" and not reachable <= tol < 1:
        raise ValueError(
            f"`tol` must lie in [{reachable:.1e}, 1) for {problem.tables.weights.dtype}; got {tol:g}. "
            "Use float64 for smaller tolerances."
        )
    if u0 is not None:
        u0 = problem.check_nodal("u0", u0).detach()
        u0 = check_finite("u0", u0, "at the nodes")
        given = tuple(u0.shape[: -problem.fixed.dim()])
        if np.broadcast_shapes(given, problem.batch) != problem.batch:
            raise ValueError(
                f"`u0` has batch axes {given}, the problem {problem.batch}. "
                "The batch of the solution is that of the problem."
            )
    if isinstance(problem, EnergyProblem):
        if solver not in ("auto", "multigrid") or tol == "floor":
            raise ValueError(
                f"solver='diagonalization', solver='direct' and tol='floor' are for Poisson; for "
                f"{type(problem).__name__} use solver='multigrid' and a number."
            )
        u, record = minimise(problem, tol=tol, start=u0, callback=callback)
        return Solution(problem.space, u, iterations=record.iterations, residuals=record.residuals)
    space = problem.space
    if not isinstance(space, LagrangeSpace):
        if solver in _ON_BOXES or tol == "floor":
            raise ValueError(
                "solver='multigrid', solver='diagonalization' and tol='floor' are for a LagrangeSpace, not "
                f"for a {type(space).__name__}. Use solver='amg' or 'direct' and a number."
            )
        if solver == "auto":
            solver = "direct" if space.node_shape[0] <= FEW[space.ndim] else "amg"
    if problem.indefinite and solver in (*_ON_BOXES, "amg"):
        raise ValueError(
            f"{solver=} needs a positive definite problem; this one is `indefinite`. "
            "Use solver='direct' (the extra `direct`)."
        )
    if tol == "floor" and u0 is not None:
        raise ValueError("`tol`='floor' starts on a coarser mesh, so `u0` has no use. Leave one of them out.")
    if solver == "auto" and problem.indefinite:
        solver = "direct"
    kind = partial(_system, solver, tol == "floor")
    tol = max(reachable, ALGEBRAIC) if tol == "floor" else tol
    run = _Run(problem.form, problem.fixed, kind, tol, callback=callback)
    u = _Solve.apply(run, u0, problem.load, problem.boundary, *problem.coefficients)
    if run.record is None:
        raise RuntimeError("the solver left no record")
    return Solution(problem.space, u, iterations=run.record.iterations, residuals=run.record.residuals)


def _system(
    solver: str,
    to_the_floor: bool,
    form: Form,
    coefficients: Sequence[Tensor],
    fixed: Tensor,
    batch: tuple[int, ...],
    tol: float,
) -> System:
    """The system of a solver, chosen where torch.func shows plain tensors: the choice reads their values."""
    space = cast("LagrangeSpace", form.space)  # any other space comes with a solver and a number
    nests = to_the_floor and halved(space) is not None
    if solver == "auto":
        solver = "diagonalization" if pays(form, coefficients, fixed, nests=nests) else "multigrid"
    if not (to_the_floor and solver == "multigrid"):
        return _SOLVERS[solver](form, coefficients, fixed, batch, tol)
    if not nests:
        raise ValueError(
            f"`tol`='floor' needs an even number of elements, at least {2 * FEWEST}, in every direction; "
            f"got {space.mesh.elements}. Give `tol` as a number."
        )
    reachable = 20 * torch.finfo(form.tables.weights.dtype).eps
    return MatrixFree(form, coefficients, fixed, batch, reachable, to_the_floor=True)


@dataclass
class _Run:
    """What a solve needs beside tensors. The system made at the first solve is kept for the adjoint."""

    form: Form
    fixed: Tensor
    kind: Callable[..., System]
    tol: float
    callback: Callback | None = None
    system: System | None = None
    record: Record | None = None

    def batch_of(self, tensors: Sequence[Tensor]) -> tuple[int, ...]:
        """The common batch shape of load, boundary values and coefficients."""
        return np.broadcast_shapes(
            *(tuple(x.shape[: x.dim() - axes]) for x, axes in zip(tensors, self.axes, strict=True))
        )

    @property
    def axes(self) -> list[int]:
        """How many axes of each of the tensors are not batch axes."""
        return [self.form.space.axes] * 2 + [self.form.axes_of(term) for term in self.form.terms]

    def solve(
        self, start: Tensor | None, load: Tensor, boundary: Tensor, coefficients: Sequence[Tensor]
    ) -> Tensor:
        batch = self.batch_of((load, boundary, *coefficients))
        if self.system is None or not (self.system.has_one_matrix or _same(self.system.batch, batch)):
            self.system = self.kind(self.form, coefficients, self.fixed, batch, self.tol)
        u, self.record = self.system.solve(load, boundary, batch, start, self.callback)
        return u

    def adjoint(self) -> _Run:
        """The run of a further solve with the same matrix."""
        return replace(self, callback=None, record=None)


def _same(first: tuple[int, ...], second: tuple[int, ...]) -> bool:
    """Whether two batches hold the same samples in the same order."""
    return [n for n in first if n != 1] == [n for n in second if n != 1]


class _Solve(torch.autograd.Function):
    """u(b, g, c): K(c) u = b at free nodes, u = g at fixed ones.

    With the adjoint lambda (K lambda = du at free nodes, zero at fixed ones) the derivative of the loss is
    that of -lambda . (K u - b) in c and b, and du - K lambda at the fixed nodes in g. The tangent du solves
    K du = db - dK u with du = dg at the fixed nodes. All of it is written in differentiable functions, this
    one included, so that it can be differentiated again.
    """

    @staticmethod
    def forward(
        run: _Run, start: Tensor | None, load: Tensor, boundary: Tensor, *coefficients: Tensor
    ) -> Tensor:
        return run.solve(start, load, boundary, coefficients)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple, output: Tensor) -> None:
        run, _, *tensors = inputs
        ctx.save_for_backward(*tensors, output)
        ctx.save_for_forward(*tensors, output)
        ctx.run = run

    @staticmethod
    def backward(ctx: Any, *grad_outputs: Any) -> tuple:
        (grad,) = grad_outputs
        load, boundary, *coefficients, u = ctx.saved_tensors
        run, need = ctx.run, ctx.needs_input_grad[2:]
        form = run.form
        adjoint = _Solve.apply(run.adjoint(), None, grad, torch.zeros_like(boundary), *coefficients)
        grads: list[Tensor | None] = [None] * len(need)
        if need[0]:
            grads[0] = adjoint.sum_to_size(load.shape)
        if need[1]:
            kept = torch.where(run.fixed, grad - form.action(adjoint, coefficients), 0.0)
            grads[1] = kept.sum_to_size(boundary.shape)
        if any(need[2:]):
            each = zip(form.terms, coefficients, form.parts(u), form.parts(adjoint), strict=True)
            for k, (term, coefficient, of_u, of_adjoint) in enumerate(each, start=2):
                if need[k]:
                    grads[k] = -form.density(term, of_u, of_adjoint).sum_to_size(coefficient.shape)
        return None, None, *grads

    @staticmethod
    @tangents
    def jvp(ctx: Any, *directions: Any) -> Tensor:
        load, boundary, *coefficients, u = ctx.saved_tensors
        run, form = ctx.run, ctx.run.form
        of_load, of_boundary, *of_coefficients = directions[2:]
        moved = torch.zeros_like(load) if of_load is None else of_load
        changed = [
            torch.zeros_like(c) if dc is None else dc
            for c, dc in zip(coefficients, of_coefficients, strict=True)
        ]
        moved = moved - form.action(u, changed)
        given = (
            torch.zeros_like(boundary) if of_boundary is None else torch.where(run.fixed, of_boundary, 0.0)
        )
        return _Solve.apply(run.adjoint(), None, moved, given, *coefficients)

    @staticmethod
    def vmap(info: Any, in_dims: tuple, *inputs: Any) -> tuple:
        run, start, *tensors = inputs
        dims = in_dims[2:]
        most = max(
            x.dim() - axes - (dim is not None) for x, axes, dim in zip(tensors, run.axes, dims, strict=True)
        )

        def first(x: Tensor, axes: int, dim: int | None) -> Tensor:
            """The mapped axis in front of all batch axes, so that they broadcast as before."""
            if dim is None:
                return x
            x = x.movedim(dim, 0)
            return x.reshape(len(x), *(1,) * (most + 1 + axes - x.dim()), *x.shape[1:])

        moved = [first(x, axes, dim) for x, axes, dim in zip(tensors, run.axes, dims, strict=True)]
        if start is not None:
            start = first(start, run.form.space.axes, in_dims[1])
        return _Solve.apply(run, start, *moved), 0
