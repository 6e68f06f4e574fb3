"""Scores of single images, and what they say of the difference between two methods."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from implicit_seg import betti_numbers, jaccard

if TYPE_CHECKING:
    from jaxtyping import Bool, Float, Int

RESAMPLES = 10_000


@dataclass(frozen=True)
class Scores:
    """One method on the scored images.

    Attributes:
        predicted: its masks.
        jaccard: in percent, for each image.
        topology: components and holes that each mask has.
    """

    predicted: Bool[np.ndarray, "n height width"]
    jaccard: Float[np.ndarray, " n"]
    topology: Int[np.ndarray, "n 2"]

    @staticmethod
    def of(
        predicted: Bool[np.ndarray, "n height width"], truth: Bool[np.ndarray, "n height width"]
    ) -> Scores:
        """Compares masks with the true ones, image by image."""
        overlaps = [jaccard(ours, theirs) for ours, theirs in zip(predicted, truth, strict=True)]
        return Scores(predicted, 100 * np.array(overlaps), topology(predicted))


@dataclass(frozen=True)
class Gain:
    """Mean difference of two methods on the same images, with its interval of 95 %."""

    mean: float
    low: float
    high: float

    @property
    def verdict(self) -> str:
        """Says in words whether the interval excludes zero."""
        if self.low > 0:
            return "significantly above zero"
        if self.high < 0:
            return "significantly below zero"
        return "not significant"

    def __str__(self) -> str:
        return f"{self.mean:+.2f} [{self.low:+.2f}, {self.high:+.2f}], {self.verdict}"


def topology(masks: Bool[np.ndarray, "n height width"]) -> Int[np.ndarray, "n 2"]:
    """Components and holes of each mask, as the layer sees them: neighbours share a side."""
    return np.array([betti_numbers(mask, connectivity="faces") for mask in masks])


def paired_gain(ours: Float[np.ndarray, " n"], theirs: Float[np.ndarray, " n"], seed: int) -> Gain:
    """Bootstrap of the mean difference: images are drawn with replacement, both methods on the same ones.

    The interval is that of the percentiles 2.5 and 97.5 of 10,000 draws. It covers the choice of test images;
    what another training would change is seen in the other seeds.
    """
    difference = ours - theirs
    generator = np.random.default_rng(seed)
    draws = generator.integers(len(difference), size=(RESAMPLES, len(difference)))
    low, high = np.quantile(difference[draws].mean(1), (0.025, 0.975))
    return Gain(float(difference.mean()), float(low), float(high))
