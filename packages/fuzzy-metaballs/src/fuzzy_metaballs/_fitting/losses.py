"""Losses between rendered and observed images."""

from __future__ import annotations

from typing import TYPE_CHECKING

import jax

if TYPE_CHECKING:
    from jaxtyping import Array, Float


def silhouette_loss(alpha_logit: Float[Array, "*b"], mask: Float[Array, "*b"]) -> Float[Array, ""]:
    r"""Mean binary cross-entropy between a rendered silhouette and a mask (eq. 11, negated).

    $$-\frac 1 n \sum \big(y \log\alpha + (1 - y) \log(1 - \alpha)\big)
    = \frac 1 n \sum \big(\log(1 + e^z) - y z\big)$$
    with $z = \log(\alpha / (1 - \alpha))$. Nothing is clipped: a pixel that is wrong by far keeps
    its gradient.

    Args:
        alpha_logit: z, any shape, such as `Image.alpha_logit`.
        mask: y in [0, 1], of the same shape; 1 on the object. Fractions are allowed on its border.

    Raises:
        ValueError: the shapes differ.

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
    return (jax.nn.softplus(alpha_logit) - mask * alpha_logit).mean()
