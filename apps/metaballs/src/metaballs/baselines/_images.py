"""What the splat, the soft rasteriser and the radiance field share."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import jax.numpy as jnp

if TYPE_CHECKING:
    from jaxtyping import Array, Float

    from fuzzy_metaballs import Camera


class SoftImage(NamedTuple):
    """A differentiable silhouette with depth.

    Attributes:
        alpha_logit: (H, W), log(alpha / (1 - alpha)).
        depth: (H, W), along the camera's z axis; of no meaning where alpha is small.
    """

    alpha_logit: Float[Array, "h w"]
    depth: Float[Array, "h w"]


def logit_of_mass(mass: Float[Array, "*b"]) -> Float[Array, "*b"]:
    """log(e^S - 1), the logit of alpha = 1 - e^-S; S below 1e-10 counts as that and has no gradient."""
    mass = jnp.maximum(mass, 1e-10)
    return mass + jnp.log(-jnp.expm1(-mass))


def project(
    points: Float[Array, "n 3"], camera: Camera, pose: Float[Array, "4 4"]
) -> tuple[Float[Array, "n 2"], Float[Array, " n"]]:
    """Pixel coordinates and depths; a point behind the camera counts as just in front of it."""
    inside = (points - pose[:3, 3]) @ pose[:3, :3]
    depth = jnp.maximum(inside[:, 2], 1e-3)
    return inside[:, :2] / depth[:, None] * camera.intrinsics[:2] + camera.intrinsics[2:], depth
