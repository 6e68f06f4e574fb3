"""Dynamic programming over all segments on any device: the plain reference for the kernel.

The same recursion, the same order of the operations and the same rule for ties as the C++ core (`dense.cpp`,
`recursion.hpp`), with the batch and the starts of the segments as dimensions of tensors.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import torch

if TYPE_CHECKING:
    from collections.abc import Callable

    from jaxtyping import Float64, Int16, Int64
    from torch import Tensor

    from kspline_core import _check

MAX_LENGTH = 4096
TIE = 1e-12  # of the cost
EXACT = (32 * torch.finfo(torch.float64).eps) ** 2  # times the number of samples: an exact fit
_CELLS = 2**26  # of a table of the programme at once: 0.5 GiB each


class Samples(NamedTuple):
    """Signals as the search wants them: scaled to a half-range from 1 to 2, samples of weight zero last."""

    y: Float64[Tensor, "batch n"]
    counts: Int64[Tensor, "batch"]  # of samples of positive weight
    places: Int64[Tensor, "batch n"] | None  # where the samples were; None: equally spaced, weight one
    weights: Float64[Tensor, "batch n"] | None


def breakpoints(
    y: Float64[Tensor, "batch n"],
    weights: Float64[Tensor, "batch n"] | None,
    settings: _check.Settings,
    search: Callable[[Samples, _check.Settings], Int16[Tensor, "batch levels ends"]],
) -> Int64[Tensor, "batch pieces_1"]:
    """The best breakpoints of each signal; `search` is that of this module or that of the kernel."""
    batch, n = y.shape
    rows = max(1, _CELLS // (settings.pieces * (n + 1)))
    out = torch.empty(batch, settings.pieces + 1, dtype=torch.int64, device=y.device)
    for first in range(0, batch, rows):
        part = slice(first, first + rows)
        samples = prepared(y[part], None if weights is None else weights[part])
        out[part] = _ends(samples, settings, search)
    return out


def _ends(
    samples: Samples,
    settings: _check.Settings,
    search: Callable[[Samples, _check.Settings], Int16[Tensor, "batch levels ends"]],
) -> Int64[Tensor, "batch pieces_1"]:
    n = samples.y.shape[-1]
    ends = [samples.counts]
    if settings.pieces > 1:
        starts = search(samples, settings)
        for level in range(settings.pieces - 2, -1, -1):
            ends.append(starts[:, level].gather(1, ends[-1][:, None])[:, 0].long())
    ends.append(torch.zeros_like(samples.counts))
    inner = torch.stack(ends[::-1], dim=1)
    if samples.places is not None:  # a piece ends right after the last of its samples
        inner[:, 1:] = samples.places.gather(1, inner[:, 1:] - 1) + 1
    inner[:, -1] = n
    return inner


def prepared(y: Float64[Tensor, "batch n"], weights: Float64[Tensor, "batch n"] | None) -> Samples:
    """Scales by powers of two, which rounds nothing, and moves samples of weight zero to the end."""
    batch, n = y.shape
    if weights is None:
        counts, places = torch.full((batch,), n, device=y.device), None
    else:
        counts = (weights > 0).sum(dim=1)
        places = torch.sort((weights == 0).byte(), dim=1, stable=True).indices
        seen = torch.arange(n, device=y.device) < counts[:, None]
        y = y.gather(1, places)
        y = torch.where(seen, y, y[:, :1])
        weights = weights.gather(1, places)
        weights = _scaled(weights, -_exponent(weights.amax(dim=1, keepdim=True)))
    half = y.amax(dim=1, keepdim=True) / 2 - y.amin(dim=1, keepdim=True) / 2  # the range itself may overflow
    shift = torch.where(half > 0, -_exponent(torch.where(half > 0, half, 1)), 0)
    return Samples(_scaled(y, shift), counts, places, weights)


def _exponent(x: Tensor) -> Tensor:
    """The e with 2^e <= x < 2^(e + 1), for x > 0."""
    return torch.frexp(x).exponent.long() - 1


def _scaled(x: Tensor, shift: Tensor) -> Tensor:
    """Exact x * 2^shift: powers of two from their bits, in two steps because one may be out of range."""
    for part in (shift // 2, shift - shift // 2):
        x = x * ((part + 1023) << 52).view(torch.float64)
    return x


def gains(n: int, terms: int, device: torch.device) -> Float64[Tensor, "rows sizes"]:
    """`gain[0]`, ..., `gain[terms - 1]` and `keep` of the recursion, for segments of 0, ..., n samples.

    Morrison, *Introduction to Sequential Smoothing and Prediction* (1969), chapter 9; as in `dense.cpp`.
    """
    N = torch.arange(n + 1, dtype=torch.float64, device=device).clamp_(min=1)
    if terms == 1:
        table = [1 / N, (N - 1) / N]
    elif terms == 2:
        D = N * (N + 1)
        table = [2 * (2 * N - 1) / D, 6 / D, (N - 1) * (N - 2) / D]
    elif terms == 3:
        D = N * (N + 1) * (N + 2)
        keep = (N - 1) * (N - 2) * (N - 3) / D
        table = [3 * (3 * N * N - 3 * N + 2) / D, 18 * (2 * N - 1) / D, 30 / D, keep]
    else:
        D = N * (N + 1) * (N + 2) * (N + 3)
        keep = (N - 1) * (N - 2) * (N - 3) * (N - 4) / D
        middle = [20 * (6 * N * N - 6 * N + 5) / D, 120 * (2 * N - 1) / D, 140 / D]
        table = [8 * (2 * N - 1) * (N * N - N + 3) / D, *middle, keep]
    return torch.stack(table)


def search(samples: Samples, settings: _check.Settings) -> Int16[Tensor, "batch levels ends"]:
    """The start of the last of level + 2 pieces over the first `end` samples, for every level and end.

    Takes n steps of a few operations each on tensors of shape (batch, pieces, n).
    """
    batch, n = samples.y.shape
    levels, terms, least_size = settings.pieces - 1, settings.degree + 1, settings.min_size
    device = samples.y.device
    if samples.places is None or samples.weights is None:
        step = _Uniform(samples.y, terms)
    else:
        step = _Weighted(samples.y, samples.places.double(), samples.weights, terms)
    best = samples.y.new_full((batch, levels, n + 1), torch.inf)
    starts = torch.zeros(batch, levels, n + 1, dtype=torch.int16, device=device)
    number = torch.arange(n, dtype=torch.int16, device=device)
    exact = EXACT * samples.counts[:, None].double()
    for end in range(1, n + 1):
        cost = step.extend(end)
        admitted = end - least_size + 1
        if admitted < 1:
            continue
        candidates = best[:, :, :admitted] + cost[:, None, :admitted]
        least = candidates.amin(dim=-1)
        limit = least + TIE * least + exact
        first = torch.where(candidates <= limit[..., None], number[:admitted], n).amin(dim=-1)
        starts[:, :, end] = first
        best[:, 0, end] = cost[:, 0]
        best[:, 1:, end] = least[:, :-1]
    return starts


class _Uniform:
    """All segments grow by one sample: `uniform_step` of `recursion.hpp`."""

    def __init__(self, y: Tensor, terms: int) -> None:
        self.y = y
        self.table = gains(self.y.shape[1], terms, self.y.device).flip(1)
        self.theta = [torch.zeros_like(self.y) for _ in range(terms)]
        self.cost = torch.zeros_like(self.y)

    def extend(self, end: int) -> Float64[Tensor, "batch starts"]:
        """Adds sample `end` - 1 to the segments that start before it; returns what they cost."""
        n, terms = self.y.shape[1], len(self.theta)
        theta = [t[:, :end] for t in self.theta]  # views: changed in place
        for j in range(terms - 1):  # p(u) -> p(u + 1)
            for i in range(terms - 2, j - 1, -1):
                theta[i] += theta[i + 1]
        *gain, keep = self.table[:, n - end : n]
        error = self.y[:, end - 1 : end] - self.y[:, :end] - theta[0]
        self.cost[:, :end] += error * error * keep
        for j in range(terms):
            theta[j] += gain[j] * error
        return self.cost[:, :end]


class _Weighted:
    """The same for any abscissae and weights: `weighted_step` of `recursion.hpp`, Givens rotations."""

    def __init__(self, y: Tensor, x: Tensor, weights: Tensor, terms: int) -> None:
        self.y, self.x, self.weights = y, x, weights
        self.diagonal = [torch.zeros_like(self.y) for _ in range(terms)]
        self.upper = {(i, j): torch.zeros_like(self.y) for i in range(terms) for j in range(i + 1, terms)}
        self.rotated = [torch.zeros_like(self.y) for _ in range(terms)]
        self.cost = torch.zeros_like(self.y)

    def extend(self, end: int) -> Float64[Tensor, "batch starts"]:
        """Adds sample `end` - 1 to the segments that start before it; returns what they cost."""
        terms = len(self.diagonal)
        u = self.x[:, end - 1 : end] - self.x[:, :end]
        sample = self.y[:, end - 1 : end] - self.y[:, :end]
        weight = self.weights[:, end - 1 : end].expand(-1, end)
        row = [torch.ones_like(u)]
        for _ in range(terms - 1):
            row.append(row[-1] * u)
        for i in range(terms):
            x, diagonal = row[i], self.diagonal[i][:, :end]
            grown = diagonal + weight * x * x
            safe = torch.where(grown > 0, grown, 1)  # 0 / 0 only where x and the diagonal are both zero
            cosine = torch.where(grown > 0, diagonal / safe, 1)
            sine = weight * x / safe
            diagonal.copy_(grown)
            weight = weight * cosine
            for j in range(i + 1, terms):
                upper = self.upper[i, j][:, :end]
                r = upper.clone()
                upper.copy_(cosine * r + sine * row[j])
                row[j] = row[j] - x * r
            rotated = self.rotated[i][:, :end]
            z = rotated.clone()
            rotated.copy_(cosine * z + sine * sample)
            sample = sample - x * z
        self.cost[:, :end] += weight * sample * sample
        return self.cost[:, :end]
