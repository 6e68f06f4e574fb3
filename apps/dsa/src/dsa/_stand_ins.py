"""Stand-ins for horses and cells: photographs that ship with scikit-image, cut into tiles."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from skimage import filters

from dsa._image_set import ImageSet, resized
from repro import photographs

if TYPE_CHECKING:
    from jaxtyping import Bool, Float

COINS, PAGE = "coins.png", "page.png"


def coins(size: int) -> ImageSet:
    """Coins, about one on a tile: few large objects, as the horses are. True masks by a classical rule."""
    photograph = photographs.load(COINS)
    return _tiles(
        "coins for horses",
        f"of {COINS}",
        photograph,
        photographs.bright_objects(photograph),
        tile=75,
        size=size,
    )


def letters(size: int) -> ImageSet:
    """A printed page: many small objects, as the cells are. True masks by an adaptive threshold."""
    photograph = photographs.load(PAGE)
    paper = filters.threshold_local(photograph, 35)
    return _tiles(
        "letters for cells", f"of {PAGE}", photograph, photograph < paper - 0.08, tile=47, size=size
    )


def _tiles(
    title: str,
    source: str,
    photograph: Float[np.ndarray, "height width"],
    mask: Bool[np.ndarray, "height width"],
    *,
    tile: int,
    size: int,
) -> ImageSet:
    """Tiles that do not overlap; those of the lower half are for testing, whatever their share."""
    middle = len(photograph) // 2
    images, masks, is_test = [], [], []
    for part, lower in ((slice(None, middle), False), (slice(middle, None), True)):
        for i, j in photographs.tile_corners(photograph[part].shape, tile):
            window = np.s_[i : i + tile, j : j + tile]
            images.append(resized(photograph[part][window], size)[None])
            masks.append(resized(mask[part][window].astype(np.float32), size) >= 0.5)
            is_test.append(lower)
    return ImageSet(
        title,
        f"{len(images)} tiles {source} with {tile} x {tile} pixels, at {size} x {size} pixels",
        np.stack(images),
        np.stack(masks),
        np.array(is_test),
    )
