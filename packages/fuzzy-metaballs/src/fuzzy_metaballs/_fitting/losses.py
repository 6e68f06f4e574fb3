"""Losses between rendered and observed images."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import jax
import jax.numpy as jnp

if TYPE_CHECKING:
    from jaxtyping import Array, Float


def silhouette_loss(
    alpha_logit: Float[Array, "*b"], mask: Float[Array, "*b"], *, outliers: float = 0.0
) -> Float[Array, ""]:
    r"""Mean binary cross-entropy between a rendered silhouette and a mask (eq. 11, negated).

    $$-\frac 1 n \sum \big(y \log\alpha + (1 - y) \log(1 - \alpha)\big)
    = \frac 1 n \sum \big(\log(1 + e^z) - y z\big)$$
    with $z = \log(\alpha / (1 - \alpha))$. Nothing is clipped: a pixel that is wrong by far keeps
    its gradient.

    With `outliers` $= \epsilon > 0$ each pixel of the mask is taken to be wrong with that probability, so
    $\alpha$ gives way to $(1 - \epsilon)\,\alpha + \epsilon\,(1 - \alpha)$. A pixel then costs
    $-\log \epsilon$ at most, and what a mask lacks does not thin the shape.

    Args:
        alpha_logit: z, any shape, such as `Image.alpha_logit`.
        mask: y in [0, 1], of the same shape; 1 on the object. Fractions are allowed on its border.
        outliers: $\epsilon$, in [0, 0.5).

    Raises:
        ValueError: the shapes differ, or `outliers` leaves its range.

    Equivalent to `sklearn.metrics.log_loss` on alpha where that does not clip.

    Example:
        >>> import jax.numpy as jnp
        >>> round(float(silhouette_loss(jnp.array([0.0, 0.0]), jnp.array([1.0, 0.0]))), 4)  # log 2
        0.6931
    """
    if alpha_logit.shape != mask.shape:
        raise ValueError(
            f"`alpha_logit` and `mask` must have the same shape; got {alpha_logit.shape}, {mask.shape}."
        )
    check_outliers(outliers)
    if outliers == 0:
        return (jax.nn.softplus(alpha_logit) - mask * alpha_logit).mean()
    right, wrong = math.log1p(-outliers), math.log(outliers)
    inside, outside = jax.nn.log_sigmoid(alpha_logit), jax.nn.log_sigmoid(-alpha_logit)
    marked = jnp.logaddexp(right + inside, wrong + outside)
    unmarked = jnp.logaddexp(right + outside, wrong + inside)
    return -(mask * marked + (1 - mask) * unmarked).mean()


SOFT = 0.01
"""Depth errors above this share of the shape's size count by their size, smaller ones by their square."""


def depth_loss(error: Float[Array, "*b"], known: Float[Array, "*b"]) -> Float[Array, ""]:
    r"""Mean of $\sqrt{e^2 + \delta^2}$ over the known ones, $\delta$ = `SOFT`; errors in units of size."""
    smooth = jnp.sqrt((known * error) ** 2 + SOFT**2)
    return (smooth * known).sum() / jnp.maximum(known.sum(), 1)


def check_outliers(share: float) -> None:
    """Raises a ValueError unless less than half of the pixels may be wrong."""
    if not 0 <= share < 0.5:
        raise ValueError(f"`outliers` must lie in [0, 0.5), the share of wrong pixels; got {share:g}.")
