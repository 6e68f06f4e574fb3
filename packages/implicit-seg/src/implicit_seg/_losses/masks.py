"""Losses that compare an implicit function with a mask: those of Barrowclough et al., section 3.3.

All take (batch, classes, *size): one implicit function and one mask of 0 and 1 for each class, one class for
a binary segmentation. Classes may overlap; a map of labels is `one_hot(labels).movedim(-1, 1)` of torch.

That a mask holds 0 and 1 only is looked at in every call, which waits for a GPU. A mask of bools needs no
look, and a graph of `torch.compile` has none.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import torch
from torch import nn

from implicit_seg._metrics.checks import check_mask

if TYPE_CHECKING:
    from jaxtyping import Bool, Float
    from torch import Tensor

Classes = Literal["together", "each"]


def mask_mae_loss(
    values: Float[Tensor, "batch channels *size"], mask: Float[Tensor, "..."] | Bool[Tensor, "..."]
) -> Float[Tensor, ""]:
    r"""Mask-MAE: $\operatorname{mean} |Z - (2 Y - 1)|$ for values $Z$ and a mask $Y$.

    Args:
        values: of the implicit function, positive inside.
        mask: of the same shape, 1 (or True) inside and 0 outside.

    Raises:
        ValueError: the shapes differ, or `mask` holds another value than 0 and 1.
    """
    return (values - (2 * _like(mask, values) - 1)).abs().mean()


def mask_mse_loss(
    values: Float[Tensor, "batch channels *size"], mask: Float[Tensor, "..."] | Bool[Tensor, "..."]
) -> Float[Tensor, ""]:
    r"""Mask-MSE: $\operatorname{mean} (Z - (2 Y - 1))^2$ for values $Z$ and a mask $Y$.

    Args and raises as `mask_mae_loss`.
    """
    return (values - (2 * _like(mask, values) - 1)).square().mean()


def soft_mask(
    values: Float[Tensor, "batch channels *size"], epsilon: float = 1e-4
) -> Float[Tensor, "batch channels *size"]:
    r"""The implicit function as a mask: $\hat Z = \left(Z / (\epsilon + |Z|) + 1\right) / 2$, in [0, 1].

    Args:
        values: of the implicit function, positive inside.
        epsilon: the width of the transition, in units of `values`; positive. The derivative is
            $1 / (2 \epsilon)$ at $Z = 0$ and about $\epsilon / 2$ at $|Z| = 1$: 5,000 and 5e-5 for the
            paper's 1e-4.

    Raises:
        ValueError: `epsilon` is not positive.
    """
    if not epsilon > 0:
        raise ValueError(f"`epsilon` must be positive; got {epsilon}. The paper takes 1e-4.")
    return (values / (epsilon + values.abs()) + 1) / 2


def jaccard_loss(
    values: Float[Tensor, "batch channels *size"],
    mask: Float[Tensor, "..."] | Bool[Tensor, "..."],
    epsilon: float = 1e-4,
    *,
    classes: Classes = "together",
) -> Float[Tensor, ""]:
    r"""$1 - \sum Y \hat Z / \sum (Y + \hat Z - Y \hat Z)$ over the whole batch, $\hat Z$ from `soft_mask`.

    Args:
        values: of the implicit function, positive inside.
        mask: of the same shape, 1 (or True) inside and 0 outside.
        epsilon: see `soft_mask`.
        classes: "together" takes the sums over the whole tensor, as the paper does for its one class; "each"
            over the batch and the area of each channel, and then the mean of the classes, so that small ones
            count as much as large ones.

    Returns:
        The loss, in [0, 1]. Where `mask` is empty it is near 1, however little the soft mask holds; 0 only
        where that is exactly zero too.

    Raises:
        ValueError: the shapes differ, `mask` holds another value than 0 and 1, `epsilon` is not positive, or
            `classes` is wrong.

    Barrowclough et al., section 3.3, above eq. 6.
    """
    inside, predicted = _like(mask, values), soft_mask(values, epsilon)
    common = _sum(inside * predicted, classes)
    return _one_minus_ratio(common, _sum(inside, classes) + _sum(predicted, classes) - common)


def dice_loss(
    values: Float[Tensor, "batch channels *size"],
    mask: Float[Tensor, "..."] | Bool[Tensor, "..."],
    epsilon: float = 1e-4,
    *,
    classes: Classes = "together",
) -> Float[Tensor, ""]:
    r"""$1 - \sum 2 Y \hat Z / \sum (Y + \hat Z)$ over the whole batch, $\hat Z$ from `soft_mask`.

    Args, returns and raises as `jaccard_loss`. Barrowclough et al., eq. 6.
    """
    inside, predicted = _like(mask, values), soft_mask(values, epsilon)
    both = _sum(inside, classes) + _sum(predicted, classes)
    return _one_minus_ratio(2 * _sum(inside * predicted, classes), both)


def accuracy_loss(
    values: Float[Tensor, "batch channels *size"],
    mask: Float[Tensor, "..."] | Bool[Tensor, "..."],
    epsilon: float = 1e-4,
) -> Float[Tensor, ""]:
    r"""$1 - \operatorname{mean} (1 - Y - \hat Z + 2 Y \hat Z)$: positives and negatives count alike.

    In [0, 1]. Args and raises as `jaccard_loss`. Barrowclough et al., eq. 5 and section 3.3, below eq. 6.
    """
    inside, predicted = _like(mask, values), soft_mask(values, epsilon)
    return (inside + predicted - 2 * inside * predicted).mean()


class MaskMAELoss(nn.Module):
    """`mask_mae_loss` as a module."""

    def forward(self, values: Tensor, mask: Tensor) -> Tensor:
        """Returns the loss."""
        return mask_mae_loss(values, mask)


class MaskMSELoss(nn.Module):
    """`mask_mse_loss` as a module."""

    def forward(self, values: Tensor, mask: Tensor) -> Tensor:
        """Returns the loss."""
        return mask_mse_loss(values, mask)


class _SoftMaskLoss(nn.Module):
    def __init__(self, epsilon: float = 1e-4) -> None:
        super().__init__()
        soft_mask(torch.zeros(1, 1), epsilon)  # a bad `epsilon` is named here, not in the first step
        self.epsilon = epsilon

    def extra_repr(self) -> str:
        """Names epsilon."""
        return f"epsilon={self.epsilon:g}"


class _OverlapLoss(_SoftMaskLoss):
    def __init__(self, epsilon: float = 1e-4, *, classes: Classes = "together") -> None:
        super().__init__(epsilon)
        _sum(torch.zeros(1, 1), classes)
        self.classes: Classes = classes

    def extra_repr(self) -> str:
        """Names epsilon and how classes count."""
        return f"{super().extra_repr()}, classes={self.classes}"


class JaccardLoss(_OverlapLoss):
    """`jaccard_loss` as a module."""

    def forward(self, values: Tensor, mask: Tensor) -> Tensor:
        """Returns the loss."""
        return jaccard_loss(values, mask, self.epsilon, classes=self.classes)


class DiceLoss(_OverlapLoss):
    """`dice_loss` as a module."""

    def forward(self, values: Tensor, mask: Tensor) -> Tensor:
        """Returns the loss."""
        return dice_loss(values, mask, self.epsilon, classes=self.classes)


class AccuracyLoss(_SoftMaskLoss):
    """`accuracy_loss` as a module."""

    def forward(self, values: Tensor, mask: Tensor) -> Tensor:
        """Returns the loss."""
        return accuracy_loss(values, mask, self.epsilon)


def _like(mask: Tensor, values: Tensor) -> Tensor:
    """Returns the mask in the type of the values, once it has been checked."""
    if mask.shape != values.shape:
        raise ValueError(
            f"`values` and `mask` must have one shape; got {tuple(values.shape)} and {tuple(mask.shape)}. "
            "Evaluate the spline at the size of the mask."
        )
    is_known = not torch.compiler.is_compiling()  # pyright: ignore[reportPrivateImportUsage]
    if is_known and mask.dtype != torch.bool and (mask != mask.bool()).any():
        check_mask("mask", mask)  # names the place
    return mask.to(values.dtype)


def _sum(values: Tensor, classes: Classes) -> Tensor:
    """Returns one sum, or one for each class."""
    if classes not in ("together", "each"):
        raise ValueError(f'`classes` must be "together" or "each"; got {classes!r}.')
    return values.sum() if classes == "together" else values.sum([0, *range(2, values.ndim)])


def _one_minus_ratio(part: Tensor, whole: Tensor) -> Tensor:
    # both masks empty (exactly: a soft mask is zero only where the transition has been rounded away): no
    # error
    empty = whole == 0  # not `whole > 0`, which would hide NaN
    return torch.where(empty, 0.0, 1 - part / torch.where(empty, 1.0, whole)).mean()
