"""The nearest of a set of points, by a KD-tree or by looking at all of them in blocks."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor

from nurbs_diff import _checks

SearchBackend = Literal["auto", "tree", "blocked"]
_BLOCK = 2**24  # distances held at a time: 64 or 128 MiB


def nearest_indices(points: Tensor, others: Tensor, backend: SearchBackend) -> Tensor:
    """Index of the nearest of `others` (b, n, dim) for each of `points` (b, m, dim), shape (b, m)."""
    if backend == "auto":
        backend = "tree" if points.device.type == "cpu" else "blocked"
    search = _by_tree if backend == "tree" else _by_blocks
    return search(points.detach(), others.detach())


def check_backend(backend: str, points: Tensor) -> None:
    """Raises unless `backend` is known and can search where the points lie."""
    _checks.check_choice("backend", backend, ("auto", "tree", "blocked"))
    if backend == "tree" and points.device.type != "cpu":
        raise ValueError(
            f'`backend="tree"` searches on the CPU; the points lie on {points.device}. Use "blocked".'
        )


def _by_tree(points: Tensor, others: Tensor) -> Tensor:
    from scipy.spatial import KDTree

    rows = [
        torch.from_numpy(KDTree(b.numpy()).query(a.numpy())[1]) for a, b in zip(points, others, strict=True)
    ]
    return torch.stack(rows) if rows else points.new_zeros(points.shape[:2], dtype=torch.long)


def _by_blocks(points: Tensor, others: Tensor) -> Tensor:
    b, m, _ = points.shape
    n = others.shape[1]
    rows = max(1, _BLOCK // n)  # of one sample, which may be one of many
    samples = max(1, _BLOCK // (n * m))
    found = torch.empty(b, m, dtype=torch.long, device=points.device)
    for i in range(0, b, samples):
        for j in range(0, m, rows):
            block = slice(i, i + samples), slice(j, j + rows)
            # without matrix products, which lose half of the digits of a small distance
            found[block] = torch.cdist(
                points[block], others[block[0]], compute_mode="donot_use_mm_for_euclid_dist"
            ).argmin(-1)
    return found
