"""Minimisers of energies by an inexact Newton method, and their derivatives."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor
from torch._C._functorch import get_interpreter_stack

from fem_diff._solvers.cg import ConvergenceError, column, conjugate_gradients, dot, preconditioned
from fem_diff._solvers.implicit import implicit
from fem_diff._solvers.system import Callback, Record

if TYPE_CHECKING:
    from jaxtyping import Bool, Float

    from fem_diff._forms.variational import EnergyProblem, Linearised

LIMIT = 50  # Newton steps before giving up
CG_LIMIT = 1000  # steps of conjugate gradients for one linear equation
HALVINGS = 30  # of a Newton step before giving up
DECREASE = 1e-4  # of the energy, relative to what the slope promises (Armijo)
FORCING = 0.1  # the largest relative residual at which the linear equation of a Newton step is left
FLAT = 1e-5  # curvature, relative to the preconditioner's, that counts as none: float32 cycles leave some
ROUNDING = 100  # units of rounding by which an energy may rise, being a sum of many terms


def minimise(
    problem: EnergyProblem, *, tol: float, start: Tensor | None = None, callback: Callback | None = None
) -> tuple[Float[Tensor, "*batch_unknowns"], Record]:
    """The minimiser, differentiable in the data of the problem, and how it was reached.

    Raises:
        NotImplementedError: within a transform of torch.func.
    """
    if get_interpreter_stack():
        raise NotImplementedError(
            "the transforms of torch.func go through `solve` for Poisson alone. Use torch.autograd: "
            "backward(), grad(), functional.hessian(); and batch axes in place of vmap."
        )
    free, shape = ~problem.fixed, tuple(problem.fixed.shape)
    with torch.no_grad():
        begin = problem.lift() if start is None else problem.impose(start.detach())
        begin = begin.expand(*problem.batch, *shape).reshape(-1, *shape).contiguous()
        u, record = (_linear if problem.quadratic else _newton)(problem, begin, free, tol, callback)
        u = u.view(*problem.batch, *shape)
    record = Record(record.iterations.view(problem.batch), record.residuals.view(-1, *problem.batch))
    prepared: list[Linearised] = []

    def solve(rhs: Tensor) -> Tensor:
        if not prepared:  # only a backward pass needs it, and then again for every further derivative
            prepared.append(problem.linearise(u.reshape(-1, *shape)))
        flat = torch.where(free, rhs, 0.0).reshape(-1, *shape)
        k = prepared[0]
        x, _, _ = conjugate_gradients(k.operator, k.preconditioner, flat, tol=tol, limit=CG_LIMIT)
        return x.view_as(rhs)

    data = (problem.boundary, *problem.data)
    if problem.functional(u, *(part.detach() for part in problem.data)).requires_grad:
        raise ValueError(
            "a function given to the problem reads a tensor that requires a gradient, which it would not get "
            "from `solve`. Hand it over in `parameters`, which the function takes after the coordinates."
        )
    return problem.impose(implicit(u, data, problem.residual_of, solve)), record


def _linear(
    problem: EnergyProblem, u: Tensor, free: Bool[Tensor, "*unknowns"], tol: float, callback: Callback | None
) -> tuple[Tensor, Record]:
    shape = u.shape
    lift = problem.lift().expand(*problem.batch, *free.shape).reshape(shape)
    rhs = -problem.residual(lift.view(*problem.batch, *free.shape)).reshape(shape)
    k = problem.linearise(u)
    x, iterations, residuals = conjugate_gradients(
        k.operator, k.preconditioner, rhs, tol=tol, limit=CG_LIMIT, start=u - lift, callback=callback
    )
    return lift + x, Record(iterations, residuals)


def _newton(
    problem: EnergyProblem, u: Tensor, free: Bool[Tensor, "*unknowns"], tol: float, callback: Callback | None
) -> tuple[Tensor, Record]:
    r"""Newton's method with conjugate gradients, cut off at negative curvature, and a line search.

    A sample is done when $(r^T M r)^{1/2} \le tol\, s$, where r is the residual, M the preconditioner at u,
    and s the largest energy norm of u, or value of the left side, met so far. The linear equations are solved
    to the relative residual min(0.1, that of the nonlinear equation), which keeps convergence quadratic
    (Dembo, Eisenstat & Steihaug 1982).
    """
    full = (*problem.batch, *free.shape)

    def energy_of(v: Tensor) -> Tensor:
        return problem.functional(v.view(full), *problem.data).reshape(-1)

    value = energy_of(u)
    if not value.isfinite().all():
        k = int((~value.isfinite()).nonzero()[0])
        raise ValueError(
            f"the energy of sample {k} is {float(value[k]):g} at the start. "
            "Give a `u0` at which it is finite."
        )
    iterations = torch.zeros(len(u), dtype=torch.int64, device=u.device)
    scale, history = u.new_zeros(len(u)), []
    relative, step = scale, 0
    for step in range(LIMIT + 1):
        r = problem.residual(u.view(full)).reshape(u.shape)
        k = problem.linearise(u)
        norm = preconditioned(k.preconditioner, r)[1].sqrt()
        scale = torch.maximum(scale, torch.maximum(norm, k.size))
        relative = norm / torch.where(scale > 0, scale, 1.0)
        history.append(relative)
        worst = float(relative.max())
        if step and callback is not None:
            callback(step, LIMIT, worst)
        if worst <= tol:
            return u, Record(iterations, torch.stack(history))
        if not worst < float("inf") or step == LIMIT:
            break
        active = relative > tol
        iterations += active
        forcing = torch.maximum(relative.clamp_max(FORCING), 0.3 * tol / relative.clamp_min(tol))
        direction = _truncated(k, -r, torch.where(active, forcing, 1.0))
        slope = dot(r, direction)
        slack = ROUNDING * torch.finfo(u.dtype).eps * (value.abs() + scale.square())
        length = active.to(u.dtype)
        for _ in range(HALVINGS):
            trial = u + column(length, u) * direction
            reached = energy_of(trial)
            short = ~(reached <= value + DECREASE * length * slope + slack)  # NaN is too far as well
            if not short.any():
                break
            length = torch.where(short, length / 2, length)
        else:
            break
        u, value = trial, reached
    worst = int(torch.nan_to_num(relative, nan=float("inf")).argmax())
    where = f" in sample {worst}" if len(u) > 1 else ""
    raise ConvergenceError(
        f"Newton's method stands at the relative residual {float(relative[worst]):.3g}{where} after {step} "
        f"steps, short of `tol` = {tol:g}. Start nearer to the solution (`u0`), use a larger `tol`, float64, "
        "or, in time, a smaller step; see that the energy is bounded below and twice differentiable."
    )


def _truncated(k: Linearised, rhs: Tensor, forcing: Float[Tensor, " samples"]) -> Tensor:
    """Conjugate gradients to a relative residual, each sample cut off where the curvature is not positive.

    The result is a direction of descent also for an indefinite operator (Steihaug 1983): with negative
    curvature at the first step it is the preconditioned residual.
    """
    x, r = torch.zeros_like(rhs), rhs.clone()
    z, rz = preconditioned(k.preconditioner, r)
    p = z
    goal = forcing.square() * rz
    active = rz > goal
    for step in range(CG_LIMIT):
        if not active.any():
            break
        ap = k.operator(p)
        curvature = dot(p, ap)
        concave = active & ~(curvature > FLAT * rz)
        if step == 0:
            x = torch.where(column(concave, x), p, x)
        active = active & ~concave
        alpha = column(torch.where(active, rz / torch.where(active, curvature, 1.0), 0.0), x)
        x = x + alpha * p
        r = r - alpha * ap
        z, new = preconditioned(k.preconditioner, r)
        p = z + column(new / torch.where(rz > 0, rz, 1.0), x) * p
        rz = new
        active = active & (rz > goal)
    return x
