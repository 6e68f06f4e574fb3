"""The time of a fit from the times at which its steps were reported."""

from __future__ import annotations

import numpy as np


def seconds_of(ticks: list[float], steps: int) -> float:
    """Time of `steps` steps at the pace of those after the first block: no compilation in it.

    Steps may be reported in blocks, all of one at nearly the same time; the first block ends before the first
    gap that is a tenth of the longest or more. 0 where fewer than two blocks were seen.
    """
    if len(ticks) < 3:
        return 0.0
    gaps = np.diff(ticks)
    first = int(np.argmax(gaps >= gaps.max() / 10))
    return float((ticks[-1] - ticks[first]) / (len(ticks) - 1 - first)) * steps
