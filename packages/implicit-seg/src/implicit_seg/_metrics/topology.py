"""Numbers of components, tunnels and cavities."""

from __future__ import annotations

from itertools import combinations
from typing import TYPE_CHECKING, Literal

import numpy as np

from implicit_seg._metrics.checks import check_mask, check_masks

if TYPE_CHECKING:
    from jaxtyping import Bool

    from implicit_seg._metrics.checks import Mask

    Connectivity = Literal["full", "faces"]


def betti_numbers(mask: Mask, *, connectivity: Connectivity = "full") -> tuple[int, ...]:
    r"""Betti numbers of a mask: in 2-D components and holes, in 3-D components, tunnels and cavities.

    Components and cavities are counted; tunnels follow from the Euler characteristic,
    $b_1 = b_0 + b_2 - \chi$.

    Args:
        mask: of 0 and 1 (or of bools), in one, two or three dimensions. Outside the grid it is empty.
        connectivity: "full" joins samples that share a corner (8 and 26 neighbours), "faces" only those that
            share a face (4 and 6); what is outside is joined by the other of the two.

    Returns:
        As many numbers as dimensions.

    Raises:
        ValueError: `mask` is empty of samples, has more than three dimensions or holds other values than 0
            and 1, or `connectivity` is wrong.

    >>> import numpy as np
    >>> ring = np.ones((5, 5), bool)
    >>> ring[2, 2] = False
    >>> betti_numbers(ring)
    (1, 1)
    """
    from scipy.ndimage import generate_binary_structure, label

    inside = check_mask("mask", mask)
    ndim = inside.ndim
    if ndim not in (1, 2, 3):
        raise ValueError(f"`mask` must have 1 to 3 dimensions; got the shape {inside.shape}.")
    if connectivity not in ("full", "faces"):
        raise ValueError(f'`connectivity` must be "full" or "faces"; got {connectivity!r}.')
    inside = np.pad(inside, 1)
    full = connectivity == "full"
    components = label(inside, generate_binary_structure(ndim, ndim if full else 1))[1]  # pyright: ignore[reportIndexIssue]
    if ndim == 1:
        return (components,)
    # all that is outside, but for the one part around everything
    enclosed = label(~inside, generate_binary_structure(ndim, 1 if full else ndim))[1] - 1  # pyright: ignore[reportIndexIssue]
    if ndim == 2:
        return components, enclosed
    return components, components + enclosed - _euler_characteristic(inside, full), enclosed


def betti_error(predicted: Mask, target: Mask, *, connectivity: Connectivity = "full") -> int:
    """Sum of the absolute differences of the Betti numbers of two masks: 0 where their topology agrees.

    Args:
        predicted: mask of 0 and 1 (or of bools), in one, two or three dimensions.
        target: the true mask, of the same shape.
        connectivity: see `betti_numbers`.

    Raises:
        ValueError: as `betti_numbers`, or the shapes differ.

    The whole image counts at once; Hu et al., *Topology-preserving deep image segmentation* (2019), average
    over random patches.
    """
    masks = check_masks(predicted, target)
    both = [betti_numbers(mask, connectivity=connectivity) for mask in masks]
    return sum(abs(a - b) for a, b in zip(*both, strict=True))


def _euler_characteristic(inside: Bool[np.ndarray, "*size"], full: bool) -> int:
    """Counts the cells of every dimension, with signs; `inside` has an empty border.

    Samples joined by corners are closed cubes: a corner, edge or face is there where any cube around it is.
    Samples joined by faces are points: an edge, square or cube is there where all of its corners are.
    """
    total = 0
    for number in range(inside.ndim + 1):
        for axes in combinations(range(inside.ndim), number):
            cells = inside
            for axis in axes:
                along = np.moveaxis(cells, axis, 0)
                pair = along[1:] | along[:-1] if full else along[1:] & along[:-1]
                cells = np.moveaxis(pair, 0, axis)
            dimension = inside.ndim - number if full else number
            total += (-1) ** dimension * int(np.count_nonzero(cells))
    return total
