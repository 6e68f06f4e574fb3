"""How well an image determines a pose."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import jax
import jax.numpy as jnp
import numpy as np

from fuzzy_metaballs._fitting.view import Law, View, moved, seen

if TYPE_CHECKING:
    from jaxtyping import Array, Float

    from fuzzy_metaballs._shape import FuzzyMetaballs

_CHUNK = 2048
"""Rays at a time."""


def pose_covariance(
    shape: FuzzyMetaballs,
    view: View,
    pose: Float[Array, "4 4"],
    law: Law,
) -> np.ndarray:
    r"""Covariance (6, 6) of the twist about the shape's middle, from the Gauss-Newton Hessian.

    The masks' pixels are taken as independent draws with probability $\alpha$, known depths as normal with
    the residuals' own variance $\sigma^2$. The Hessian of minus the log-likelihood without its second
    derivatives of the images, which vanish in expectation, is Fisher's information:
    $$H = \sum \alpha (1 - \alpha)\,\nabla l\,\nabla l^T + \sigma^{-2} \sum_M \nabla z\,\nabla z^T,$$
    l being alpha's logit. The derivatives are taken forwards, six at once, through the reference, as
    the fast path's own rule is for the backward direction.
    """
    information = np.asarray(_information(shape, view, pose, law=law), np.float64)
    # Directions that the image does not show are left with what rounding leaves of their information.
    scale = np.sqrt(np.maximum(np.diagonal(information), 1e-30))
    values, vectors = np.linalg.eigh(information / scale[:, None] / scale)
    values = np.maximum(values, np.finfo(np.asarray(pose).dtype).eps * values.max())
    unit = np.array([float(shape.eta)] * 3 + [1.0] * 3) / scale
    return unit[:, None] * ((vectors / values) @ vectors.T) * unit


@partial(jax.jit, static_argnames="law")
def _information(
    shape: FuzzyMetaballs,
    view: View,
    pose: Float[Array, "4 4"],
    law: Law,
) -> Float[Array, "6 6"]:
    """Translations in units of the shape's size."""
    count = len(view.mask)
    chunk = min(_CHUNK, count)
    missing = -count % chunk
    padded = View(*(jnp.pad(leaf, [(0, missing)] + [(0, 0)] * (leaf.ndim - 1), mode="edge") for leaf in view))
    real = (jnp.arange(count + missing) < count).astype(view.mask.dtype)
    parts = jax.tree.map(lambda leaf: leaf.reshape(-1, chunk, *leaf.shape[1:]), (padded, real))

    def one(part: tuple[View, Float[Array, " r"]]) -> tuple[Array, Array, Array]:
        view, real = part

        def images(twist: Float[Array, "6"]) -> tuple[Float[Array, " r"], Float[Array, " r"]]:
            return seen(shape, view.rays, moved(shape, twist, pose), law, backend="reference")

        def along(direction: Float[Array, "6"]):
            return jax.jvp(images, (jnp.zeros_like(direction),), (direction,))

        (depth, logit), (depths, logits) = jax.vmap(along, out_axes=(None, 0))(jnp.eye(6, dtype=pose.dtype))
        alpha = jax.nn.sigmoid(logit)
        known = view.known * real
        residual = (depth - view.depth) * known
        return (
            (logits * (alpha * (1 - alpha) * real)) @ logits.T,
            (depths * known) @ depths.T,
            (residual @ residual),
        )

    of_masks, of_depths, squares = jax.tree.map(lambda total: total.sum(0), jax.lax.map(one, parts))
    known = view.known.sum()
    # Six of the residuals' degrees of freedom went into the pose.
    variance = squares / jnp.maximum(known - 6, 1)
    return of_masks + jnp.where(known > 6, of_depths / jnp.where(variance > 0, variance, 1.0), 0.0)
