"""Photographs that come with scikit-image: coins and galaxies are seen, a cell is not."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pde_priors._frames import Frame, Split, halved, split_by_site, standardised
from repro import photographs

if TYPE_CHECKING:
    import numpy as np
    from jaxtyping import Bool, Float

DIRECTION = "coins+galaxies>cell"
FILES = ("coins.png", "hubble_deep_field.jpg", "cell.png")

_COINS = (slice(0, 152), 128)
"""The two upper rows of coins, in pieces of this width."""
_GALAXIES = (slice(380, 640), 250)
_CELL = (slice(256, 496), slice(308, 548))
"""The part of `cell.png` around its only cell; halved in size, the cell is one and a half coins wide."""


def load(noise: float, generator: np.random.Generator) -> Split:
    """Returns frames of coins, galaxies and a cell; the last of the coins and of the galaxies validate.

    Masks come from a classical rule on the photographs before the noise.

    Args:
        noise: deviation of the Gaussian noise, in deviations of each frame.
        generator: draws it.
    """
    frames = []
    for kind, name, (rows, width), smallest in (
        ("coins", FILES[0], _COINS, 300),
        ("galaxies", FILES[1], _GALAXIES, 60),
    ):
        image = photographs.load(name)
        mask = photographs.bright_objects(image, smallest)
        for k, start in enumerate(range(0, image.shape[1] - width + 1, width)):
            window = (rows, slice(start, start + width))
            frames.append(_noisy(f"{name} {k}", kind, str(k), image[window], mask[window], noise, generator))
    image = photographs.load(FILES[2])
    mask = photographs.bright_objects(image)
    cell = (halved(image[_CELL]), halved(mask[_CELL]) >= 0.5)
    frames.append(_noisy(FILES[2], "cell", "0", *cell, noise, generator))
    return split_by_site(frames, ["coins", "galaxies"], "cell")


def _noisy(
    name: str,
    kind: str,
    site: str,
    image: Float[np.ndarray, "height width"],
    mask: Bool[np.ndarray, "height width"],
    noise: float,
    generator: np.random.Generator,
) -> Frame:
    with_noise = standardised(image) + noise * generator.standard_normal(image.shape)
    return Frame(name, kind, site, standardised(with_noise), mask)
