"""Regions of an image: the pieces of a piecewise polynomial in two dimensions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import numpy as np

from kspline_core import _check, _check_regions
from kspline_core._native import core, thread_count

if TYPE_CHECKING:
    from collections.abc import Sequence

    from jaxtyping import Int, Int32, Real
    from numpy.typing import ArrayLike


def regions(
    image: Real[np.ndarray, "*batch height width"] | ArrayLike,
    levels: Sequence[float] = (0.5,),
    *,
    connectivity: Literal[4, 8] = 4,
    min_size: int = 1,
    labels: Int[np.ndarray, "*#batch height width"] | ArrayLike | None = None,
    threads: int | None = None,
) -> Int32[np.ndarray, "*batch height width"]:
    r"""Connected components of the level partition of an image.

    $m$ levels $l_1 < \dots < l_m$ cut the range into $m + 1$ phases $l_i \le v < l_{i+1}$, as by
    `numpy.digitize`; neighbouring pixels of one phase belong to one region. Every phase is labelled, also the
    lowest. A label map, such as one of superpixels, cuts further: a region then lies in one phase and has one
    label. These are the pieces of the two-dimensional spline of Cho et al., *Differentiable Spline
    Approximations* (2021), section 3.

    Regions of fewer than `min_size` pixels join a neighbour, in rounds until none is left: in each round
    every small region joins its largest neighbour (of several, the first in the order of labels), all at
    once. The neighbour may be of another phase.

    Args:
        image: shape (..., height, width), float32, float64 or integers, finite. Leading dimensions are a
            batch; its images are shared out among the threads.
        levels: increasing, in units of `image`; rounded to its dtype. Empty: one phase, only `labels` cut.
        connectivity: 4: pixels that share a side are neighbours; 8: also those that share a corner.
        min_size: least number of pixels of a region, unless the image itself has fewer. At least 1.
        labels: integers within 32 bits, shape of `image` or of one image, in any order, with any gaps.
        threads: at most this many threads; None: as many as the process may use cores.

    Returns:
        The number of the region of each pixel, int32. Each image counts from 0, in the order of the regions'
        first pixels, row by row.

    Raises:
        TypeError: `image` is not real, `labels` are no integers, or a count is no integer.
        ValueError: `image` has fewer than two dimensions, too many pixels, or is not finite; `levels` do not
            increase; `labels` have another shape or do not fit into 32 bits; or a setting is out of range.

    Example:
        >>> import numpy as np
        >>> from kspline_core import regions
        >>> regions(np.array([[0.9, 0.8, 0.1], [0.2, 0.1, 0.7]]))
        array([[0, 0, 1],
               [2, 2, 3]], dtype=int32)
        >>> regions(np.array([[0.9, 0.8, 0.1], [0.2, 0.1, 0.7]]), connectivity=8)
        array([[0, 0, 1],
               [1, 1, 0]], dtype=int32)

    Takes O(m + a) for each pixel, with a the inverse Ackermann function, by union-find on runs (Wu, Otoo &
    Suzuki, 2009), and O(1) more for each round of `min_size`. Equivalent to `scipy.ndimage.label` on each
    phase in turn, but for the order of the labels.
    """
    array = _check.real("image", image)
    _check_regions.image_shape(array.shape)
    rule = _check_regions.partition(levels, connectivity, min_size)
    _check.finite("image", array, "Repair it first.")
    groups = None if labels is None else _check_regions.label_map(labels, array.shape)
    images = (int(np.prod(array.shape[:-2])), *array.shape[-2:])
    return core.label_regions(
        np.ascontiguousarray(array).reshape(images),
        list(rule.levels),
        None if groups is None else np.ascontiguousarray(groups, dtype=np.int64).reshape(images),
        rule.connectivity == 8,
        rule.min_size,
        thread_count(None if threads is None else _check.integer("threads", threads, 1)),
    ).reshape(array.shape)
