"""Points as discs in the image, after PyTorch3D's point renderer with alpha compositing."""

from __future__ import annotations

from typing import TYPE_CHECKING

import jax
import jax.numpy as jnp
import numpy as np

from metaballs.baselines._images import SoftImage, logit_of_mass, project

if TYPE_CHECKING:
    from jaxtyping import Array, Float

    from fuzzy_metaballs import Camera


def splat(
    points: Float[Array, "n 3"],
    camera: Camera,
    pose: Float[Array, "4 4"],
    *,
    radius: float = 2.0,
    sharpness: float = 50.0,
) -> SoftImage:
    r"""Every point covers a disc with $w = 1 - d^2 / r^2$, and $\alpha = 1 - \prod (1 - w_i)$.

    As in PyTorch3D, a point has no gradient beyond its disc. Depth is blended by $w e^{-kz}$ in place of its
    ten nearest points a pixel.

    Args:
        points: (N, 3), world units.
        camera: the pinhole camera.
        pose: (4, 4), camera to world.
        radius: r, pixels.
        sharpness: k, 1 / world units.
    """
    places, depth = project(points, camera, pose)
    # Only the window of pixels around each point can lie in its disc: one scatter in place of all pairs.
    reach = int(np.ceil(radius))
    offset = jnp.arange(-reach, reach + 1)
    corner = jax.lax.stop_gradient(jnp.rint(places)).astype(int)
    column, row = corner[:, :1, None] + offset[None, None, :], corner[:, 1:, None] + offset[None, :, None]
    square = ((column - places[:, :1, None]) ** 2 + (row - places[:, 1:, None]) ** 2) / radius**2
    seen = (column >= 0) & (column < camera.width) & (row >= 0) & (row < camera.height)
    share = jnp.where(seen, jnp.clip(1 - square, 0.0, 0.999), 0.0)
    count = camera.height * camera.width
    place = jnp.where(seen, row * camera.width + column, count)  # beyond the image: dropped

    def total(values: Float[Array, "n w w"]) -> Float[Array, " hw"]:
        return jnp.zeros(count, values.dtype).at[place].add(values, mode="drop")

    quality = jax.lax.stop_gradient(jnp.where(share > 0, -depth[:, None, None] * sharpness, -jnp.inf))
    best = jnp.full(count, -1e30, share.dtype).at[place].max(quality, mode="drop")
    log_weight = -depth[:, None, None] * sharpness - best.at[place].get(mode="fill", fill_value=0.0)
    weight = share * jnp.exp(jnp.where(share > 0, log_weight, 0.0))
    blended = total(weight * depth[:, None, None]) / jnp.maximum(total(weight), 1e-9)
    size = (camera.height, camera.width)
    return SoftImage(logit_of_mass(total(-jnp.log1p(-share))).reshape(size), blended.reshape(size))
