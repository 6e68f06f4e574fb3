"""Least squares on segments in torch operations: the projection of signals and images on any device."""

from __future__ import annotations

from itertools import combinations_with_replacement
from typing import TYPE_CHECKING, Literal

import torch

if TYPE_CHECKING:
    from collections.abc import Sequence

    from jaxtyping import Float64, Int64
    from torch import Tensor

INDEPENDENT = 1e-10  # as in region_projection.cpp


class Segments:
    """A partition of N points: the segment of each, from 0 to `count` - 1."""

    def __init__(self, index: Int64[Tensor, "points"], count: int) -> None:
        self.index = index
        self.count = count

    def sum(self, x: Float64[Tensor, "*stack points"]) -> Float64[Tensor, "*stack segments"]:
        """Sums over each segment."""
        return x.new_zeros(*x.shape[:-1], self.count).index_add_(-1, self.index, x)

    def reduce(self, x: Tensor, how: Literal["amin", "amax"]) -> Tensor:
        """The least or the greatest over each segment; 0 where there is no point."""
        return x.new_zeros(self.count).scatter_reduce_(0, self.index, x, how, include_self=False)

    def spread(self, x: Tensor) -> Tensor:
        """Gives each point what belongs to its segment."""
        return x[..., self.index]


def project(
    product: Literal["values", "jacobian", "transposed"],
    v: Float64[Tensor, "stack points"],
    places: Sequence[Int64[Tensor, "points"]],
    degree: int,
    weights: Float64[Tensor, "points"] | None,
    segments: Segments,
) -> Float64[Tensor, "stack points"]:
    r"""Applies $B (B^T W B)^{-1} B^T W$ on each segment, or its transpose; `places` are the coordinates.

    For `"values"` v is the signal itself, of which a value of each segment is taken away first and given back
    at the end: an offset, however large, drops out before it is rounded.
    """
    origin = torch.zeros_like(v)
    if product == "values":
        number = torch.arange(segments.index.numel(), device=v.device)
        seen = number if weights is None else torch.where(weights > 0, number, number.numel() - 1)
        origin = segments.spread(v[:, segments.reduce(seen, "amin")])
        v = v - origin if weights is None else torch.where(weights > 0, v - origin, 0)
    if weights is not None and product != "transposed":
        v = weights * v
    out = torch.zeros_like(v)
    for q in _orthonormal(places, degree, weights, segments):
        out += segments.spread(segments.sum(q * v)) * q
    if weights is not None and product == "transposed":
        out = weights * out
    return origin + out


def _orthonormal(
    places: Sequence[Int64[Tensor, "points"]],
    degree: int,
    weights: Float64[Tensor, "points"] | None,
    segments: Segments,
) -> list[Float64[Tensor, "points"]]:
    """Polynomials of total degree up to `degree`, orthonormal on each segment under the weights.

    By Gram-Schmidt, twice, which is enough (Giraud et al., 2005). One that the points of a segment do not
    tell from those before it is zero there.
    """
    coordinates = []
    for place in places:  # from -1 to 1
        low, high = (segments.spread(segments.reduce(place, how)) for how in ("amin", "amax"))
        coordinates.append((2 * place - low - high) / (high - low + 1).double())
    one = torch.ones(segments.index.shape, dtype=torch.float64, device=segments.index.device)
    w = one if weights is None else weights
    basis: list[Tensor] = []
    for total in range(degree + 1):
        for factors in combinations_with_replacement(coordinates, total):
            q = one
            for factor in factors:
                q = q * factor
            before = segments.sum(w * q * q)
            for _ in range(2):
                for r in basis:
                    q = q - segments.spread(segments.sum(w * q * r)) * r
            after = segments.sum(w * q * q)
            kept = after > INDEPENDENT**2 * before
            scale = torch.where(kept, torch.where(kept, after, 1).rsqrt(), 0)
            basis.append(q * segments.spread(scale))
    return basis
