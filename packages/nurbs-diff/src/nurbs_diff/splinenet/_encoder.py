"""The network: a dynamic graph convolutional encoder whose output is a control net."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812  (its usual name)

if TYPE_CHECKING:
    from jaxtyping import Float

_SLOPE = 0.2  # of the leaky ReLU below zero


class SplineNet(nn.Module):
    r"""Predicts the control net of a surface through a cloud of points.

    Four edge convolutions on the graph of the k nearest neighbours, taken anew in the features of each
    (DGCNN); all features together to 1024, the maximum over the points, two layers of 1024, and a tanh over 3
    n^2 outputs, or 4 n^2 with weights. The prediction does not depend on the order of the points.

    Untrained, it predicts nearly the square in the plane of the two longer axes, which is where the clouds
    lie: from the usual random start, crumpled nets, the Chamfer distance leads to folded surfaces. This start
    is ours, the rest is the papers'.

    With the defaults there are 3,951,152 parameters, as in ParSeNet's SplineNet (3.95 million); the rational
    variant has 4,361,152.

    Args:
        size: control points in each direction, n.
        is_rational: whether weights are predicted too.
        neighbours: k, each point being the first of its own.
        widths: outputs of the edge convolutions.
        features: outputs of each of the layers that follow.
        weight_range: no two weights differ by more than this factor.

    Raises:
        ValueError: a size that is not positive, or a range of weights not above 1.

    Sharma et al., *ParSeNet*, ECCV 2020; Wang et al., *Dynamic graph CNN*, ACM TOG 38, 2019; DSA section 3.

    >>> import torch
    >>> net, weights = SplineNet(5)(torch.rand(2, 50, 3))
    >>> net.shape, weights is None
    (torch.Size([2, 5, 5, 3]), True)
    """

    def __init__(
        self,
        size: int = 20,
        *,
        is_rational: bool = False,
        neighbours: int = 10,
        widths: tuple[int, ...] = (64, 64, 128, 256),
        features: int = 1024,
        weight_range: float = 100.0,
    ) -> None:
        super().__init__()
        for name, value in (("size", size), ("neighbours", neighbours), ("features", features)):
            if value < 1:
                raise ValueError(f"`{name}` must be at least 1; got {value}.")
        if not (math.isfinite(weight_range) and weight_range > 1):
            raise ValueError(f"`weight_range` must be finite and exceed 1; got {weight_range!r}.")
        self.size = size
        self.neighbours = neighbours
        self.half_range = 0.5 * math.log(weight_range)
        inputs = (3, *widths[:-1])
        self.edges = nn.ModuleList(EdgeConvolution(a, b) for a, b in zip(inputs, widths, strict=True))
        self.merge = _layer(sum(widths), features, bias=False)
        self.head = nn.Sequential(_layer(features, features), _layer(features, features))
        self.last = nn.Linear(features, (3 + is_rational) * size**2)
        self._start_from_square()

    def _start_from_square(self) -> None:
        line = torch.linspace(-0.5, 0.5, self.size)
        y, z = torch.meshgrid(line, line, indexing="ij")
        net = torch.zeros(self.size, self.size, self.last.out_features // self.size**2)
        net[..., 1], net[..., 2] = y, z
        with torch.no_grad():
            self.last.weight *= 0.1
            self.last.bias.copy_(torch.atanh(net).flatten())

    def forward(
        self, points: Float[Tensor, "batch m 3"]
    ) -> tuple[Float[Tensor, "batch n n 3"], Float[Tensor, "batch n n"] | None]:
        """The control net and the weights.

        Args:
            points: clouds as `normalise` leaves them, each with more than `neighbours` points.

        Returns:
            Control points in (-1, 1)^3, and weights with their logarithms within half the range; None for the
            polynomial variant.

        Raises:
            ValueError: too few points.
        """
        batch, m, _ = points.shape
        if m < self.neighbours:
            raise ValueError(
                f"`points` holds clouds of {m} points; {self.neighbours} neighbours need as many. Add some."
            )
        features: list[Tensor] = []
        x = points
        for edge in self.edges:
            x = edge(x, nearest_neighbours(x, self.neighbours))
            features.append(x)
        merged = self.merge(torch.cat(features, -1).flatten(0, 1))
        pooled = merged.reshape(batch, m, -1).amax(1)
        outputs = torch.tanh(self.last(self.head(pooled))).reshape(batch, self.size, self.size, -1)
        if outputs.shape[-1] == 3:
            return outputs, None
        return outputs[..., :3], torch.exp(self.half_range * outputs[..., 3])


class EdgeConvolution(nn.Module):
    r"""$\max_j \mathrm{LeakyReLU}(\mathrm{BN}(A (x_j - x_i) + B x_i))$ over the neighbours j of point i.

    The linear map is applied to the points, $A x_j + (B - A) x_i$, not to the edges: k times less work.
    """

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.linear = nn.Linear(2 * inputs, outputs, bias=False)
        self.norm = nn.BatchNorm1d(outputs)

    def forward(self, x: Tensor, neighbours: Tensor) -> Tensor:
        """Features (b, m, inputs) and indices (b, m, k) to features (b, m, outputs)."""
        batch, m, k = neighbours.shape
        of_difference, of_point = self.linear.weight.chunk(2, 1)
        first = F.linear(x, of_difference).flatten(0, 1)
        rows = neighbours + m * torch.arange(batch, device=x.device)[:, None, None]
        second = F.linear(x, of_point - of_difference).flatten(0, 1)
        edges = first.index_select(0, rows.flatten()).reshape(batch * m, k, -1) + second.unsqueeze(1)
        normed = self.norm(edges.flatten(0, 1)).reshape(batch, m, k, -1)
        return F.leaky_relu(normed, _SLOPE).amax(2)


def nearest_neighbours(x: Tensor, count: int) -> Tensor:
    """Indices of the nearest points of each point of (b, m, c), itself among them; shape (b, m, count)."""
    with torch.no_grad():
        return torch.cdist(x, x).topk(count, largest=False, sorted=False).indices


def _layer(inputs: int, outputs: int, bias: bool = True) -> nn.Sequential:
    return nn.Sequential(nn.Linear(inputs, outputs, bias=bias), nn.BatchNorm1d(outputs), nn.LeakyReLU(_SLOPE))
