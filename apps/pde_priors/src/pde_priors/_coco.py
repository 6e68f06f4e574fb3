"""COCO's segmentations as masks: polygons, run lengths, and run lengths packed into a string."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from skimage import draw

if TYPE_CHECKING:
    from jaxtyping import Bool


def mask_of(segmentation: Any, shape: tuple[int, int]) -> Bool[np.ndarray, "height width"]:
    """Draws one segmentation.

    Args:
        segmentation: a list of polygons, each x0, y0, x1, y1, ... in pixels from the image's upper left
            corner; or a mapping with `size` (height, width) and `counts`, runs of outside and inside by turns
            down the columns, as a list of numbers or as COCO's string.
        shape: of the image, height and width.

    Returns:
        True where the centre of a pixel lies inside.

    Raises:
        ValueError: it is none of these, or does not fit the image.
    """
    if isinstance(segmentation, dict):
        return _from_runs(segmentation, shape)
    mask = np.zeros(shape, bool)
    if not isinstance(segmentation, list):
        raise ValueError(
            f"a segmentation must be polygons or run lengths; got {type(segmentation).__name__}."
        )
    for polygon in segmentation:
        try:
            corners = np.asarray(polygon, float)
        except (TypeError, OverflowError) as error:
            raise ValueError(f"a polygon must be a list of numbers ({error}).") from error
        if corners.ndim != 1 or corners.size % 2 or corners.size < 6 or not np.isfinite(corners).all():
            raise ValueError(
                f"a polygon must be at least three pairs of finite numbers; got {corners.size} numbers."
            )
        # the library counts from the centre of the first pixel
        rows, columns = draw.polygon(corners[1::2] - 0.5, corners[0::2] - 0.5, shape)
        mask[rows, columns] = True
    return mask


def _from_runs(segmentation: dict[str, Any], shape: tuple[int, int]) -> Bool[np.ndarray, "height width"]:
    size, counts = segmentation.get("size"), segmentation.get("counts")
    if size is None or counts is None:
        raise ValueError(f"run lengths need `size` and `counts`; there are {', '.join(segmentation)}.")
    if size != list(shape):
        raise ValueError(f"its `size` is {str(size)[:40]}, the image's {shape}.")
    runs = _unpacked(counts) if isinstance(counts, str) else counts
    if not isinstance(runs, list) or not all(type(run) is int for run in runs):
        raise ValueError("its `counts` must be a list of whole numbers, or COCO's string.")
    if min(runs, default=0) < 0 or sum(runs) != shape[0] * shape[1]:
        raise ValueError(f"its runs add up to {sum(runs)}, the image has {shape[0] * shape[1]} pixels.")
    flat = np.repeat(np.arange(len(runs)) % 2 == 1, runs)
    return flat.reshape(shape[::-1]).T


def _unpacked(text: str) -> list[int]:
    """Reads COCO's string: five bits a character, least significant first; from the fourth run differences.

    The sixth bit says that more follow, the fifth of the last character is the sign; a difference is to the
    run before the last.
    """
    runs: list[int] = []
    value = shift = 0
    for character in text:
        bits = ord(character) - 48
        if not 0 <= bits < 64:
            raise ValueError(f"its `counts` hold the character {character!r}, which is not COCO's.")
        value |= (bits & 31) << shift
        shift += 5
        if not bits & 32:
            if bits & 16:
                value -= 1 << shift
            runs.append(value + (runs[-2] if len(runs) > 2 else 0))
            value = shift = 0
    if shift:
        raise ValueError("its `counts` end in the middle of a number.")
    return runs
