"""What every score asks of its masks and their spacing."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch

if TYPE_CHECKING:
    from collections.abc import Sequence

    from jaxtyping import Bool, Shaped
    from torch import Tensor

    Mask = Shaped[Tensor, "*size"] | Shaped[np.ndarray, "*size"]


def check_masks(predicted: Mask, target: Mask) -> tuple[Bool[np.ndarray, "*size"], Bool[np.ndarray, "*size"]]:
    """Returns both masks as arrays of bools; raises `ValueError` where they are no masks of one shape."""
    masks = check_mask("predicted", predicted), check_mask("target", target)
    if masks[0].shape != masks[1].shape:
        raise ValueError(
            f"`predicted` and `target` must have one shape; got {masks[0].shape} and {masks[1].shape}."
        )
    return masks


def check_mask(name: str, mask: Mask) -> Bool[np.ndarray, "*size"]:
    """Returns the mask as an array of bools; raises `ValueError` where it is empty or holds other values."""
    array = mask.detach().cpu().numpy() if isinstance(mask, torch.Tensor) else np.asarray(mask)
    if array.size == 0:
        raise ValueError(f"`{name}` holds no samples; its shape is {array.shape}.")
    if array.dtype == bool:
        return array
    inside = array.astype(bool)
    if not np.array_equal(inside, array):
        place = tuple(int(i) for i in np.argwhere(inside != array)[0])
        raise ValueError(
            f"`{name}` must hold 0 and 1 only; {name}{list(place)} is {array[place]!s}. Threshold it first: "
            f"`values > 0`; of a map of labels take `labels == label`."
        )
    return inside


def check_spacing(spacing: float | Sequence[float], ndim: int) -> np.ndarray:
    """Returns one positive finite step a dimension; raises `ValueError` where they are not that."""
    steps = np.full(ndim, spacing, float) if isinstance(spacing, (int, float)) else np.array(spacing, float)
    if steps.shape != (ndim,) or not all(0 < step < np.inf for step in steps):
        raise ValueError(
            f"`spacing` must be one positive finite number or {ndim}, one a dimension; got {spacing}."
        )
    return steps
