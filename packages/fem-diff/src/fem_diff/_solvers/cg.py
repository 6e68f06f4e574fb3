"""Preconditioned conjugate gradients for a batch of symmetric positive definite systems."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import torch
from torch import Tensor

if TYPE_CHECKING:
    from collections.abc import Callable

    from jaxtyping import Float, Int, Shaped


RESTARTS = 3
VERIFIED = 2  # a residual computed anew may exceed the tolerance by this factor
ROUNDING = 4  # multiples of eps, relative to x, below which steps change nothing


class ConvergenceError(RuntimeError):
    """A solver could not reach the tolerance. No solution is returned in this case."""


def conjugate_gradients(
    operator: Callable[[Tensor], Tensor],
    preconditioner: Callable[[Tensor], Tensor],
    rhs: Float[Tensor, "batch *nodes"],
    *,
    tol: float,
    limit: int,
    start: Float[Tensor, "batch *nodes"] | None = None,
    settled: float = 0.0,
    callback: Callable[[int, int, float], None] | None = None,
) -> tuple[Float[Tensor, "batch *nodes"], Int[Tensor, " batch"], Float[Tensor, "steps batch"]]:
    r"""Solves A x = b for each sample, which stops on its own when $\sqrt{r^T M r} \le tol \sqrt{b^T M b}$.

    With a good preconditioner M these are the energy norms of error and solution, so `tol` bounds the
    relative error of x in the energy norm. After the last step the residual b - A x is computed anew; where
    rounding has driven it away from the recursion, the iteration is restarted from x.

    Args:
        operator: A.
        preconditioner: M, symmetric and positive definite.
        rhs: b.
        tol: see above.
        limit: steps in all.
        start: x to begin with; zero if left out.
        settled: a sample stops too when a step is at most this fraction of the way from `start` to x, both in
            the Euclidean norm.
        callback: called with the step, `limit` and the largest relative residual after each step.

    Returns:
        x, the steps of each sample, and the relative residual norm before the first and after each step.

    Raises:
        ConvergenceError: `limit` steps are done, or restarts stop helping, before every sample has converged;
            or M turns out not to be positive definite.
    """
    z, rz = preconditioned(preconditioner, rhs)
    some = rz > 0  # a load of zero has the solution zero
    scale = torch.where(some, rz, 1.0).sqrt()
    x = torch.zeros_like(rhs) if start is None else torch.where(column(some, start), start, 0.0)
    first = x.clone() if settled else x
    iterations = torch.zeros(len(rhs), dtype=torch.int64, device=rhs.device)
    done = ~some
    history: list[Tensor] = []
    residual, step, reached = scale, 0, torch.full_like(scale, tol)
    for restart in range(RESTARTS + 2):
        if step or start is not None:
            r = rhs - operator(x)
            z, rz = preconditioned(preconditioner, r)
        else:
            r = rhs.clone()
        residual = rz.sqrt() / scale
        history = history or [residual]
        if bool((residual <= (VERIFIED * reached if step else reached)).all()):
            return x, iterations, torch.stack(history)
        done = residual <= tol
        if restart > RESTARTS:
            break
        p, running = z.clone(), True
        while running:
            if step == limit:
                raise _stalled(residual, done, step, tol)
            step += 1
            ap = operator(p)
            alpha = torch.where(done, 0.0, rz / torch.where(done, 1.0, dot(p, ap)))
            x.addcmul_(column(alpha, x), p)
            r.addcmul_(column(alpha, x), ap, value=-1)
            z, new = preconditioned(preconditioner, r)
            iterations += ~done
            residual = torch.where(done, residual, new.sqrt() / scale)
            history.append(residual)
            if callback is not None:
                callback(step, limit, float(residual.max()))
            beta = torch.where(done, 0.0, new / torch.where(done, 1.0, rz))
            small = residual <= tol
            if settled:
                length, way = alpha.abs() * dot(p, p).sqrt(), x - first
                rounding = ROUNDING * torch.finfo(x.dtype).eps * dot(x, x).sqrt()
                small |= length <= torch.maximum(settled * dot(way, way).sqrt(), rounding)
            done = done | small
            reached = torch.where(done, torch.clamp(residual, min=tol), tol)
            running = not bool(done.all())
            p, rz = z.addcmul_(column(beta, x), p), new
    raise _stalled(residual, done, step, tol)


def improved(
    operator: Callable[[Tensor], Tensor],
    preconditioner: Callable[[Tensor], Tensor],
    rhs: Float[Tensor, "batch *nodes"],
    x: Float[Tensor, "batch *nodes"],
    steps: int,
) -> Float[Tensor, "batch *nodes"]:
    """X after a few steps of conjugate gradients, in place; a sample in which only rounding is left rests."""
    r = rhs - operator(x)
    p = z = preconditioner(r)
    rz = dot(r, z)
    least = (ROUNDING * torch.finfo(x.dtype).eps) ** 2 * rz
    for k in range(steps):
        ap = operator(p)
        energy = dot(p, ap)
        some = (energy > 0) & (rz > least)
        alpha = torch.where(some, rz / torch.where(some, energy, 1.0), 0.0)
        alpha = column(alpha, x)
        x.addcmul_(alpha, p)
        if k + 1 < steps:
            r.addcmul_(alpha, ap, value=-1)
            z = preconditioner(r)
            rz, old = dot(r, z), rz
            beta = torch.where(old > 0, rz / torch.where(old > 0, old, 1.0), 0.0)
            p = z.addcmul_(column(beta, x), p)
    return x


def preconditioned(preconditioner: Callable[[Tensor], Tensor], r: Tensor) -> tuple[Tensor, Tensor]:
    """M r and r^T M r.

    Raises:
        ConvergenceError: M turns out not to be positive definite.
    """
    z = preconditioner(r)
    rz = dot(r, z)
    if (rz < 0).any():
        raise ConvergenceError(
            f"the preconditioner is not positive definite in sample {int(rz.argmin())}. "
            "Use solver='direct', or coefficients of less contrast."
        )
    return z, rz


def column(scalars: Shaped[Tensor, " batch"], like: Float[Tensor, "batch *nodes"]) -> Tensor:
    """One number for each sample, in a shape that broadcasts with `like`."""
    return scalars.view(-1, *(1,) * (like.dim() - 1))


def dot(a: Float[Tensor, "batch *nodes"], b: Float[Tensor, "batch *nodes"]) -> Float[Tensor, " batch"]:
    """The inner product of each sample, without an array of products."""
    size = (len(a), 1, math.prod(a.shape[1:]))
    return torch.bmm(a.reshape(size), b.reshape(size).transpose(1, 2)).view(-1)


def _stalled(residual: Tensor, done: Tensor, step: int, tol: float) -> ConvergenceError:
    worst = int(torch.where(done, -1.0, residual).argmax())
    where = f" in sample {worst}" if len(residual) > 1 else ""
    return ConvergenceError(
        f"conjugate gradients stand at the relative residual {float(residual[worst]):.3g}{where} "
        f"after {step} steps, short of `tol` = {tol:g}. Use float64, a larger `tol`, or solver='direct'."
    )
