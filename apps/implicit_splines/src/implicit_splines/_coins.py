"""The default data: a photograph of coins that ships with scikit-image, cut into regions."""

from __future__ import annotations

import numpy as np

from implicit_splines._volumes import Volume, Volumes
from repro import photographs

PHOTOGRAPH = "coins.png"
SIDE = 75
"""Height of a row of coins, and side of the square tiles."""
TILES = 5
"""For each region, overlapping."""
ROWS = {2: 186, 77: 180, 152: 182, 227: 210}
"""First pixel row of each row of coins, and the pixel column between its third and its fourth coin."""


def load() -> Volumes:
    """Cuts the photograph into eight regions of three coins, disjoint and without a cut coin.

    A region stands for a volume, its overlapping tiles for the slices. The two upper rows of coins are
    trained on, the third validates, the fourth is scored. The masks come from a classical rule.
    """
    photograph = photographs.load(PHOTOGRAPH)
    mask = photographs.bright_objects(photograph)
    image = np.rint(255 * photograph).astype(np.uint8)
    volumes = []
    for number, (top, middle) in enumerate(ROWS.items(), start=1):
        for side, (left, right) in {"left": (0, middle), "right": (middle, image.shape[1])}.items():
            rows = slice(top, top + SIDE)
            corners = np.linspace(left, right - SIDE, TILES).astype(int)
            columns = [slice(corner, corner + SIDE) for corner in corners]
            volumes.append(
                Volume(
                    f"row-{number}-{side}",
                    np.stack([image[rows, part] for part in columns]),
                    np.stack([mask[rows, part] for part in columns]),
                    tuple(range(0, TILES * SIDE, SIDE)),  # apart: tiles are no neighbours in space
                )
            )
    train, validation, test = tuple(volumes[:4]), tuple(volumes[4:6]), tuple(volumes[6:])
    return Volumes(f"{PHOTOGRAPH}, regions of a photograph", train, validation, test, is_complete=False)
