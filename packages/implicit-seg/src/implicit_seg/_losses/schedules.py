"""Weights that change while a network trains: functions of the number of the step."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

Schedule = Callable[[int], float]
"""From the number of the step, starting at 0, to a weight; any function will do."""


@dataclass(frozen=True)
class _Ramp:
    """From one weight to another, each of which it keeps beyond."""

    start: float
    end: float
    steps: int
    delay: int = 0

    def __post_init__(self) -> None:
        if not (math.isfinite(self.start) and math.isfinite(self.end)):
            raise ValueError(f"`start` and `end` must be finite; got {self.start} and {self.end}.")
        if self.steps < 1:
            raise ValueError(f"`steps` must be at least 1; got {self.steps}.")
        if self.delay < 0:
            raise ValueError(f"`delay` must not be negative; got {self.delay}.")

    def _share(self, step: int) -> float:
        return min(max((step - self.delay) / self.steps, 0.0), 1.0)


class LinearSchedule(_Ramp):
    """Changes at a constant rate: a warm-up where `start` is 0.

    Args:
        start: weight of the first `delay` steps; finite.
        end: weight at last; finite.
        steps: from the one to the other, at least 1.
        delay: not negative.

    Raises:
        ValueError: an argument is out of range.

    >>> [LinearSchedule(0.0, 1.0, steps=4, delay=1)(step) for step in range(7)]
    [0.0, 0.0, 0.25, 0.5, 0.75, 1.0, 1.0]
    """

    def __call__(self, step: int) -> float:
        """Returns the weight of a step."""
        share = self._share(step)
        return (1 - share) * self.start + share * self.end


class CosineSchedule(_Ramp):
    """Changes along half a period of a cosine, slow at both ends.

    Args and raises as `LinearSchedule`.

    >>> [round(CosineSchedule(1.0, 0.0, steps=4)(step), 3) for step in range(6)]
    [1.0, 0.854, 0.5, 0.146, 0.0, 0.0]
    """

    def __call__(self, step: int) -> float:
        """Returns the weight of a step."""
        share = (1 - math.cos(math.pi * self._share(step))) / 2
        return (1 - share) * self.start + share * self.end
