"""The authors' formulation of their own method, as published: each component meets each ray on its own.

Two `vmap`, all rays at once, no chunks, no normals, no backward pass of its own: equations 4 to 9 with the
logarithms of weight and determinant that the authors' code has and eq. 9 omits.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import jax
import jax.numpy as jnp
import numpy as np

from metaballs.baselines._images import SoftImage

if TYPE_CHECKING:
    from jaxtyping import Array, Float

    from fuzzy_metaballs import Camera, FuzzyMetaballs

QUALITY, DEPTH, SCALE, OFFSET = np.exp(0.710) / 2, 40 * np.exp(-2.680), 2 * np.exp(6.369), np.exp(-5.422)
"""Constants of the paper's code, beta_2, beta_1, beta_4 and beta_5, in our convention of eta and alpha."""


def published(shape: FuzzyMetaballs, camera: Camera, pose: Float[Array, "4 4"]) -> SoftImage:
    """Depth and alpha by the linear rule and the paper's blend."""
    directions = camera.rays().reshape(-1, 3) @ pose[:3, :3].T
    log_weights = jax.nn.log_softmax(shape.log_weights)

    def component(mean: Array, factor: Array, log_weight: Array) -> tuple[Array, Array, Array]:
        precision = factor @ factor.T
        log_determinant = jnp.log(jnp.diagonal(factor)).sum()
        offset = mean - pose[:3, 3]

        def ray(v: Array) -> tuple[Array, Array, Array]:
            t = (offset @ precision @ v) / (v @ precision @ v)
            difference = t * v - offset
            likelihood = -(difference @ precision @ difference) / 2 + log_weight
            return t, likelihood, likelihood + log_determinant

        return jax.vmap(ray)(directions)

    t, mass, quality = jax.vmap(component)(shape.means, shape.precision_cholesky, log_weights)
    exponent = jnp.where(t > 0, QUALITY * quality - DEPTH * t / shape.eta, -jnp.inf)
    weights = jnp.exp(exponent - exponent.max(0))
    depth = (weights * t).sum(0) / weights.sum(0)
    total = jnp.where(t > 0, jnp.exp(mass), 0.0).sum(0)
    size = (camera.height, camera.width)
    return SoftImage((SCALE * (total - OFFSET)).reshape(size), depth.reshape(size))
