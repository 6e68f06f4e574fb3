"""The photographs that come with scikit-image: real images for experiments that download nothing."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import skimage.data
from scipy import ndimage
from skimage import color, filters, io, measure, morphology, util

if TYPE_CHECKING:
    from jaxtyping import Bool, Float


def path(name: str) -> Path:
    """Returns the file of a photograph that ships inside scikit-image's wheel, such as `coins.png`.

    Raises:
        ValueError: no such file ships with the installed version.
    """
    folder = Path(skimage.data.__file__).parent
    if not (folder / name).is_file():
        shipped = ", ".join(sorted(p.name for p in folder.glob("*.png")))
        raise ValueError(f"`name`: no photograph {name!r} ships with scikit-image. There are: {shipped}.")
    return folder / name


def load(name: str) -> Float[np.ndarray, "height width"]:
    """Reads a photograph as grey values in [0, 1], float64."""
    image = io.imread(path(name))
    if image.ndim == 3:
        image = color.rgb2gray(image[..., :3])
    return util.img_as_float64(image)


def checksums(*names: str) -> dict[str, str]:
    """Returns the SHA-256 checksum of each named file."""
    return {name: hashlib.sha256(path(name).read_bytes()).hexdigest() for name in names}


def bright_objects(
    image: Float[np.ndarray, "height width"], smallest: int = 300
) -> Bool[np.ndarray, "height width"]:
    """Masks bright objects on a darker, uneven ground by a classical rule.

    The ground (a Gaussian of 50 pixels) is subtracted and the noise smoothed (1 pixel); Otsu's threshold
    follows; gaps up to 6 pixels wide are closed, holes filled, threads up to 6 pixels wide cut, small pieces
    left out.

    Args:
        image: grey values.
        smallest: pieces of fewer pixels are left out.
    """
    contrast = filters.gaussian(image, 1, mode="reflect") - filters.gaussian(image, 50, mode="reflect")
    mask = np.pad(
        contrast > filters.threshold_otsu(contrast), 8, mode="edge"
    )  # what meets the border goes on
    disk = morphology.disk(3)
    mask = ndimage.binary_fill_holes(ndimage.binary_closing(mask, disk))
    mask = ndimage.binary_opening(mask, disk)[8:-8, 8:-8]
    pieces = np.asarray(measure.label(mask, connectivity=1))
    return np.logical_and(mask, np.bincount(pieces.ravel())[pieces] >= smallest)


def random_corners(
    shape: tuple[int, int], size: int, count: int, generator: np.random.Generator
) -> list[tuple[int, int]]:
    """Draws the upper left corners of `count` square crops of `size` pixels inside an image of `shape`."""
    height, width = shape
    return [
        (int(generator.integers(height - size + 1)), int(generator.integers(width - size + 1)))
        for _ in range(count)
    ]


def tile_corners(shape: tuple[int, int], size: int) -> list[tuple[int, int]]:
    """Returns the upper left corners of the square tiles of `size` pixels that fit into `shape`."""
    return [(i, j) for i in range(0, shape[0] - size + 1, size) for j in range(0, shape[1] - size + 1, size)]
