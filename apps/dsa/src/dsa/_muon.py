"""Muon (Jordan et al., 2024): momentum, made orthogonal, for the weights of a network."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import nn

if TYPE_CHECKING:
    from torch import Tensor

MOMENTUM = 0.95
QUINTIC = (3.4445, -4.7750, 2.0315)
"""Of the iteration that drives all singular values towards one; Jordan's coefficients."""
ADAM_SHARE = 0.1
"""Learning rate of biases, scales and the last layer, which Adam moves, over that of the matrices."""


def optimizers(model: nn.Module, last: nn.Module, learning_rate: float) -> list[torch.optim.Optimizer]:
    """Muon for the hidden weights of `model`, Adam for the rest.

    Args:
        model: with linear layers and convolutions.
        last: its last layer, which is Adam's.
        learning_rate: Muon's; Adam's is a tenth of it.
    """
    output = {id(parameter) for parameter in last.parameters()}
    hidden = [p for p in model.parameters() if p.dim() > 1 and id(p) not in output]
    chosen = {id(parameter) for parameter in hidden}
    rest = [p for p in model.parameters() if id(p) not in chosen]
    return [
        Muon(hidden, learning_rate),
        torch.optim.Adam(rest, lr=ADAM_SHARE * learning_rate, betas=(0.9, 0.99)),
    ]


class Muon(torch.optim.Optimizer):
    """Steps along the momentum with all its singular values set to about one.

    A convolution counts as the matrix (out, in * height * width). Nesterov momentum; the step of a tall
    matrix is longer by the square root of its ratio of sides.
    """

    def __init__(self, parameters: list[nn.Parameter], learning_rate: float) -> None:
        super().__init__(parameters, {"lr": learning_rate})

    @torch.no_grad()
    def step(self, closure: None = None) -> None:  # pyright: ignore[reportIncompatibleMethodOverride]
        """Moves every parameter that has a gradient."""
        for group in self.param_groups:
            for parameter in group["params"]:
                if parameter.grad is None:
                    continue
                state = self.state[parameter]
                if not state:
                    state["momentum"] = torch.zeros_like(parameter)
                momentum = state["momentum"].lerp_(parameter.grad, 1 - MOMENTUM)
                direction = orthogonalised(parameter.grad.lerp(momentum, MOMENTUM).flatten(1))
                rows, columns = direction.shape
                parameter.add_(
                    direction.view_as(parameter), alpha=-group["lr"] * max(1.0, rows / columns) ** 0.5
                )


def orthogonalised(matrix: Tensor) -> Tensor:
    """The matrix with its singular values moved to between about 0.7 and 1.2, by five quintic steps."""
    a, b, c = QUINTIC
    is_tall = matrix.shape[0] > matrix.shape[1]
    x = matrix.T if is_tall else matrix
    x = x / x.norm().clamp_min(torch.finfo(x.dtype).tiny)
    for _ in range(5):
        gram = x @ x.T
        x = a * x + (b * gram + c * gram @ gram) @ x
    return x.T if is_tall else x
