"""How much of two boundaries agrees within a tolerance."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from implicit_seg._metrics.checks import check_masks, check_spacing
from implicit_seg._metrics.points import boundary, crop, distances

if TYPE_CHECKING:
    from collections.abc import Sequence

    from implicit_seg._metrics.checks import Mask


def boundary_f(
    predicted: Mask, target: Mask, *, tolerance: float = 2.0, spacing: float | Sequence[float] = 1.0
) -> float:
    r"""Boundary F measure, $2 P R / (P + R)$.

    $P$ is the share of samples of the predicted boundary not farther than `tolerance` from the true one, $R$
    that of the true boundary near the predicted one. A sample is of the boundary if it is inside and has a
    face neighbour outside, or lies on the border of the grid.

    Args:
        predicted: mask of 0 and 1 (or of bools), in any number of dimensions.
        target: the true mask, of the same shape.
        tolerance: in units of `spacing`; not negative.
        spacing: distance between samples, one for all dimensions or one for each.

    Returns:
        The measure, in [0, 1]; 1 where both masks are empty, 0 where only one is.

    Raises:
        ValueError: the shapes differ, a mask holds other values than 0 and 1, or `spacing` or `tolerance` is
            wrong.

    Csurka, Larlus and Perronnin, *What is a good evaluation measure for semantic segmentation?*, 2013.
    """
    predicted, target = check_masks(predicted, target)
    steps = check_spacing(spacing, predicted.ndim)
    if not tolerance >= 0:
        raise ValueError(f"`tolerance` must not be negative; got {tolerance}.")
    filled = bool(predicted.any()), bool(target.any())
    if not all(filled):
        return 0.0 if any(filled) else 1.0
    predicted, target = (boundary(mask) for mask in crop(predicted, target))
    precision = float(np.mean(distances(predicted, target, steps) <= tolerance))
    recall = float(np.mean(distances(target, predicted, steps) <= tolerance))
    return 2 * precision * recall / (precision + recall) if precision + recall else 0.0
