"""The network of `dsa.figure3`: from a map of the diffusivity to the control points of the solution."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

import torch
from torch import nn
from torch.nn.functional import avg_pool2d, interpolate, pixel_unshuffle

from nurbs_diff import basis_functions, uniform_knots

if TYPE_CHECKING:
    from jaxtyping import Float
    from torch import Tensor

STEM = 4
"""Side of the blocks of elements that the first layer sees as one pixel."""
SCALE = 4.0
"""The logarithm of the diffusivity, of deviation about two, is divided by it."""
CHANNELS = 5
"""Of the input: log nu, flow along rows, flow through columns, x, y."""


class Surrogate(nn.Module):
    """A U-Net that predicts a bicubic spline surface with u = 1 at x = 0 and u = 0 at x = 1.

    The network sees blocks of 4 x 4 elements as one pixel; what it predicts is the deviation of the control
    points from those of 1 - x, and the first and the last row of control points have none: the boundary
    values hold exactly.

    Args:
        elements: per direction, a multiple of 4 * 2**(len(widths) - 1).
        widths: channels of the levels, multiples of 8.
        grid: control points per direction.
    """

    basis: Tensor
    start: Tensor
    free: Tensor
    place: Tensor

    def __init__(self, elements: int, widths: tuple[int, ...], grid: int) -> None:
        super().__init__()
        block = STEM * 2 ** (len(widths) - 1)
        if elements % block:
            raise ValueError(
                f"`elements` must be a multiple of {block} for {len(widths)} levels; got {elements}."
            )
        if any(width % 8 for width in widths):
            raise ValueError(
                f"`widths` must be multiples of 8, the groups of the normalisation; got {widths}."
            )
        pairs = list(pairwise(widths))
        self.first = _block(CHANNELS * STEM**2, widths[0])
        self.down = nn.ModuleList(_block(a, b) for a, b in pairs)
        self.overall = nn.Sequential(nn.Linear(widths[-1], 128), nn.SiLU(), nn.Linear(128, widths[-1]))
        self.up = nn.ModuleList(_block(a + b, a) for a, b in reversed(pairs))
        self.refine = _block(widths[0], widths[0])
        self.last = nn.Conv2d(widths[0], 1, 1)
        for parameter in self.last.parameters():
            nn.init.zeros_(parameter)  # starts from the lifting 1 - x
        knots = uniform_knots(grid, 3, dtype=torch.float64)
        nodes = torch.linspace(0, 1, elements + 1, dtype=torch.float64)
        free = torch.ones(grid, 1)
        free[[0, -1]] = 0
        start = 1 - knots[1:-1].unfold(0, 3, 1).mean(-1)  # Greville's abscissae: the spline is 1 - x
        for name, constant in {
            "basis": basis_functions(knots, 3, nodes).float(),
            "start": start.float()[:, None],
            "free": free,
            "place": torch.stack(torch.meshgrid(*2 * [torch.linspace(-1, 1, elements)], indexing="ij")),
        }.items():
            self.register_buffer(name, constant, persistent=False)

    def forward(self, log_nu: Float[Tensor, "batch nx ny"]) -> Float[Tensor, "batch nx_1 ny_1"]:
        """The values at the nodes, from the logarithm of the diffusivity on the elements."""
        place = self.place.expand(len(log_nu), -1, -1, -1)
        features = self.first(pixel_unshuffle(torch.cat([*_flows(log_nu), place], 1), STEM))
        skips = []
        for block in self.down:
            skips.append(features)
            features = block(avg_pool2d(features, 2))
        features = features + self.overall(features.mean((2, 3)))[:, :, None, None]
        for block in self.up:
            features = interpolate(features, scale_factor=2, mode="bilinear")
            features = block(torch.cat([features, skips.pop()], 1))
        features = self.refine(interpolate(features, size=2 * [self.basis.shape[1]], mode="bilinear"))
        control_points = self.start + self.free * self.last(features)[:, 0]
        return self.basis @ control_points @ self.basis.T

    @torch.no_grad()
    def predict(self, log_nu: Float[Tensor, "batch nx ny"]) -> Float[Tensor, "batch nx_1 ny_1"]:
        """The mean of the predictions for the map and its three mirror images, mirrored back.

        For any diffusivity, mirroring it in y mirrors u, and mirroring it in x turns u into 1 - u as well.
        """
        total = torch.zeros((), device=log_nu.device)
        for axes in ((), (2,), (1,), (1, 2)):
            u = self(log_nu.flip(axes)).flip(axes)
            total = total + (1 - u if 1 in axes else u)
        return total / 4


def _flows(log_nu: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """The scaled log nu, and u in [-1, 1] for two crude models: no flow in y, and infinitely easy flow."""
    crude = []
    for resistance in (torch.exp(-log_nu), 1 / torch.exp(log_nu).mean(2, keepdim=True)):
        passed = resistance.cumsum(1)
        crude.append(1 - 2 * (passed - resistance / 2) / passed[:, -1:])
    return (log_nu / SCALE)[:, None], crude[0][:, None], crude[1].expand_as(log_nu)[:, None]


def _block(inputs: int, outputs: int) -> nn.Sequential:
    layers: list[nn.Module] = []
    for channels in (inputs, outputs):
        layers += [nn.Conv2d(channels, outputs, 3, padding=1), nn.GroupNorm(8, outputs), nn.SiLU()]
    return nn.Sequential(*layers)
