"""Images with masks, cut into a part for training, one for validation and one for testing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np
import tifffile
from PIL import Image
from skimage import transform

from repro.arrays import read_arrays
from repro.errors import reason

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from jaxtyping import Bool, Float, Int, Shaped

Part = Literal["test", "validation"]

SHARE = 0.15
"""Of the images, for testing; and of the others, for validation."""


@dataclass(frozen=True)
class ImageSet:
    """Images of one size.

    Attributes:
        title: for pictures.
        source: what they are and where they came from, for the log.
        images: (n, channels, height, width), float32 in [0, 1].
        masks: (n, height, width).
        is_test: which images are for testing: (n,). No setting is chosen by them.
    """

    title: str
    source: str
    images: Float[np.ndarray, "n channels height width"]
    masks: Bool[np.ndarray, "n height width"]
    is_test: Bool[np.ndarray, " n"]

    def split(self, score_on: Part) -> tuple[Int[np.ndarray, " train"], Int[np.ndarray, " scored"]]:
        """Returns the numbers of the images to train on and of those to score.

        On "test", all that is not for testing is trained on. On "validation", a part of that is scored
        instead, the rest is trained on, and the images for testing are not looked at.
        """
        test, others = (np.flatnonzero(self.is_test == flag) for flag in (True, False))
        if score_on == "test":
            return others, test
        chosen = draw_test(len(others), seed=1)
        return others[~chosen], others[chosen]


def draw_test(count: int, seed: int = 0) -> Bool[np.ndarray, " count"]:
    """Draws 15 % of `count` images, the same for every run, at least one.

    Raises:
        ValueError: `count` is below two, so that one part would be empty.
    """
    if count < 2:
        raise ValueError(f"`count`: {count} images cannot be split into two parts. Add images.")
    chosen = np.zeros(count, dtype=bool)
    order = np.random.default_rng(seed).permutation(count)
    chosen[order[: max(1, round(SHARE * count))]] = True
    return chosen


def assemble(
    title: str, source: str, images: Sequence[np.ndarray], masks: Sequence[np.ndarray], size: int
) -> ImageSet:
    """Brings images (height, width) or (height, width, channels) and masks to one square size.

    Sides that differ are squeezed; the mask is where at least half of a pixel lies inside.
    """
    small = [resized(image, size) for image in images]
    stack = np.stack([image[..., None] if image.ndim == 2 else image for image in small])
    return ImageSet(
        title,
        f"{len(images)} {source}, at {size} x {size} pixels",
        np.ascontiguousarray(stack.transpose(0, 3, 1, 2)),
        np.stack([resized(mask.astype(np.float32), size) >= 0.5 for mask in masks]),
        draw_test(len(images)),
    )


def resized(image: np.ndarray, size: int) -> Float[np.ndarray, "size size *channels"]:
    """Scales an image to a square, smoothed first where it shrinks; float32, the range is kept."""
    shape = (size, size, *image.shape[2:])
    if image.shape == shape:
        return image.astype(np.float32)
    return transform.resize(image.astype(np.float32), shape, order=1, mode="edge", anti_aliasing=True).astype(
        np.float32
    )


def read(path: Path) -> Shaped[np.ndarray, "height width *channels"]:
    """Reads a picture as the numbers that the file holds.

    Raises:
        ValueError: the file cannot be read.
    """
    try:
        if path.suffix == ".tif":
            with tifffile.TiffFile(path) as file:
                len(file.pages)  # finds a chain of pages that comes back to itself; reading would never end
                picture = file.asarray()
        else:
            with Image.open(path) as image:
                picture = np.asarray(image.convert("RGB") if image.mode == "P" else image)
    except Exception as error:  # readers raise whatever they like about a damaged file
        raise ValueError(f"{path}: cannot be read ({reason(error)}). Copy it anew.") from error
    if picture.ndim not in (2, 3) or 0 in picture.shape or picture.dtype.kind not in "biuf":
        raise ValueError(f"{path}: is no picture: shape {picture.shape}, {picture.dtype}. Copy it anew.")
    if not _are_bright(picture):
        raise ValueError(f"{path}: holds a pixel that is negative or not finite. Copy it anew.")
    return picture


def stack_of(path: Path, images: str, masks: str) -> tuple[np.ndarray, np.ndarray]:
    """Reads images (n, height, width) or (n, height, width, channels) and their masks (n, height, width).

    Raises:
        ValueError: the file cannot be read, or its arrays do not go together or hold no finite numbers.
    """
    arrays = read_arrays(path, images, masks)
    image, mask = arrays[images], arrays[masks]
    for name, array in arrays.items():
        if array.dtype.kind not in "biuf":
            raise ValueError(f"{path}: `{name}` must hold numbers; it holds {array.dtype}. Fetch it again.")
        if not _are_bright(array):
            raise ValueError(
                f"{path}: `{name}` holds a value that is negative or not finite. Fetch it again."
            )
    if image.ndim not in (3, 4) or mask.shape != image.shape[:3] or 0 in image.shape:
        raise ValueError(
            f"{path}: `{images}` has the shape {image.shape}, `{masks}` {mask.shape}; a mask for each image "
            "is expected. Fetch it again."
        )
    return image, mask


def _are_bright(pixels: np.ndarray) -> bool:
    """Whether all are what a brightness or the number of an instance can be."""
    return bool((np.isfinite(pixels) & (pixels >= 0)).all())
