"""Derivatives of solutions of equations, of any order, by the adjoint."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from fem_diff._forms.derivative import pulled_back

if TYPE_CHECKING:
    from collections.abc import Callable


def implicit(
    solution: Tensor,
    data: tuple[Tensor, ...],
    residual: Callable[..., Tensor],
    solve: Callable[[Tensor], Tensor],
) -> Tensor:
    r"""`solution` x of R(x, p) = 0, differentiable in the data p.

    $dx = -K^{-1} \partial_p R\, dp$ with $K = \partial_x R$ symmetric. The backward pass solves
    $K \lambda = \partial L / \partial x$ once; lambda is itself the solution of an equation with the data
    $(\partial L / \partial x, x, p)$, so the same rule gives second and higher derivatives.

    Args:
        solution: x, without a graph.
        data: p.
        residual: R(x, *p), differentiable in all of them any number of times.
        solve: K^{-1} at x, without a graph.
    """
    return _Implicit.apply(_Equation(solution, residual, solve), *data)


@dataclass(frozen=True)
class _Equation:
    solution: Tensor
    residual: Callable[..., Tensor]
    solve: Callable[[Tensor], Tensor]


class _Implicit(torch.autograd.Function):
    @staticmethod
    def forward(equation: _Equation, *data: Tensor) -> Tensor:
        return equation.solution.clone()

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple, output: Tensor) -> None:
        ctx.equation, *data = inputs
        ctx.save_for_backward(output, *data)

    @staticmethod
    def backward(ctx: Any, *grads: Any) -> tuple:
        (grad,), (x, *data), equation = grads, ctx.saved_tensors, ctx.equation
        with torch.no_grad():
            found = equation.solve(grad)

        def adjoint_residual(y: Tensor, grad: Tensor, x: Tensor, *data: Tensor) -> Tensor:
            return pulled_back(lambda v: equation.residual(v, *data), [x], y)[0] - grad

        adjoint = implicit(found, (grad, x, *data), adjoint_residual, equation.solve)
        wanted = [k for k, need in enumerate(ctx.needs_input_grad[1:]) if need]

        def of_wanted(*some: Tensor) -> Tensor:
            chosen = dict(zip(wanted, some, strict=True))
            return equation.residual(x, *(chosen.get(k, part) for k, part in enumerate(data)))

        found_for = dict(
            zip(wanted, pulled_back(of_wanted, [data[k] for k in wanted], -adjoint), strict=True)
        )
        return None, *(found_for.get(k) for k in range(len(data)))
