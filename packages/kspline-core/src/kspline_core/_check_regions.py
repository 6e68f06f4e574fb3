"""Checks of images, level partitions and label maps."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from kspline_core import _check

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import ArrayLike

MAX_PIXELS = 2**31 - 1


class Partition(NamedTuple):
    """The checked settings of a level partition."""

    levels: tuple[float, ...]
    connectivity: int
    min_size: int


def partition(levels: Sequence[float], connectivity: int, min_size: int) -> Partition:
    """Checks the settings of `regions`."""
    values = tuple(float(level) for level in levels)
    for i, value in enumerate(values):
        if not math.isfinite(value):
            raise ValueError(f"`levels` must be finite; levels[{i}] = {value}. Leave it out.")
        if i > 0 and values[i - 1] >= value:
            raise ValueError(
                f"`levels` must increase; levels[{i - 1}] = {values[i - 1]:g} >= levels[{i}] = {value:g}. "
                "Sort them and drop the doubles."
            )
    if connectivity not in (4, 8):
        raise ValueError(f"`connectivity` must be 4 or 8; got {connectivity!r}.")
    return Partition(values, connectivity, _check.integer("min_size", min_size, 1))


def image_shape(shape: Sequence[int]) -> None:
    """Refuses what is no image, and more pixels than a label can count."""
    if len(shape) < 2:
        raise ValueError(
            f"`image` must have a shape (..., height, width); got {tuple(shape)}. "
            "Use image[None] for one row."
        )
    if shape[-2] * shape[-1] > MAX_PIXELS:
        raise ValueError(
            f"`image` must have at most {MAX_PIXELS} pixels; got {shape[-2]} x {shape[-1]}. "
            "Cut it into tiles."
        )


def image_like(name: str, shape: Sequence[int], image: Sequence[int]) -> None:
    """Refuses an array that has neither the shape of the images nor that of one image."""
    if tuple(shape) not in (tuple(image), tuple(image[-2:])):
        raise ValueError(
            f"`{name}` must have the shape of `image`, {tuple(image)}, or of one image, {tuple(image[-2:])}; "
            f"got {tuple(shape)}."
        )


def labels_range(low: int, high: int) -> None:
    """Refuses labels beyond 32 bits."""
    for value in (low, high):
        if not -(2**31) <= value < 2**31:
            raise ValueError(f"`labels` must lie within 32 bits; got {value}. Number them anew.")


def label_map(labels: ArrayLike, shape: Sequence[int]) -> np.ndarray[Any, np.dtype[Any]]:
    """Returns `labels` as an array of `shape`, of integers within 32 bits in the dtype they have."""
    array = np.asarray(labels)
    if array.dtype.kind not in "iub":
        raise TypeError(
            f"`labels` must hold integers; got dtype {array.dtype}. Convert them, for example with "
            "numpy.asarray(labels, dtype=numpy.int32)."
        )
    image_like("labels", array.shape, shape)
    if array.size:
        labels_range(int(array.min()), int(array.max()))
    return np.broadcast_to(array, shape)


def pixel_weights(
    weights: ArrayLike | None, shape: Sequence[int]
) -> np.ndarray[Any, np.dtype[np.float64]] | None:
    """Returns `weights` as a contiguous float64 array of `shape`: non-negative and finite."""
    if weights is None:
        return None
    array = _check.real("weights", weights)
    image_like("weights", array.shape, shape)
    _check.finite("weights", array, "Use 0 for a missing pixel.")
    if (array < 0).any():
        place = np.unravel_index(np.argmax(array < 0), array.shape)
        index = ", ".join(str(int(i)) for i in place)
        raise ValueError(
            f"`weights` must not be negative; weights[{index}] = {array[place]:g}. Use 0 for a missing pixel."
        )
    return np.ascontiguousarray(np.broadcast_to(array, shape), dtype=np.float64)
