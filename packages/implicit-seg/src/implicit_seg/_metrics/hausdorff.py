"""Hausdorff distances of two masks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import numpy as np

from implicit_seg._metrics.checks import check_masks, check_spacing
from implicit_seg._metrics.points import boundary, crop, distances, farthest

if TYPE_CHECKING:
    from collections.abc import Sequence

    from implicit_seg._metrics.checks import Mask


def hausdorff_distance(
    predicted: Mask,
    target: Mask,
    *,
    between: Literal["sets", "boundaries"] = "sets",
    spacing: float | Sequence[float] = 1.0,
    percentile: float = 100.0,
) -> float:
    r"""Hausdorff distance of two masks, $\max [\sup_y \inf_z d(y, z), \sup_z \inf_y d(y, z)]$.

    Args:
        predicted: mask of 0 and 1 (or of bools), in any number of dimensions.
        target: the true mask, of the same shape.
        between: "sets" takes all samples inside, as the paper does, and so hardly sees a hole; "boundaries"
            takes those with a face neighbour outside, or on the border of the grid.
        spacing: distance between samples, one for all dimensions or one for each.
        percentile: in place of both suprema, above 0 and at most 100: 95 is the HD95 of the literature. With
            "sets" most distances are 0, so that a percentile is of use between boundaries.

    Returns:
        The distance in units of `spacing`; 0 where both masks are empty, infinity where only one is.

    Raises:
        ValueError: the shapes differ, a mask holds other values than 0 and 1, or `between`, `spacing` or
            `percentile` is wrong.

    Equivalent to the larger of `scipy.spatial.distance.directed_hausdorff` of both orders, and for boundaries
    to MONAI's `compute_hausdorff_distance`. Exact; the time grows with the boundaries and with what only one
    of the masks holds. Barrowclough et al., eq. 7.

    >>> import numpy as np
    >>> square = np.zeros((20, 20), bool)
    >>> square[5:12, 5:12] = True
    >>> hausdorff_distance(np.roll(square, 3, axis=0), square, spacing=0.5)
    1.5
    """
    predicted, target = check_masks(predicted, target)
    steps = check_spacing(spacing, predicted.ndim)
    if between not in ("sets", "boundaries"):
        raise ValueError(f'`between` must be "sets" or "boundaries"; got {between!r}.')
    if not 0 < percentile <= 100:
        raise ValueError(f"`percentile` must be above 0 and at most 100; got {percentile}.")
    filled = bool(predicted.any()), bool(target.any())
    if not all(filled):
        return float("inf") if any(filled) else 0.0
    predicted, target = crop(predicted, target)
    if between == "boundaries":
        predicted, target = boundary(predicted), boundary(target)
    if percentile == 100:
        return max(farthest(predicted, target, steps), farthest(target, predicted, steps))
    both = distances(predicted, target, steps), distances(target, predicted, steps)
    return max(float(np.percentile(directed, percentile)) for directed in both)
