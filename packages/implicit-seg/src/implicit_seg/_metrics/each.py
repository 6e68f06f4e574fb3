"""A score for every item, class or slice."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from implicit_seg._metrics.checks import check_masks

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from jaxtyping import Float

    from implicit_seg._metrics.checks import Mask


def score_each(
    score: Callable[..., float],
    predicted: Mask,
    target: Mask,
    *,
    axes: int | Sequence[int] = 0,
    **options: Any,
) -> Float[np.ndarray, "*each"]:
    """A score of every item, class or slice, where the score itself takes all samples together.

    Args:
        score: of this package, such as `dice` or `hausdorff_distance`.
        predicted: mask of 0 and 1 (or of bools), such as (batch, classes, *space) or (slices, height, width).
        target: the true mask, of the same shape.
        axes: that tell the items apart: 0 gives a score for each slice of a volume, (0, 1) one for each item
            and class.
        options: of the score, such as `spacing`, without the axes that are gone.

    Returns:
        The scores, one dimension for each of `axes`, in their order.

    Raises:
        ValueError: `axes` repeat or are out of range, or the score refuses the masks.

    >>> import numpy as np
    >>> from implicit_seg import dice
    >>> volume = np.zeros((2, 4, 4), bool)
    >>> volume[0] = True
    >>> score_each(dice, volume, np.ones((2, 4, 4), bool)).tolist()
    [1.0, 0.0]
    """
    predicted, target = check_masks(predicted, target)
    axes = (axes,) if isinstance(axes, int) else tuple(axes)
    if len({axis % predicted.ndim for axis in axes}) < len(axes) or not all(
        -predicted.ndim <= axis < predicted.ndim for axis in axes
    ):
        raise ValueError(f"`axes` must be different dimensions of {predicted.ndim}; got {axes}.")
    pair = [np.moveaxis(mask, axes, range(len(axes))) for mask in (predicted, target)]
    result = np.empty(pair[0].shape[: len(axes)])
    for index in np.ndindex(result.shape):
        result[index] = score(pair[0][index], pair[1][index], **options)
    return result
