"""Scores of predicted volumes, and intervals of their differences."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from implicit_seg import accuracy, dice, filter_components, hausdorff_distance, jaccard

if TYPE_CHECKING:
    from collections.abc import Sequence

    from jaxtyping import Bool, Float

    from implicit_splines._volumes import Volume

METRICS = ("accuracy", "dice", "jaccard", "hausdorff")
_OVERLAPS = {"accuracy": accuracy, "dice": dice, "jaccard": jaccard}


@dataclass(frozen=True)
class Scores:
    """Scores of one network.

    Attributes:
        volumes: by metric, one for each volume.
        slices: by metric, for each volume one for each slice.
    """

    volumes: dict[str, Float[np.ndarray, " volumes"]]
    slices: dict[str, list[Float[np.ndarray, " slices"]]]

    def mean(self, metric: str) -> float:
        """Over the volumes."""
        return float(self.volumes[metric].mean())


def score(volumes: Sequence[Volume], predicted: Sequence[Bool[np.ndarray, "slices height width"]]) -> Scores:
    """Scores volumes: as a whole, and slice by slice.

    Distances are in pixels of a slice and numbers of slices, as the paper's; where slices are missing they
    are distances among those that there are. Where one of two masks is empty the distance is infinite: the
    diagonal of the volume (of the slice) stands for it, so that means can be taken.
    """
    whole: dict[str, list[float]] = {metric: [] for metric in METRICS}
    each: dict[str, list[np.ndarray]] = {metric: [] for metric in METRICS}
    for volume, mask in zip(volumes, predicted, strict=True):
        for metric, measure in _OVERLAPS.items():
            whole[metric].append(measure(mask, volume.masks))
            each[metric].append(np.array([measure(p, t) for p, t in zip(mask, volume.masks, strict=True)]))
        whole["hausdorff"].append(_hausdorff(_in_place(mask, volume), _in_place(volume.masks, volume)))
        each["hausdorff"].append(
            np.array([_hausdorff(p, t) for p, t in zip(mask, volume.masks, strict=True)])
        )
    return Scores({metric: np.array(values) for metric, values in whole.items()}, each)


def batch_scores(
    volumes: Sequence[Volume], predicted: Sequence[Bool[np.ndarray, "slices height width"]], size: int
) -> dict[str, float]:
    """Accuracy, Dice and Jaccard of batches of `size` slices, and the mean over the batches (Table 1)."""
    masks = np.concatenate([volume.masks for volume in volumes])
    found = np.concatenate(list(predicted))
    starts = range(0, len(masks), size)
    return {
        metric: float(np.mean([measure(found[k : k + size], masks[k : k + size]) for k in starts]))
        for metric, measure in _OVERLAPS.items()
    }


def cleaned(
    mask: Bool[np.ndarray, "slices height width"], share: float, *, is_complete: bool
) -> Bool[np.ndarray, "slices height width"]:
    """Removes small components.

    Args:
        mask: of a volume.
        share: of a slice's area: smaller components of a slice are removed.
        is_complete: every slice is there: the largest component in space is kept instead, all else removed.
    """
    if is_complete:
        return filter_components(mask, largest=1)
    least = math.ceil(share * mask[0].size)
    return np.stack([filter_components(part, min_size=least) for part in mask])


def paired_interval(
    differences: Sequence[Float[np.ndarray, "repeats slices"]], *, draws: int = 2000, seed: int = 0
) -> tuple[float, float, float]:
    """The mean of paired differences with its 95 % interval by the bootstrap.

    Draws trainings, and within them volumes where there are eight or more, else slices within each volume:
    the interval then speaks of these volumes' slices, not of other patients.

    Args:
        differences: for each volume those of its slices, by every repeated training.
        draws: of the bootstrap.
        seed: of the draws.

    Returns:
        The mean over all slices and trainings, and the lower and upper end.
    """
    generator = np.random.default_rng(seed)
    repeats, many = len(differences[0]), len(differences) >= 8
    means = np.empty(draws)
    for k in range(draws):
        trained = generator.integers(repeats, size=repeats)
        chosen = (
            generator.integers(len(differences), size=len(differences)) if many else range(len(differences))
        )
        parts = []
        for index in chosen:
            part = differences[index][trained]
            if not many:
                part = part[:, generator.integers(part.shape[1], size=part.shape[1])]
            parts.append(part.mean(0))
        means[k] = np.concatenate(parts).mean()
    low, high = np.quantile(means, (0.025, 0.975))
    return float(np.concatenate([part.mean(0) for part in differences]).mean()), float(low), float(high)


def _hausdorff(predicted: np.ndarray, target: np.ndarray) -> float:
    distance = hausdorff_distance(predicted, target)
    return distance if math.isfinite(distance) else float(np.linalg.norm(predicted.shape))


def _in_place(mask: np.ndarray, volume: Volume) -> np.ndarray:
    """Slices at their positions, with empty ones between."""
    first, last = volume.positions[0], volume.positions[-1]
    if last - first + 1 == len(mask):
        return mask
    placed = np.zeros((last - first + 1, *mask.shape[1:]), bool)
    placed[np.array(volume.positions) - first] = mask
    return placed
