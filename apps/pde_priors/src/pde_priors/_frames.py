"""Frames of a data set: an image, its mask, the kind of object it shows, and where it was taken."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import chain, zip_longest
from typing import TYPE_CHECKING

import numpy as np
import torch

from repro import photographs

if TYPE_CHECKING:
    from collections.abc import Sequence

    from jaxtyping import Bool, Float, Integer
    from torch import Tensor


@dataclass(frozen=True)
class Frame:
    """One image with its mask.

    Attributes:
        name: of its file.
        kind: of the objects on it: the cell type.
        site: where it was taken: well and position; frames of one site are never on both sides of a split.
        image: brought to mean 0 and deviation 1 by its own pixels, float32.
        mask: true on the objects.
    """

    name: str
    kind: str
    site: str
    image: Float[np.ndarray, "height width"]
    mask: Bool[np.ndarray, "height width"]


@dataclass(frozen=True)
class Split:
    """Frames to train on, to choose by, and to score.

    Attributes:
        train: frames of the seen kinds.
        validation: other frames of the seen kinds, from other sites; the weights are chosen by them.
        test: frames of the unseen kind.
    """

    train: list[Frame]
    validation: list[Frame]
    test: list[Frame]


def standardised(
    image: Integer[np.ndarray, "height width"] | Float[np.ndarray, "height width"],
) -> np.ndarray:
    """Returns an image with mean 0 and deviation 1, float32; raises `ValueError` where it is constant."""
    deviation = image.std()
    if deviation == 0:
        raise ValueError(f"the image is constant: all its pixels are {image.flat[0]}. Leave it out.")
    return ((image - image.mean()) / deviation).astype(np.float32)


def halved(image: np.ndarray) -> np.ndarray:
    """Returns the means over squares of 2 x 2 pixels; an odd last row or column is left out."""
    height, width = (n // 2 for n in image.shape)
    return image[: 2 * height, : 2 * width].reshape(height, 2, width, 2).mean((1, 3))


def half_frame(name: str, kind: str, site: str, image: np.ndarray, mask: np.ndarray) -> Frame:
    """Returns a frame at half resolution; a pixel is inside where half of its four are."""
    return Frame(name, kind, site, standardised(halved(image)), halved(mask) >= 0.5)


def split_by_site(frames: Sequence[Frame], seen: Sequence[str], unseen: str) -> Split:
    """Takes each seen kind's last site to validate, its others to train, and the unseen kind to test.

    Raises:
        ValueError: a kind has no frames, or a seen one those of a single site.
    """
    train, validation = [], []
    for kind in (*seen, unseen):
        if not any(frame.kind == kind for frame in frames):
            there = ", ".join(sorted({frame.kind for frame in frames}))
            raise ValueError(f"there is no frame of the kind {kind!r}; there are: {there}.")
    for kind in seen:
        sites = sorted({frame.site for frame in frames if frame.kind == kind})
        if len(sites) < 2:
            raise ValueError(
                f"all frames of the kind {kind!r} are from one site ({sites[0]}); two are needed, "
                "one to train on and one to validate."
            )
        of_kind = [frame for frame in frames if frame.kind == kind]
        train += [frame for frame in of_kind if frame.site != sites[-1]]
        validation += [frame for frame in of_kind if frame.site == sites[-1]]
    return Split(train, validation, [frame for frame in frames if frame.kind == unseen])


def draw_tiles(
    frames: Sequence[Frame], size: int, count: int, generator: np.random.Generator
) -> list[tuple[Tensor, Tensor]]:
    """Cuts frames into square tiles and draws some, the kinds by turns.

    With the generator in the same state a larger draw begins with a smaller one.

    Args:
        frames: to cut.
        size: side of the tiles in pixels.
        count: how many; 0 takes all.
        generator: shuffles the tiles of every kind.

    Returns:
        Images and masks, (1, size, size) each.

    Raises:
        ValueError: there are fewer tiles than `count`, or none.
    """
    kinds = sorted({frame.kind for frame in frames})
    groups = []
    for kind in kinds:
        corners = [
            (frame, i, j)
            for frame in frames
            if frame.kind == kind
            for i, j in photographs.tile_corners(frame.mask.shape, size)
        ]
        groups.append([corners[k] for k in generator.permutation(len(corners))])
    order = [corner for corner in chain.from_iterable(zip_longest(*groups)) if corner is not None]
    if len(order) < max(count, 1):
        raise ValueError(
            f"{len(frames)} frames have room for {len(order)} tiles of {size} x {size} pixels, "
            f"not for {max(count, 1)}. Take fewer or smaller ones."
        )
    return [
        (
            torch.from_numpy(frame.image[None, i : i + size, j : j + size].copy()),
            torch.from_numpy(frame.mask[None, i : i + size, j : j + size].astype(np.float32)),
        )
        for frame, i, j in order[: count or None]
    ]
