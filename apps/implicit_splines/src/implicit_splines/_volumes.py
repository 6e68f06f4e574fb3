"""What is trained on and scored: volumes of slices with their masks, in three parts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    import numpy as np
    from jaxtyping import Bool, UInt8

Tissue = Literal["blood volume", "myocardium"]

LABELS: dict[Tissue, tuple[int, ...]] = {"blood volume": (1, 2, 3, 4, 6, 7), "myocardium": (5,)}
"""CHD68: 1 and 2 left and right ventricle, 3 and 4 left and right atrium, 5 myocardium, 6 aorta, 7 pulmonary
artery."""

SEPARATE = (43, 62)
"""Volumes that the paper leaves out: another resolution, erroneous labels."""
VALIDATION = (3, 6, 8, 10, 17, 31, 32, 33, 45, 50, 52, 54, 68)
TEST = (2, 12, 18, 23, 25, 27, 40, 44, 48, 51, 53, 55, 57, 60)


@dataclass(frozen=True)
class Volume:
    """Slices of one body, or of one region of a photograph, with their masks.

    Attributes:
        name: as the data set has it.
        images: grey values.
        masks: True inside.
        positions: of the slices along their axis, increasing, in pixels.
    """

    name: str
    images: UInt8[np.ndarray, "slices height width"]
    masks: Bool[np.ndarray, "slices height width"]
    positions: tuple[int, ...]

    def __len__(self) -> int:
        return len(self.images)


@dataclass(frozen=True)
class Volumes:
    """A data set, split by volume.

    Attributes:
        source: for the log: which data, how split.
        train: to train on.
        validation: to choose settings by (Table 1).
        test: to score.
        is_complete: whether every slice of a volume is there, so that components can be followed through it.
    """

    source: str
    train: tuple[Volume, ...]
    validation: tuple[Volume, ...]
    test: tuple[Volume, ...]
    is_complete: bool

    def __str__(self) -> str:
        parts = ", ".join(
            f"{name} {' '.join(v.name for v in part)} ({sum(map(len, part))} slices)"
            for name, part in (("train", self.train), ("validation", self.validation), ("test", self.test))
        )
        return f"{self.source}; {parts}"
