"""Unconstrained parameters for quantities with constraints: ordered knots, positive weights."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from nurbs_diff import _checks
from nurbs_diff._knots import clamp_ends


class ClampedKnots(nn.Module):
    r"""A clamped knot vector with learned interior knots that stay ordered and apart.

    The spans are $h = (b - a) (g + (1 - m g)\, \mathrm{softmax}(\theta))$ for m spans on [a, b] and a minimum
    gap g (a fraction of the domain); the interior knots are their cumulative sums, the ends stay at a and b
    exactly.
    """

    def __init__(self, name: str, knots: Tensor, degree: int, minimum_gap: float) -> None:
        super().__init__()
        _checks.check_knots(name, knots, degree)
        _checks.check_positive("minimum_gap", minimum_gap)
        breakpoints = knots.detach()[..., degree : knots.shape[-1] - degree]
        ends = torch.stack([breakpoints[..., 0], breakpoints[..., -1]], -1)
        if not torch.equal(clamp_ends(breakpoints, degree), knots.detach()):
            raise ValueError(
                f"`{name}` can be learned only if clamped: the first and the last knot stand degree + 1 = "
                f"{degree + 1} times each."
            )
        shares = breakpoints.diff() / (ends[..., 1:] - ends[..., :1])
        if float(shares.min()) <= minimum_gap:
            i = int(shares.argmin()) % shares.shape[-1] + degree
            raise ValueError(
                f"`{name}` can be learned only if its spans exceed `minimum_gap` = {minimum_gap:g} of the "
                f"domain; {name}[{i}] and {name}[{i + 1}] are {float(shares.min()):g} of it apart. Lower the "
                f"gap or move them."
            )
        self.degree = degree
        self.minimum_gap = minimum_gap
        self.ends: Tensor
        self.register_buffer("ends", ends)
        self.logits = nn.Parameter(torch.log((shares - minimum_gap) / (1 - shares.shape[-1] * minimum_gap)))

    def forward(self) -> Tensor:
        """The knot vector."""
        low, high = self.ends[..., :1], self.ends[..., 1:]
        free = 1 - self.logits.shape[-1] * self.minimum_gap
        spans = self.minimum_gap + free * torch.softmax(self.logits, -1)
        interior = low + (high - low) * torch.cumsum(spans, -1)[..., :-1]
        return clamp_ends(torch.cat([low, interior, high], -1), self.degree)

    def extra_repr(self) -> str:
        """Number and least distance of the knots."""
        return f"{self.logits.shape[-1] - 1} interior knots, minimum_gap={self.minimum_gap:g}"


class BoundedWeights(nn.Module):
    r"""Positive weights with geometric mean 1, no two of which differ by more than a given factor c.

    $w = \exp(l - \bar l)$ with $l = \tfrac12 \log c\, \tanh \varphi$. Fixing the mean removes the common
    factor, which does not change a rational spline and on which an optimiser would drift.
    """

    def __init__(self, weights: Tensor, weight_range: float) -> None:
        super().__init__()
        if not (math.isfinite(weight_range) and weight_range > 1):
            raise ValueError(f"`weight_range` must be finite and exceed 1; got {weight_range!r}.")
        logs = weights.detach().log()
        low, high = torch.aminmax(logs)
        spread = math.exp(float(high - low))
        if spread >= weight_range:
            raise ValueError(
                f"`weights` differ by a factor of up to {spread:g}; with `weight_range` = {weight_range:g} "
                f"they cannot be learned. Widen the range."
            )
        self.half_range = 0.5 * math.log(weight_range)
        self.phi = nn.Parameter(torch.atanh((logs - (low + high) / 2) / self.half_range))

    def forward(self) -> Tensor:
        """The weights."""
        logs = self.half_range * torch.tanh(self.phi)
        return torch.exp(logs - logs.mean())

    def extra_repr(self) -> str:
        """How far weights may differ."""
        return f"weight_range={math.exp(2 * self.half_range):g}"


class Fixed(nn.Module):
    """A tensor that is not learned but moves and is saved with its module."""

    def __init__(self, value: Tensor) -> None:
        super().__init__()
        self.value: Tensor
        self.register_buffer("value", value.detach().clone())

    def forward(self) -> Tensor:
        """The tensor."""
        return self.value

    def extra_repr(self) -> str:
        """Its shape."""
        return str(tuple(self.value.shape))
