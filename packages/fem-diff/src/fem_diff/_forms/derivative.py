"""Derivatives of functions of tensors by autograd.

Not by torch.func, whose first use imports the compiler of torch, which takes many seconds.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence


def pulled_back(
    function: Callable[..., Tensor | tuple[Tensor, ...]],
    inputs: Sequence[Tensor],
    cotangents: Tensor | Sequence[Tensor] | None = None,
) -> tuple[Tensor, ...]:
    """The transposed derivative of `function` at `inputs` applied to `cotangents` (1 if left out).

    Derivatives are partial, also where one input has been computed from another, and zero for an input that
    the function does not read. With grad mode they are differentiable again.
    """
    again = torch.is_grad_enabled()
    with torch.enable_grad():
        aliases = [
            part.view_as(part) if again and part.requires_grad else part.detach().requires_grad_()
            for part in inputs
        ]
        outputs = function(*aliases)
        many = outputs if isinstance(outputs, tuple) else (outputs,)
        given = [None] * len(many) if cotangents is None else cotangents
        given = (given,) if isinstance(given, Tensor) else given
        pairs = [(out, c) for out, c in zip(many, given, strict=True) if out.requires_grad]
        if not pairs:
            return tuple(torch.zeros_like(part) for part in inputs)
        reached, weights = zip(*pairs, strict=True)
        return torch.autograd.grad(reached, aliases, weights, create_graph=again, materialize_grads=True)
