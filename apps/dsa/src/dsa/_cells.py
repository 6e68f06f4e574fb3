"""Nuclei under a fluorescence microscope, from the Broad Bioimage Benchmark Collection."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from skimage import color

from dsa._image_set import assemble, read, stack_of

if TYPE_CHECKING:
    from pathlib import Path

    from dsa._image_set import ImageSet

SETS = ("bbbc038", "bbbc039")
"""Names of the folders that `repro data` fetches into."""
BOWL = "stage1_train"
ARRAYS = "dsb2018_nuclei_256.npz"

LAYOUTS = (
    f"`{BOWL}/*/images/*.png` with `{BOWL}/*/masks/*.png`, `images/*.tif` with `masks/*.png`, and `{ARRAYS}`"
)


def load(folder: Path, size: int) -> ImageSet | None:
    """Reads cells as grey images of `size` x `size` pixels, the brightest pixel 1; None if there are none.

    Three layouts are known, in this order: BBBC038 (Data Science Bowl 2018),
    `stage1_train/<name>/images/<name>.png` with one mask per nucleus in `stage1_train/<name>/masks/*.png`;
    BBBC039, `images/<name>.tif` with `masks/<name>.png`, whose red channel is not zero in a nucleus; and an
    array file with `image` and `instance`, 120 dark grey images of BBBC038. The paper does not say which set
    of the collection it took.

    Args:
        folder: to look in.
        size: pixels on each side; other proportions are squeezed into it.

    Raises:
        ValueError: an image lacks its mask, sizes differ, or a file cannot be read.

    Ljosa, Sokolnicki and Carpenter, *Annotated high-throughput microscopy image sets for validation*, 2012;
    Caicedo et al., *Nucleus segmentation across imaging experiments*, 2019.
    """
    if (folder / BOWL).is_dir():
        pairs = [_bowl_pair(path) for path in sorted((folder / BOWL).iterdir()) if path.is_dir()]
        label = "images of nuclei (BBBC038)"
    elif frames := sorted((folder / "images").glob("*.tif")):
        pairs = [_frame_pair(path, folder / "masks" / f"{path.stem}.png") for path in frames]
        label = "images of nuclei (BBBC039)"
    elif (folder / ARRAYS).is_file():
        images, instances = stack_of(folder / ARRAYS, "image", "instance")
        pairs = list(zip(images, instances > 0, strict=True))
        label = f"images of nuclei ({ARRAYS}, of BBBC038)"
    else:
        return None
    if not pairs:
        raise ValueError(f"{folder / BOWL}: holds no folder with an image. Unpack the data set into it.")
    return assemble(
        "cells (BBBC)", label, [_bright(image) for image, _ in pairs], [mask for _, mask in pairs], size
    )


def _bowl_pair(folder: Path) -> tuple[np.ndarray, np.ndarray]:
    images, masks = (sorted((folder / name).glob("*.png")) for name in ("images", "masks"))
    if len(images) != 1 or not masks:
        raise ValueError(
            f"{folder}: has {len(images)} files images/*.png and {len(masks)} files masks/*.png; one image "
            "and at least one mask belong there. Unpack it anew."
        )
    image = read(images[0])
    inside = np.zeros(image.shape[:2], dtype=bool)
    for path in masks:
        inside |= _inside(read(path), path, image)
    return image, inside


def _frame_pair(path: Path, mask: Path) -> tuple[np.ndarray, np.ndarray]:
    if not mask.is_file():
        raise ValueError(f"{path}: there is no mask {mask}. Unpack BBBC039's masks beside its images.")
    image = read(path)
    return image, _inside(read(mask), mask, image)


def _inside(mask: np.ndarray, path: Path, image: np.ndarray) -> np.ndarray:
    if mask.shape[:2] != image.shape[:2]:
        raise ValueError(
            f"{path}: the mask has {mask.shape[1]} x {mask.shape[0]} pixels, its image "
            f"{image.shape[1]} x {image.shape[0]}. Is it the mask of this image?"
        )
    return (mask if mask.ndim == 2 else mask[..., 0]) > 0


def _bright(image: np.ndarray) -> np.ndarray:
    """Exposures differ by a factor of ten: each image is divided by its brightest pixel."""
    if image.ndim == 2:
        grey = image
    elif image.shape[2] < 3:  # grey, and how opaque it is
        grey = image[..., 0]
    else:
        grey = color.rgb2gray(image[..., :3])
    return (grey / max(float(grey.max()), np.finfo(np.float32).tiny)).astype(np.float32)
