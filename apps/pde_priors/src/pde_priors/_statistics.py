"""Means over networks and frames, with intervals by resampling both."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.special import ndtr, stdtrit

if TYPE_CHECKING:
    from collections.abc import Sequence

    from jaxtyping import Float

RESAMPLES = 4000
FEWEST = 4
"""Networks and frames without which nothing is called significant."""


@dataclass(frozen=True)
class Interval:
    """A mean with its 95 % interval.

    Attributes:
        mean: over all networks and frames.
        low: lower end.
        high: upper end.
        significant: whether zero lies outside, with at least four networks and four frames.
    """

    mean: float
    low: float
    high: float
    significant: bool

    def __str__(self) -> str:
        return f"{self.mean:+.4f} [{self.low:+.4f}, {self.high:+.4f}]{' *' if self.significant else ''}"


def interval(groups: Sequence[Float[np.ndarray, "networks frames"]], seed: int = 0) -> Interval:
    r"""Mean of crossed scores, or of paired differences of scores, with its 95 % bootstrap interval.

    Every network of a group scores every frame of the group, so that scores share what is easy or hard about
    a frame and what is good or bad about a network. Both are drawn anew, with replacement, in every resample:
    rows and columns independently of each other, within every group (Owen, 2007). Percentiles of the
    resampled means are too narrow where there are few rows or columns; they are taken at the levels
    $\Phi(\mp \sqrt{n / (n - 1)} \; t_{n - 1})$ instead of 2.5 and 97.5 %, with n the smaller of both numbers
    (Hesterberg, 2015). A dimension with a single entry cannot vary: the interval then says nothing about
    others.

    Args:
        groups: scores of the networks (rows) on the frames (columns), for one or several unseen kinds. Every
            frame weighs the same.
        seed: of the resampling.

    Returns:
        The mean and both ends; they are equal where nothing varies.

    Raises:
        ValueError: there are no groups, or one is empty or not a table.

    Owen, *The pigeonhole bootstrap*, Annals of Applied Statistics, 2007. Hesterberg, *What teachers should
    know about the bootstrap*, The American Statistician, 2015, section 3.
    """
    if not groups or any(group.ndim != 2 or group.size == 0 for group in groups):
        shapes = [group.shape for group in groups]
        raise ValueError(f"`groups` must hold tables of networks and frames; got the shapes {shapes}.")
    generator = np.random.default_rng(seed)
    networks, frames = (sum(group.shape[axis] for group in groups) for axis in (0, 1))
    sums = np.zeros(RESAMPLES)
    for group in groups:
        # how often each row and each column is drawn
        rows, columns = (generator.multinomial(n, np.full(n, 1 / n), size=RESAMPLES) for n in group.shape)
        sums += (rows / group.shape[0] @ group * columns).sum(1)
    free = [count - len(groups) for count in (networks, frames) if count > len(groups)]
    level = _level(min(free), len(groups)) if free else 0.5
    low, high = (float(end) for end in np.quantile(sums / frames, (level, 1 - level)))
    mean = float(sum(group.mean(0).sum() for group in groups) / frames)
    return Interval(mean, low, high, min(networks, frames) >= FEWEST and (low > 0 or high < 0))


def _level(freedom: int, groups: int) -> float:
    """Returns the lower percentile that makes up for few entries; 0.025 for many."""
    return float(ndtr(np.sqrt((freedom + groups) / freedom) * stdtrit(freedom, 0.025)))
