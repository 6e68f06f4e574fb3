"""The paper's way to fit a surface: descent from random control points, with smoothed knot gradients."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import torch

from nurbs_diff import NurbsSurface, uniform_knots

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import Tensor


def descend(
    points: Tensor,
    *,
    degree: int,
    size: int,
    steps: int,
    learn_knots: bool,
    seed: int,
    callback: Callable[[int, int, float], None],
) -> float:
    """Fits by Adam and returns the mean squared error.

    The rate of the control points is 5 % of the largest coordinate, that of the knots 0.02 in the logarithms
    of their spans; both fall along half a cosine. The bandwidth of the smoothed knot gradient is 0.01.
    """
    generator = torch.Generator().manual_seed(seed)
    control_points = torch.randn(size, size, 3, generator=generator, dtype=torch.float64).to(points.device)
    knots = uniform_knots(size, degree, device=points.device)
    surface = NurbsSurface(
        control_points, knots, knots, learn_knots=learn_knots, knot_gradient="gaussian", bandwidth=0.01
    )
    rates = (0.05 * float(points.abs().max()), 0.02)
    others = [p for p in surface.parameters() if p is not surface.control_points and p.requires_grad]
    groups = [{"params": [surface.control_points], "lr": rates[0]}]
    optimizer = torch.optim.Adam(groups + ([{"params": others, "lr": rates[1]}] if others else []))
    u, v = (
        torch.linspace(0, 1, count, dtype=torch.float64, device=points.device) for count in points.shape[:2]
    )
    loss = torch.tensor(math.nan)
    for step in range(1, steps + 1):
        for group, rate in zip(optimizer.param_groups, rates, strict=False):
            group["lr"] = rate * (1 + math.cos(math.pi * (step - 1) / steps)) / 2
        optimizer.zero_grad()
        loss = (surface(u, v) - points).square().mean()
        loss.backward()
        optimizer.step()
        if step % 50 == 0 or step == steps:
            callback(step, steps, float(loss.detach()))
    with torch.no_grad():
        return float((surface(u, v) - points).square().mean())
