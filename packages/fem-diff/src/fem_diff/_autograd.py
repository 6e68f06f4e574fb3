"""`evaluate` and `assemble` for autograd: each is the derivative of the other, so any order of it works."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from fem_diff._contract import Tables, assemble, evaluate


class _Evaluate(torch.autograd.Function):
    @staticmethod
    def forward(u: Tensor, tables: Tables, gradient: bool, value: bool) -> tuple[Tensor, ...]:
        return tuple(evaluate(u, tables, gradient=gradient, value=value))

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple, output: tuple) -> None:
        _, *ctx.arguments = inputs

    @staticmethod
    def backward(ctx: Any, *grads: Any) -> tuple:
        return _Assemble.apply(*ctx.arguments, *grads), None, None, None


class _Assemble(torch.autograd.Function):
    @staticmethod
    def forward(tables: Tables, gradient: bool, value: bool, *parts: Tensor) -> Tensor:
        return assemble(list(parts), tables, gradient=gradient, value=value)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple, output: Tensor) -> None:
        ctx.arguments = inputs[:3]

    @staticmethod
    def backward(ctx: Any, *grads: Any) -> tuple:
        return None, None, None, *_Evaluate.apply(*grads, *ctx.arguments)


def differentiable_evaluate(
    u: Tensor, tables: Tables, *, gradient: bool = True, value: bool = True
) -> tuple[Tensor, ...]:
    """`evaluate`, differentiable any number of times."""
    return _Evaluate.apply(u, tables, gradient, value)


def differentiable_assemble(
    parts: tuple[Tensor, ...], tables: Tables, *, gradient: bool = True, value: bool = True
) -> Tensor:
    """`assemble`, differentiable any number of times."""
    return _Assemble.apply(tables, gradient, value, *parts)
