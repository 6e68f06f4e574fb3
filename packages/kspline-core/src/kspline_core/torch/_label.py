"""Connected components in torch operations, with the labels of `regions.cpp`, on any device."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from jaxtyping import Bool, Float, Int32, Int64
    from torch import Tensor

    from kspline_core._check_regions import Partition


def label(
    image: Float[Tensor, "batch height width"],
    groups: Int64[Tensor, "batch height width"] | None,
    partition: Partition,
) -> Int32[Tensor, "batch height width"]:
    """As `regions`, on checked arguments.

    Trees of pixels: each tree hooks its root to the least root that it touches, then every pixel points at
    its root again, until no two trees of one region touch. There is no limit to the rounds.
    """
    levels = torch.tensor(partition.levels, dtype=image.dtype, device=image.device)
    keys = torch.zeros(image.shape, dtype=torch.int64, device=image.device)
    if groups is not None:
        keys = keys + groups * (len(partition.levels) + 1)
    for level in levels:
        keys = keys + (image >= level)
    pixel = torch.arange(keys.numel(), device=keys.device).reshape(keys.shape)
    diagonal = partition.connectivity == 8

    same = keys[..., 1:] == keys[..., :-1]
    first = torch.zeros_like(pixel)  # of the run of equal keys in the row
    first[..., 0] = pixel[..., 0]
    first[..., 1:] = torch.where(same, 0, pixel[..., 1:])
    parents = first.cummax(dim=-1).values.reshape(-1)
    flat = keys.reshape(-1)
    meeting = [(a, b) for a, b in _vertical(pixel, diagonal)]
    ends = [(a[flat[a] == flat[b]], b[flat[a] == flat[b]]) for a, b in meeting]
    parents = _united(parents, torch.cat([a for a, _ in ends]), torch.cat([b for _, b in ends]))
    if partition.min_size > 1:
        pairs = [*meeting, (pixel[..., :-1].reshape(-1), pixel[..., 1:].reshape(-1))]
        size = keys.shape[-2] * keys.shape[-1]
        parents = _merged(parents, pairs, size, partition.min_size)
    return _numbered(parents, pixel).to(torch.int32)


def _vertical(pixel: Tensor, diagonal: bool) -> list[tuple[Tensor, Tensor]]:
    """Pairs of neighbouring pixels in different rows."""
    above, below = pixel[..., :-1, :], pixel[..., 1:, :]
    pairs = [(above, below)]
    if diagonal:
        pairs += [(above[..., :-1], below[..., 1:]), (above[..., 1:], below[..., :-1])]
    return [(a.reshape(-1), b.reshape(-1)) for a, b in pairs]


def _united(
    parents: Int64[Tensor, "pixels"], a: Int64[Tensor, "pairs"], b: Int64[Tensor, "pairs"]
) -> Int64[Tensor, "pixels"]:
    """Joins the trees of each pair; the least pixel of a tree is its root, and all its pixels point at it."""
    while True:
        root_a, root_b = parents[a], parents[b]
        apart = root_a != root_b
        if not bool(apart.any()):
            return parents
        a, b, root_a, root_b = a[apart], b[apart], root_a[apart], root_b[apart]
        parents = parents.scatter_reduce(
            0, torch.maximum(root_a, root_b), torch.minimum(root_a, root_b), "amin"
        )
        while True:
            further = parents[parents]
            if bool((further == parents).all()):
                break
            parents = further


def _merged(
    parents: Int64[Tensor, "pixels"], pairs: list[tuple[Tensor, Tensor]], size: int, min_size: int
) -> Int64[Tensor, "pixels"]:
    """Rounds in which each region of too few pixels joins its largest neighbour; `size` pixels an image."""
    a, b = torch.cat([p for p, _ in pairs]), torch.cat([p for _, p in pairs])
    a, b = torch.cat([a, b]), torch.cat([b, a])
    while True:
        count = torch.zeros_like(parents).index_add_(0, parents, torch.ones_like(parents))
        root, other = parents[a], parents[b]
        small: Bool[Tensor, "pairs"] = (root != other) & (count[root] < min_size)
        if not bool(small.any()):
            return parents
        root, other = root[small], other[small]
        # the largest, of several the first: both in one number of 62 bits
        rank = (count[other] << 31) + (size - 1 - other % size)
        best = torch.full_like(parents, -1).scatter_reduce_(0, root, rank, "amax")
        root = root.unique()
        best = best[root]
        chosen = root // size * size + (size - 1 - (best & (2**31 - 1)))
        parents = _united(parents, root, chosen)


def _numbered(parents: Int64[Tensor, "pixels"], pixel: Int64[Tensor, "batch height width"]) -> Tensor:
    """Numbers the roots of each image in their order."""
    roots = (parents == pixel.reshape(-1)).reshape(len(pixel), -1)
    return (roots.cumsum(dim=1) - 1).reshape(-1)[parents].reshape(pixel.shape)
