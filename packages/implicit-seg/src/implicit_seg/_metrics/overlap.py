"""Scores that count samples: accuracy, Dice, Jaccard."""

from __future__ import annotations

from typing import TYPE_CHECKING

from implicit_seg._metrics.checks import check_masks

if TYPE_CHECKING:
    from implicit_seg._metrics.checks import Mask


def accuracy(predicted: Mask, target: Mask) -> float:
    """Share of samples on which two masks agree: (TP + TN) / (TP + FP + FN + TN), Barrowclough et al., eq. 5.

    Args:
        predicted: mask of 0 and 1 (or of bools), in any number of dimensions: a whole volume gives the
            volumetric score.
        target: the true mask, of the same shape.

    Raises:
        ValueError: the shapes differ, or a mask is empty of samples or holds other values than 0 and 1.
    """
    predicted, target = check_masks(predicted, target)
    return float((predicted == target).mean())


def dice(predicted: Mask, target: Mask) -> float:
    """Overlap: 2 TP / (2 TP + FP + FN), Barrowclough et al., eq. 4; 1 where both masks are empty.

    Args and raises as `accuracy`.
    """
    predicted, target = check_masks(predicted, target)
    total = int(predicted.sum()) + int(target.sum())
    return 2 * int((predicted & target).sum()) / total if total else 1.0


def jaccard(predicted: Mask, target: Mask) -> float:
    """Intersection over union: TP / (TP + FP + FN), Barrowclough et al., eq. 3; 1 where both masks are empty.

    Args and raises as `accuracy`.
    """
    predicted, target = check_masks(predicted, target)
    union = int((predicted | target).sum())
    return int((predicted & target).sum()) / union if union else 1.0
