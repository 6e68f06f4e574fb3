"""Hausdorff distances of two masks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import numpy as np
from scipy import ndimage

from implicit_seg._metrics.checks import check_masks

if TYPE_CHECKING:
    from collections.abc import Sequence

    from implicit_seg._metrics.checks import Mask


def hausdorff_distance(
    predicted: Mask,
    target: Mask,
    *,
    between: Literal["sets", "boundaries"] = "sets",
    spacing: float | Sequence[float] = 1.0,
) -> float:
    r"""Hausdorff distance of two masks, $\max [\sup_y \inf_z d(y, z), \sup_z \inf_y d(y, z)]$.

    Args:
        predicted: mask of 0 and 1 (or of bools), in any number of dimensions.
        target: the true mask, of the same shape.
        between: "sets" takes all samples inside, as the paper does, and so hardly sees a hole; "boundaries"
            takes those with a face neighbour outside, or on the border of the grid.
        spacing: distance between samples, one for all dimensions or one for each.

    Returns:
        The distance in units of `spacing`; 0 where both masks are empty, infinity where only one is.

    Raises:
        ValueError: the shapes differ, a mask holds other values than 0 and 1, or `between` or `spacing` is
            wrong.

    Equivalent to the larger of `scipy.spatial.distance.directed_hausdorff` of both orders. Barrowclough et
    al., eq. 7.
    """
    predicted, target = check_masks(predicted, target)
    steps = [float(spacing)] * predicted.ndim if isinstance(spacing, (int, float)) else list(spacing)
    if len(steps) != predicted.ndim or not all(0 < step < np.inf for step in steps):
        raise ValueError(
            f"`spacing` must be one positive finite number or {predicted.ndim}, one a dimension; "
            f"got {spacing}."
        )
    if between not in ("sets", "boundaries"):
        raise ValueError(f'`between` must be "sets" or "boundaries"; got {between!r}.')
    if not predicted.any() and not target.any():
        return 0.0
    if not predicted.any() or not target.any():
        return float("inf")
    if between == "boundaries":
        predicted, target = _boundary(predicted), _boundary(target)
    return max(_farthest(predicted, target, steps), _farthest(target, predicted, steps))


def _boundary(mask: np.ndarray) -> np.ndarray:
    return mask & np.logical_not(ndimage.binary_erosion(mask))


def _farthest(from_mask: np.ndarray, to_mask: np.ndarray, steps: list[float]) -> float:
    distance = np.asarray(ndimage.distance_transform_edt(np.logical_not(to_mask), sampling=steps))
    return float(distance[from_mask].max())
