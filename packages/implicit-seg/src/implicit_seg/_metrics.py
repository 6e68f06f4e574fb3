"""Scores of a predicted mask: volumetric accuracy, Dice, Jaccard, and Hausdorff distances."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import numpy as np
import torch
from scipy import ndimage

if TYPE_CHECKING:
    from collections.abc import Sequence

    from jaxtyping import Bool, Shaped
    from torch import Tensor

    Mask = Shaped[Tensor, "*size"] | Shaped[np.ndarray, "*size"]


def accuracy(predicted: Mask, target: Mask) -> float:
    """Share of samples on which two masks agree: (TP + TN) / (TP + FP + FN + TN), Barrowclough et al., eq. 5.

    Args:
        predicted: mask of 0 and 1 (or of bools), in any number of dimensions: a whole volume gives the
            volumetric score.
        target: the true mask, of the same shape.

    Raises:
        ValueError: the shapes differ, or a mask is empty of samples or holds other values than 0 and 1.
    """
    predicted, target = _masks(predicted, target)
    return float((predicted == target).mean())


def dice(predicted: Mask, target: Mask) -> float:
    """Overlap: 2 TP / (2 TP + FP + FN), Barrowclough et al., eq. 4; 1 where both masks are empty.

    Args and raises as `accuracy`.
    """
    predicted, target = _masks(predicted, target)
    total = int(predicted.sum()) + int(target.sum())
    return 2 * int((predicted & target).sum()) / total if total else 1.0


def jaccard(predicted: Mask, target: Mask) -> float:
    """Intersection over union: TP / (TP + FP + FN), Barrowclough et al., eq. 3; 1 where both masks are empty.

    Args and raises as `accuracy`.
    """
    predicted, target = _masks(predicted, target)
    union = int((predicted | target).sum())
    return int((predicted & target).sum()) / union if union else 1.0


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
    predicted, target = _masks(predicted, target)
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


def _masks(predicted: Mask, target: Mask) -> tuple[Bool[np.ndarray, "*size"], Bool[np.ndarray, "*size"]]:
    masks = []
    for name, mask in (("predicted", predicted), ("target", target)):
        array = mask.detach().cpu().numpy() if isinstance(mask, torch.Tensor) else np.asarray(mask)
        if array.size == 0:
            raise ValueError(f"`{name}` holds no samples; its shape is {array.shape}.")
        inside = array.astype(bool)
        if not np.array_equal(inside, array):
            value = array[inside != array].flat[0]
            raise ValueError(
                f"`{name}` must hold 0 and 1 only; it holds {value!s}. Threshold it first: `values > 0`."
            )
        masks.append(inside)
    if masks[0].shape != masks[1].shape:
        raise ValueError(
            f"`predicted` and `target` must have one shape; got {masks[0].shape} and {masks[1].shape}."
        )
    return masks[0], masks[1]
