"""Preconditioned conjugate gradients for a batch of symmetric positive definite systems."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor

if TYPE_CHECKING:
    from collections.abc import Callable

    from jaxtyping import Float, Int


RESTARTS = 3
VERIFIED = 2  # a residual computed anew may exceed the tolerance by this factor


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
        callback: called with the step, `limit` and the largest relative residual after each step.

    Returns:
        x, the steps of each sample, and the relative residual norm before the first and after each step.

    Raises:
        ConvergenceError: `limit` steps are done, or restarts stop helping, before every sample has converged.
    """

    def dot(a: Tensor, b: Tensor) -> Tensor:
        return (a * b).flatten(1).sum(1)

    def column(scalars: Tensor) -> Tensor:
        return scalars.view(-1, *(1,) * (rhs.dim() - 1))

    def norm(squares: Tensor) -> Tensor:
        return squares.clamp_min(0).sqrt() / scale

    scale = rhs.new_ones(len(rhs))
    scale = norm(dot(rhs, preconditioner(rhs)))
    some = scale > 0
    scale = torch.where(some, scale, 1.0)  # a load of zero has the solution zero
    x = torch.zeros_like(rhs) if start is None else torch.where(column(some), start, 0.0)
    iterations = torch.zeros(len(rhs), dtype=torch.int64, device=rhs.device)
    history: list[Tensor] = []
    step = restarts = 0
    while True:
        r = rhs - operator(x) if step or start is not None else rhs.clone()
        z = preconditioner(r)
        rz = dot(r, z)
        residual = norm(rz)
        history = history or [residual]
        if float(residual.max()) <= (VERIFIED * tol if step else tol):
            return x, iterations, torch.stack(history)
        if restarts > RESTARTS:
            raise _stalled(residual, step, tol)
        restarts += 1
        active = residual > tol
        p, worst = z, float("inf")
        while worst > tol:
            if step == limit:
                raise _stalled(residual, step, tol)
            step += 1
            ap = operator(p)
            alpha = column(torch.where(active, rz / torch.where(active, dot(p, ap), 1.0), 0.0))
            x.addcmul_(alpha, p)
            r.addcmul_(alpha, ap, value=-1)
            z = preconditioner(r)
            new = dot(r, z)
            iterations += active
            residual = torch.where(active, norm(new), residual)
            history.append(residual)
            worst = float(residual.max())
            if callback is not None:
                callback(step, limit, worst)
            beta = torch.where(active, new / torch.where(active, rz, 1.0), 0.0)
            active = active & (residual > tol)
            p, rz = z.addcmul_(column(beta), p), new


def _stalled(residual: Tensor, step: int, tol: float) -> ConvergenceError:
    worst = int(residual.argmax())
    where = f" in sample {worst}" if len(residual) > 1 else ""
    return ConvergenceError(
        f"conjugate gradients stand at the relative residual {float(residual[worst]):.3g}{where} "
        f"after {step} steps, short of `tol` = {tol:g}. Use float64, a larger `tol`, or solver='direct'."
    )
