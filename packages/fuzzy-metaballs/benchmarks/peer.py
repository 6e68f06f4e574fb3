"""The formulation as published: every ray meets every component on its own, all at once, by two `vmap`.

Written after the paper's equations 4 to 9, with the corrections of the package's reference but without its
smooth front share: what lies behind the camera weighs nothing. No normals.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import jax
import jax.numpy as jnp

from fuzzy_metaballs._blend import PAPER

if TYPE_CHECKING:
    from fuzzy_metaballs import Camera, FuzzyMetaballs


def render(shape: FuzzyMetaballs, camera: Camera, pose: jax.Array) -> tuple[jax.Array, jax.Array]:
    """Depth and alpha, each (H, W)."""
    directions = camera.rays().reshape(-1, 3) @ pose[:3, :3].T
    origin = pose[:3, 3]
    log_weights = PAPER.log_mass(shape)

    def component(mean, factor, log_weight):
        matrix = factor.T
        determinant = jnp.prod(jnp.diag(factor))

        def ray(v):
            mu = mean - origin
            a, b = matrix @ v, matrix @ mu
            t = (a * b).sum() / (a * a).sum()
            x = matrix @ (v * t - mu)
            quality = -(x * x).sum() / 2 + log_weight
            return t, quality, quality + jnp.log(determinant)

        return jax.vmap(ray)(directions)

    t, mass, quality = jax.vmap(component)(shape.means, shape.precision_cholesky, log_weights)
    exponent = jnp.where(t > 0, PAPER.quality * quality - PAPER.depth * t / shape.eta, -jnp.inf)
    weights = jnp.exp(exponent - exponent.max(0))
    depth = (weights * t).sum(0) / weights.sum(0)
    total = jnp.where(t > 0, jnp.exp(mass), 0.0).sum(0)
    alpha = jax.nn.sigmoid(PAPER.scale * total + PAPER.offset)
    return depth.reshape(camera.height, camera.width), alpha.reshape(camera.height, camera.width)
