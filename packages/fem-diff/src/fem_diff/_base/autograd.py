"""`evaluate` and `assemble` for autograd: each is the derivative of the other, so any order of it works.

So do the transforms of torch.func: every function here has its rules for tangents and batches.
"""

from __future__ import annotations

from functools import wraps
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor
from torch._C._functorch import TransformType, get_interpreter_stack

if TYPE_CHECKING:
    from collections.abc import Callable

    from fem_diff._base.discrete import Tables


def tangents(rule: Callable[..., Any]) -> Callable[..., Any]:
    """A rule for tangents that refuses the tangent of a tangent.

    PyTorch runs such rules with tangents switched off, and so would lose terms of the second one without a
    word.
    """

    @wraps(rule)
    def guarded(*arguments: Any) -> Any:
        stack = get_interpreter_stack() or ()
        if sum(interpreter.key() == TransformType.Jvp for interpreter in stack) > 1:
            raise NotImplementedError(
                "a tangent of a tangent (jvp of jvp, jacfwd of jacfwd) gets lost in PyTorch. Take one of the "
                "two derivatives in reverse: torch.func.hessian, or jacfwd of jacrev."
            )
        return rule(*arguments)

    return guarded


class _Evaluate(torch.autograd.Function):
    @staticmethod
    def forward(u: Tensor, tables: Tables, gradient: bool, value: bool) -> tuple[Tensor, ...]:
        return tuple(tables.evaluate(u, gradient=gradient, value=value))

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple, output: tuple) -> None:
        _, *ctx.arguments = inputs

    @staticmethod
    def backward(ctx: Any, *grads: Any) -> tuple:
        return _Assemble.apply(*ctx.arguments, *grads), None, None, None

    @staticmethod
    @tangents
    def jvp(ctx: Any, *directions: Any) -> tuple:
        return _Evaluate.apply(directions[0], *ctx.arguments)

    @staticmethod
    def vmap(info: Any, in_dims: tuple, *inputs: Any) -> tuple:
        u, *arguments = inputs
        parts = _Evaluate.apply(u.movedim(in_dims[0], 0), *arguments)
        return parts, (0,) * len(parts)


class _Assemble(torch.autograd.Function):
    @staticmethod
    def forward(tables: Tables, gradient: bool, value: bool, *parts: Tensor) -> Tensor:
        return tables.assemble(list(parts), gradient=gradient, value=value)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple, output: Tensor) -> None:
        ctx.arguments = inputs[:3]

    @staticmethod
    def backward(ctx: Any, *grads: Any) -> tuple:
        return None, None, None, *_Evaluate.apply(*grads, *ctx.arguments)

    @staticmethod
    @tangents
    def jvp(ctx: Any, *directions: Any) -> Tensor:
        return _Assemble.apply(*ctx.arguments, *directions[3:])

    @staticmethod
    def vmap(info: Any, in_dims: tuple, *inputs: Any) -> tuple:
        arguments, parts = inputs[:3], inputs[3:]
        moved = [
            part.expand(info.batch_size, *part.shape) if dim is None else part.movedim(dim, 0)
            for part, dim in zip(parts, in_dims[3:], strict=True)
        ]
        return _Assemble.apply(*arguments, *moved), 0


class _Checked(torch.autograd.Function):
    """The identity, which shows the plain values to a check: within torch.func they are wrapped outside."""

    @staticmethod
    def forward(values: Tensor, check: Callable[[Tensor], None]) -> Tensor:
        check(values)
        return values.view_as(values)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple, output: Tensor) -> None:
        pass

    @staticmethod
    def backward(ctx: Any, *grads: Any) -> tuple:
        return *grads, None

    @staticmethod
    @tangents
    def jvp(ctx: Any, *directions: Any) -> Tensor:
        return directions[0].view_as(directions[0])

    @staticmethod
    def vmap(info: Any, in_dims: tuple, *inputs: Any) -> tuple:
        values, check = inputs
        return _Checked.apply(values.movedim(in_dims[0], 0), check), 0


def checked(values: Tensor, check: Callable[[Tensor], None]) -> Tensor:
    """Returns `values` after `check`, which raises what is wrong with them; works within torch.func too."""
    return _Checked.apply(values, check)


def plain(constant: Tensor) -> Tensor:
    """A tensor that depends on no data, without the wrappers of torch.func.

    A rule for tangents runs at the level of its transform; a tensor wrapped at a level further inside, where
    the problem was made, would be an error there.
    """
    shown: list[Tensor] = []
    checked(constant, shown.append)
    return shown[0]


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


def integrals(values: Tensor, tables: Tables) -> Tensor:
    """The integrals of a function, given at the quadrature points, against the basis functions."""
    return differentiable_assemble((values * tables.weights,), tables, gradient=False)
