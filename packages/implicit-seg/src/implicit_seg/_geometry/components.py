"""Components and holes of masks, by their size."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy import ndimage

if TYPE_CHECKING:
    from jaxtyping import Bool


def filter_components(
    mask: Bool[np.ndarray, "*size"],
    *,
    min_size: int = 0,
    largest: int | None = None,
    fill_holes: int = 0,
) -> Bool[np.ndarray, "*size"]:
    """Removes small components of a mask and fills small holes, in the plane or in space.

    Samples that share a side (in space: a face) are connected, inside and in holes alike; what is outside and
    connected to the border is no hole.

    Args:
        mask: True inside.
        min_size: components of fewer samples are removed.
        largest: how many are kept, the largest first; None: all.
        fill_holes: holes of fewer samples are filled first.

    Raises:
        ValueError: an argument is negative.

    >>> mask = np.array([[1, 1, 1, 0, 1], [1, 0, 1, 0, 0], [1, 1, 1, 0, 0]], dtype=bool)
    >>> filter_components(mask, min_size=2, fill_holes=2).astype(int)
    array([[1, 1, 1, 0, 0],
           [1, 1, 1, 0, 0],
           [1, 1, 1, 0, 0]])
    """
    for name, value in (("min_size", min_size), ("largest", largest or 0), ("fill_holes", fill_holes)):
        if value < 0:
            raise ValueError(f"`{name}` must not be negative; got {value}.")
    mask = mask.copy()
    if fill_holes:
        labels, sizes = _labelled(~mask)
        edges = np.unique(
            np.concatenate([np.take(labels, [0, -1], axis=k).ravel() for k in range(mask.ndim)])
        )
        is_small = sizes < fill_holes
        is_small[edges] = False
        mask |= is_small[labels] & (labels > 0)
    labels, sizes = _labelled(mask)
    kept = sizes >= min_size
    if largest is not None:
        kept[np.argsort(-sizes, kind="stable")[largest:]] = False
    kept[0] = False
    return kept[labels]


def _labelled(mask: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Labels from 1 on, and the size of each; that of the label 0 is given as 0."""
    labels, count = ndimage.label(mask)  # pyright: ignore[reportGeneralTypeIssues]
    sizes = np.bincount(labels.ravel(), minlength=count + 1)
    sizes[0] = 0
    return labels, sizes
