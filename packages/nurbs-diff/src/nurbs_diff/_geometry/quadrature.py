"""Gauss-Legendre quadrature over the boxes between knots, refined where asked for."""

from __future__ import annotations

from itertools import product
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    #: from (*batch,) and d tensors of q parameters to values of shape (*batch, q)
    Integrand = Callable[[tuple[Tensor, ...]], Tensor]

DEEPEST = 40  # halvings; a box then is 1e-12 of a span, and what it can contribute is below any tolerance
ROUNDING = 1e-14  # of a sum over a box, relative: what halving cannot improve
LARGEST_BLOCK = 2**18  # nodes evaluated at once where nothing is differentiated


def boxes_between(breakpoints: Sequence[Tensor]) -> Tensor:
    """The boxes of a tensor grid of breakpoints: lower and upper corners, shape (boxes, d, 2)."""
    spans = [torch.stack([b[:-1], b[1:]], -1) for b in breakpoints]
    index = torch.meshgrid(*(torch.arange(len(s), device=s.device) for s in spans), indexing="ij")
    return torch.stack([s[i.reshape(-1)] for s, i in zip(spans, index, strict=True)], 1)


def gauss_legendre(boxes: Tensor, order: int) -> tuple[tuple[Tensor, ...], Tensor]:
    """Nodes in d directions, each of shape (boxes * order^d,), and weights of shape (boxes, order^d)."""
    d = boxes.shape[1]
    nodes, weights = (torch.as_tensor(x).to(boxes) for x in np.polynomial.legendre.leggauss(order))
    grid = torch.cartesian_prod(*[nodes] * d).reshape(-1, d)
    factors = torch.cartesian_prod(*[weights] * d).reshape(-1, d).prod(1)
    low, high = boxes[:, None, :, 0], boxes[:, None, :, 1]
    points = (low + high) / 2 + (high - low) / 2 * grid  # (boxes, order^d, d)
    volumes = ((boxes[..., 1] - boxes[..., 0]) / 2).prod(1, keepdim=True)
    return tuple(points.reshape(-1, d).unbind(1)), volumes * factors


def integrate(integrand: Integrand, boxes: Tensor, order: int) -> Tensor:
    """The sum of the integrals over all boxes, shape (*batch,)."""
    nodes, weights = gauss_legendre(boxes, order)
    return integrand(nodes) @ weights.reshape(-1).to(torch.float64)


def integrals(integrand: Integrand, boxes: Tensor, order: int) -> Tensor:
    """The integral over each box, shape (*batch, boxes), in blocks that bound the memory."""
    count = max(1, LARGEST_BLOCK // order ** boxes.shape[1])
    found = []
    for block in boxes.split(count):
        nodes, weights = gauss_legendre(block, order)
        values = integrand(nodes)
        found.append((values.reshape(*values.shape[:-1], *weights.shape) * weights).sum(-1))
    return torch.cat(found, -1)


def refine(integrand: Integrand, boxes: Tensor, order: int, tolerance: float) -> Tensor:
    """Halves boxes, in every direction, until each differs from its parts by no more than its share.

    The share of a box in `tolerance` times the whole integral is its share in the volume. What the parts give
    is taken for the error of the box, so the result, in which the parts replace it, is much better than asked
    for. Boxes come back as the affine images of those given, so they stay differentiable in the knots.
    """
    d = boxes.shape[1]
    halves = torch.tensor(list(product((0.0, 0.5), repeat=d)), dtype=boxes.dtype, device=boxes.device)
    with torch.no_grad():
        whole = integrals(integrand, boxes, order)
        total = whole.abs().sum(-1, keepdim=True)
        density = tolerance * total / (boxes[..., 1] - boxes[..., 0]).prod(1).sum()
    accepted = []
    for _ in range(DEEPEST):
        low, size = boxes[:, None, :, 0], (boxes[..., 1] - boxes[..., 0])[:, None]
        start = low + halves * size
        parts = torch.stack([start, start + size / 2], -1)  # (boxes, 2^d, d, 2)
        with torch.no_grad():
            finer = integrals(integrand, parts.flatten(0, 1), order)
            finer = finer.reshape(*finer.shape[:-1], *parts.shape[:2])
            share = density * size.prod(-1).squeeze(1) + ROUNDING * whole.abs()
            is_good = ~((finer.sum(-1) - whole).abs() > share).reshape(-1, len(boxes)).any(0)
        accepted.append(parts[is_good].flatten(0, 1))
        boxes, whole = parts[~is_good].flatten(0, 1), finer[..., ~is_good, :].flatten(-2)
        if len(boxes) == 0:
            break
    return torch.cat([*accepted, boxes])


def check_rule(order: object, tolerance: float | None) -> None:
    """Raises unless these say how to integrate."""
    if isinstance(order, bool) or not isinstance(order, int):
        raise TypeError(f"`order` must be an int; got {order!r}.")
    if not 1 <= order <= 64:
        raise ValueError(f"`order` must lie in 1 to 64, nodes for each knot span; got {order}.")
    if tolerance is not None and not 1e-13 <= tolerance < 1:
        raise ValueError(
            f"`tolerance` is relative and must lie in [1e-13, 1), above the rounding of float64; got "
            f"{tolerance!r}. For a fixed rule pass None."
        )
