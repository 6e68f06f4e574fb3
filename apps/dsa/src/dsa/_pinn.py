r"""A physics-informed network (Raissi et al., 2019) for $-\nabla\cdot(\nu\nabla u) = f$ on the unit square.

A multilayer perceptron with tanh, whose second derivatives are carried along in the forward pass, so that one
backward pass gives the gradient of the squared residual.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

import torch
from torch import nn

from dsa._cases import gradient
from fem_diff import LagrangeSpace, unit_square

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import Tensor

    from dsa._cases import Case

HIDDEN = (40, 40, 40)
INTERIOR, BOUNDARY = 1024, 256
CHUNK = 10
POINTS = 4096
"""Of an error that are evaluated at a time: what the network keeps for them stays in the cache."""


@dataclass(frozen=True)
class Jet:
    """A function of x and y with its gradient and its Laplacian at some points."""

    value: Tensor
    x: Tensor
    y: Tensor
    laplacian: Tensor

    def times(self, other: Jet) -> Jet:
        """The product, by Leibniz's rule."""
        cross = self.x * other.x + self.y * other.y
        return Jet(
            self.value * other.value,
            self.x * other.value + self.value * other.x,
            self.y * other.value + self.value * other.y,
            self.laplacian * other.value + 2 * cross + self.value * other.laplacian,
        )


class Pinn(nn.Module):
    """A perceptron from points of the unit square to u.

    Args:
        hard: multiplies the network by x (1 - x) y (1 - y), so that u = 0 on the boundary by construction.
        generator: of the initial weights, Glorot's.
    """

    def __init__(self, *, hard: bool, generator: torch.Generator) -> None:
        super().__init__()
        self.hard = hard
        sizes = (2, *HIDDEN, 1)
        layers = [nn.Linear(a, b, dtype=torch.float64) for a, b in pairwise(sizes)]
        for layer in layers:
            nn.init.xavier_normal_(layer.weight, generator=generator)
            nn.init.zeros_(layer.bias)
        self.first, self.rest = layers[0], nn.ModuleList(layers[1:])

    def forward(self, x: Tensor, y: Tensor) -> Jet:
        """The network at the points (x, y), both of shape (points,)."""
        zero, one = torch.zeros_like(x), torch.ones_like(x)
        points = torch.stack([2 * x - 1, 2 * y - 1], -1)
        jet = _linear(
            self.first,
            Jet(points, torch.stack([2 * one, zero], -1), torch.stack([zero, 2 * one], -1), 0 * points),
        )
        for layer in self.rest:
            assert isinstance(layer, nn.Linear)
            t = torch.tanh(jet.value)
            slope = 1 - t.square()
            bend = -2 * t * slope * (jet.x.square() + jet.y.square())
            jet = _linear(layer, Jet(t, slope * jet.x, slope * jet.y, slope * jet.laplacian + bend))
        jet = Jet(*(part.squeeze(-1) for part in (jet.value, jet.x, jet.y, jet.laplacian)))
        if not self.hard:
            return jet
        bx, by = x * (1 - x), y * (1 - y)
        return jet.times(Jet(bx * by, (1 - 2 * x) * by, bx * (1 - 2 * y), -2 * (bx + by)))


def _linear(layer: nn.Linear, jet: Jet) -> Jet:
    parts = (nn.functional.linear(part, layer.weight) for part in (jet.x, jet.y, jet.laplacian))
    return Jet(layer(jet.value), *parts)


def train(
    case: Case,
    *,
    hard: bool,
    seconds: float,
    generator: torch.Generator,
    report: Callable[[float, float], None],
) -> Pinn:
    """Trains until `seconds` of CPU time are over: L-BFGS on the mean squared residual, as Raissi et al. do.

    The residual is divided by the diffusivity: -laplace u - grad log(nu) . grad u - f / nu. Without `hard`
    the mean square of u at points of the boundary is added, with weight one.

    Args:
        case: the problem.
        hard: whether the boundary values hold by construction.
        seconds: of CPU time; at least `CHUNK` iterations are done.
        generator: of weights and points.
        report: called with the share of the time that is over and the loss.
    """
    model = Pinn(hard=hard, generator=generator)
    start = time.process_time()
    x, y = torch.rand(2, INTERIOR, generator=generator, dtype=torch.float64)
    along = torch.rand(BOUNDARY, generator=generator, dtype=torch.float64)
    side = torch.arange(BOUNDARY) % 4
    end = (side % 2).to(along)
    bx, by = torch.where(side < 2, end, along), torch.where(side < 2, along, end)
    slope_x, slope_y = case.log_diffusivity_gradient(x, y)
    wanted = case.source(x, y) / case.diffusivity(x, y)
    optimizer = torch.optim.LBFGS(
        model.parameters(),
        max_iter=CHUNK,
        max_eval=25 * CHUNK,
        history_size=50,
        tolerance_grad=0.0,
        tolerance_change=0.0,
        line_search_fn="strong_wolfe",
    )

    def closure() -> Tensor:
        optimizer.zero_grad()
        u = model(x, y)
        loss = (u.laplacian + slope_x * u.x + slope_y * u.y + wanted).square().mean()
        if not hard:
            loss = loss + model(bx, by).value.square().mean()
        loss.backward()
        return loss

    spent = 0.0
    while spent < seconds:
        loss = float(optimizer.step(closure).detach())
        spent = time.process_time() - start
        report(min(spent / seconds, 1.0), loss)
    return model


@torch.no_grad()
def errors(model: Pinn, case: Case, elements: int) -> dict[str, float]:
    """Root mean square over the nodes, L2 and H1 by a Gauss rule, of a trained network on a mesh."""
    space = LagrangeSpace(unit_square(elements), degree=1)
    at_nodes, _ = _squares(model, case, *space.nodes())
    like = at_nodes.new_empty(0)
    squared, slopes = _squares(model, case, *space.quadrature_points(3, like=like))
    weights = space.tabulate(3, like=like).weights.flatten()
    return {
        "rms": float(at_nodes.mean().sqrt()),
        "l2": float((squared * weights).sum().sqrt()),
        "h1": float(((squared + slopes) * weights).sum().sqrt()),
    }


def _squares(model: Pinn, case: Case, x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
    """Squared errors of the value and of the gradient, each of shape (points,)."""
    values, slopes = [], []
    for part in zip(x.flatten().split(POINTS), y.flatten().split(POINTS), strict=True):
        found = model(*part)
        slope_x, slope_y = gradient(case.exact, *part)
        values.append((found.value - case.exact(*part)).square())
        slopes.append((found.x - slope_x).square() + (found.y - slope_y).square())
    return torch.cat(values), torch.cat(slopes)
