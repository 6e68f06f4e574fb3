"""The four losses that are compared, and the scores they are compared by."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from implicit_seg import boundary_f, dice, hausdorff_distance, jaccard

if TYPE_CHECKING:
    from collections.abc import Callable

    from jaxtyping import Bool

VARIANTS = {
    "none": "no prior",
    "phase_field": "phase field",
    "reaction_diffusion": "reaction-diffusion",
    "both": "both",
}
"""Names for readers; the first is the baseline."""

Weights = tuple[float, float]
"""Of the phase-field energy and of the reaction-diffusion residual."""

SCORES: dict[str, tuple[str, Callable[..., float]]] = {
    "dice": ("Dice", dice),
    "jaccard": ("Jaccard", jaccard),
    "boundary_f": ("boundary F", partial(boundary_f, tolerance=2.0)),
    "hausdorff": ("95 % Hausdorff", partial(hausdorff_distance, between="boundaries", percentile=95)),
}
"""Name for readers and function of a predicted and a true mask."""


def scores_of(
    predicted: Bool[np.ndarray, "height width"], truth: Bool[np.ndarray, "height width"]
) -> list[float]:
    """Scores a prediction in the order of `SCORES`; a distance that does not exist is the frame's diagonal.

    There is none where exactly one of the masks is empty; the diagonal is the largest that a frame can have.
    """
    diagonal = float(np.hypot(*truth.shape))
    return [min(score(predicted, truth), diagonal) for _, score in SCORES.values()]
