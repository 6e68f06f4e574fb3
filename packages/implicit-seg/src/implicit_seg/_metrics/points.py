"""Masks as sets of points: boundaries, and distances to the nearest point of another mask."""

from __future__ import annotations

from itertools import product
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from jaxtyping import Bool, Float, Int


_REACH = 3  # samples in each direction


def crop(*masks: Bool[np.ndarray, "*size"]) -> list[Bool[np.ndarray, "*box"]]:
    """Returns the masks within the smallest box that holds all of them; one must not be empty."""
    box = []
    for axis in range(masks[0].ndim):
        others = tuple(k for k in range(masks[0].ndim) if k != axis)
        (used,) = np.nonzero(np.any([mask.any(axis=others) for mask in masks], axis=0))
        box.append(slice(used[0], used[-1] + 1))
    return [mask[tuple(box)] for mask in masks]


def boundary(mask: Bool[np.ndarray, "*size"]) -> Bool[np.ndarray, "*size"]:
    """Returns the samples inside that have a face neighbour outside, or lie on the border of the grid."""
    inner = mask.copy()
    for axis in range(mask.ndim):
        along, whole = np.moveaxis(inner, axis, 0), np.moveaxis(mask, axis, 0)
        along[1:] &= whole[:-1]
        along[:-1] &= whole[1:]
        along[[0, -1]] = False
    return mask & ~inner


def farthest(
    from_mask: Bool[np.ndarray, "*size"], to_mask: Bool[np.ndarray, "*size"], steps: Float[np.ndarray, " d"]
) -> float:
    r"""Largest distance of a sample of `from_mask` from the nearest of `to_mask`; neither may be empty.

    Branch and bound: the distance to a set changes by at most $r$ within a cell of radius $r$, so that whole
    cells which cannot hold the farthest sample are left out by one look at their centre. Cells halve until
    they are samples: the result is exact. The nearest sample of a set lies on its boundary, which a k-d tree
    holds: memory is of the order of the masks.
    """
    pyramid = [from_mask & ~to_mask]  # a sample of both is at distance 0
    if not pyramid[0].any():
        return 0.0
    while max(pyramid[-1].shape) > 4:
        pyramid.append(_coarser(pyramid[-1]))
    nearest = _Nearest(to_mask, steps)
    cells = np.argwhere(pyramid[-1])
    best = 0.0
    for level in range(len(pyramid) - 1, -1, -1):
        side = 2**level
        radius = (side - 1) / 2 * float(np.linalg.norm(steps))
        distance = nearest((cells + 0.5) * side - 0.5)
        best = max(best, float(distance.max()) - radius)
        if level:
            # rounding of a distance must not lose the farthest cell
            cells = cells[distance + radius >= best * (1 - 1e-12)]
            cells = _children(cells, pyramid[level - 1])
    return best


def distances(
    from_mask: Bool[np.ndarray, "*size"], to_mask: Bool[np.ndarray, "*size"], steps: Float[np.ndarray, " d"]
) -> Float[np.ndarray, " samples"]:
    """Returns the distance of each sample of `from_mask` from the nearest of `to_mask`, in no order.

    Neighbours are looked up in the order of their distance first, which finds most where two boundaries run
    close to each other; a k-d tree finds the rest.
    """
    apart = np.argwhere(from_mask & ~to_mask)
    result = np.zeros(np.count_nonzero(from_mask))
    near = _near(apart, to_mask, steps)
    if (far := np.isinf(near)).any():
        near[far] = _Nearest(to_mask, steps)(apart[far])
    result[: len(apart)] = near
    return result


def _near(
    indices: Int[np.ndarray, "points d"], mask: Bool[np.ndarray, "*size"], steps: Float[np.ndarray, " d"]
) -> Float[np.ndarray, " points"]:
    """Distances of the points that have a sample of a mask within a few steps; infinity for the others."""
    result = np.full(len(indices), np.inf)
    offsets = np.array(list(product(range(-_REACH, _REACH + 1), repeat=mask.ndim)))
    lengths = np.linalg.norm(offsets * steps, axis=1)
    order = np.argsort(lengths)
    # beyond the reach there may be a sample as close as this
    order = order[lengths[order] < (_REACH + 1) * steps.min()]
    padded = np.pad(mask, _REACH)
    strides = np.array(padded.strides) // padded.itemsize
    flat, places = padded.ravel(), (indices + _REACH) @ strides
    left = np.arange(len(indices))
    for k, (length, move) in enumerate(zip(lengths[order], offsets[order] @ strides, strict=True)):
        if k == 3**mask.ndim and 2 * len(left) > len(indices):
            break  # the boundaries are not close to each other
        hit = flat[places + move]
        result[left[hit]] = length
        left, places = left[~hit], places[~hit]
        if not len(left):
            break
    return result


class _Nearest:
    """Distances of points, given as indices, from the boundary of a mask: that of points outside from it."""

    def __init__(self, mask: Bool[np.ndarray, "*size"], steps: Float[np.ndarray, " d"]) -> None:
        from scipy.spatial import KDTree

        self.steps = steps
        points = np.argwhere(boundary(mask)) * steps
        # points of a grid are evenly spread: the quick way to halve them is as good as the median
        self.tree = KDTree(points, compact_nodes=False, balanced_tree=False)

    def __call__(
        self, indices: Int[np.ndarray, "points d"] | Float[np.ndarray, "points d"]
    ) -> Float[np.ndarray, " points"]:
        return np.asarray(self.tree.query(indices * self.steps)[0])


def _coarser(mask: Bool[np.ndarray, "*size"]) -> Bool[np.ndarray, "*half"]:
    """Returns whether each cell of two samples a side holds one."""
    for axis in range(mask.ndim):
        along = np.moveaxis(mask, axis, 0)
        pairs = along[::2].copy()
        pairs[: len(along) // 2] |= along[1::2]
        mask = np.moveaxis(pairs, 0, axis)
    return mask


def _children(cells: Int[np.ndarray, "cells d"], finer: Bool[np.ndarray, "*size"]) -> Int[np.ndarray, "_ d"]:
    """Returns the cells of half the side that hold a sample."""
    halves = np.array(list(product((0, 1), repeat=finer.ndim)))
    cells = (2 * cells[:, None] + halves).reshape(-1, finer.ndim)
    cells = cells[(cells < finer.shape).all(axis=1)]
    return cells[finer[tuple(cells.T)]]
