"""What every score asks of its two masks."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch

if TYPE_CHECKING:
    from jaxtyping import Bool, Shaped
    from torch import Tensor

    Mask = Shaped[Tensor, "*size"] | Shaped[np.ndarray, "*size"]


def check_masks(predicted: Mask, target: Mask) -> tuple[Bool[np.ndarray, "*size"], Bool[np.ndarray, "*size"]]:
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
