"""The Weizmann horses: one horse from the side on each photograph, with its outline cut by hand."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from dsa._image_set import assemble, read, stack_of

if TYPE_CHECKING:
    from pathlib import Path

    from dsa._image_set import ImageSet

SETS = ("weizmann-horses",)
"""Names of the folders that `repro data` fetches into."""
FOLDER, IMAGES, MASKS = "weizmann_horse_db", "rgb", "figure_ground"
ARRAYS = "weizmann_horses_128.npz"
LAYOUTS = f"`{FOLDER}/{IMAGES}/*.jpg` with `{FOLDER}/{MASKS}/*.jpg`, and `{ARRAYS}`"
THRESHOLD = 127
"""The masks are JPEG files: black and white with a fringe of greys."""
ASPECT = 0.02
"""Image and mask may differ in aspect by this much: they do by 0.6 %, having been scaled apart."""


def load(folder: Path, size: int) -> ImageSet | None:
    """Reads the horses at `size` x `size` pixels; None where the folder has none.

    The published layout is `weizmann_horse_db/{rgb,figure_ground}/horseNNN.jpg` (its greys are not read); an
    image and its mask differ by some pixels in size. The array file has `image` (n, h, w, 3) and `mask`.

    Args:
        folder: that has `weizmann_horse_db`, or is it, or has `weizmann_horses_128.npz`.
        size: pixels on each side; other proportions are squeezed into it.

    Raises:
        ValueError: an image lacks its mask or the reverse, they differ in aspect, or a file cannot be read.

    Borenstein and Ullman, *Learning to segment*, ECCV 2004.
    """
    for base in (folder / FOLDER, folder):
        if (base / IMAGES).is_dir() and (base / MASKS).is_dir():
            return _published(base, size)
    if (folder / ARRAYS).is_file():
        images, masks = stack_of(folder / ARRAYS, "image", "mask")
        images, masks = images / np.float32(255), masks > 0
        return assemble("Weizmann horses", f"Weizmann horses ({ARRAYS})", list(images), list(masks), size)
    return None


def _published(base: Path, size: int) -> ImageSet:
    found = [{path.stem: path for path in (base / name).glob("*.jpg")} for name in (IMAGES, MASKS)]
    for (here, there), (name, other) in zip(
        (found, reversed(found)), ((IMAGES, MASKS), (MASKS, IMAGES)), strict=True
    ):
        if lonely := sorted(here.keys() - there.keys()):
            raise ValueError(
                f"{here[lonely[0]]}: {base / other} has no file of this name. Add it, or take this one away "
                f"from {name}."
            )
    images, masks = [], []
    for stem in sorted(found[0]):
        image, mask = (read(paths[stem]) for paths in found)
        quotient = image.shape[1] * mask.shape[0] / (image.shape[0] * mask.shape[1])
        if abs(quotient - 1) > ASPECT:
            raise ValueError(
                f"{found[1][stem]}: the mask is {mask.shape[1]} x {mask.shape[0]}, its image "
                f"{image.shape[1]} x {image.shape[0]} pixels: another proportion. Is it "
                "the mask of this image?"
            )
        images.append(np.broadcast_to(_channels(image), (*image.shape[:2], 3)) / np.float32(255))
        masks.append(_channels(mask).mean(-1) > THRESHOLD)
    return assemble("Weizmann horses", f"Weizmann horses ({base.name})", images, masks, size)


def _channels(image: np.ndarray) -> np.ndarray:
    return image[..., None] if image.ndim == 2 else image[..., :3]
