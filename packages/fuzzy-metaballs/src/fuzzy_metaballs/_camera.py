"""The pinhole camera."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer

from fuzzy_metaballs._check import as_floats, check
from fuzzy_metaballs._pytree import register

if TYPE_CHECKING:
    from jaxtyping import Array, Float


@dataclass(frozen=True)
class Camera:
    """A pinhole camera without distortion, in OpenCV's convention.

    The camera looks along +z, x points to the right of the image and y down. The centre of the pixel in row i
    and column j lies at (j, i) in pixel coordinates, so the middle of the image is ((width - 1) / 2, (height
    - 1) / 2).

    A pytree whose leaf is `intrinsics`: gradients with respect to it are those of a calibration.

    Attributes:
        intrinsics: (4,), focal lengths and principal point (fx, fy, cx, cy), in pixels; focal lengths
            positive.
        width: columns of the image.
        height: rows of the image.

    Raises:
        ValueError: a focal length, the width or the height is not positive.

    Example:
        >>> camera = Camera.from_fov(64, 48, fov=1.0)
        >>> camera.rays().shape
        (48, 64, 3)
    """

    intrinsics: Float[Array, "4"]
    width: int
    height: int

    def __post_init__(self) -> None:
        if self.width < 1 or self.height < 1:
            raise ValueError(f"`width` and `height` must be at least 1; got {self.width} x {self.height}.")
        intrinsics = as_floats("intrinsics", self.intrinsics, (4,))
        check("intrinsics", intrinsics, lambda k: (k > 0) | (np.arange(4) > 1), "have positive focal lengths")
        object.__setattr__(self, "intrinsics", intrinsics)

    @classmethod
    def from_fov(cls, width: int, height: int, *, fov: float) -> Camera:
        """A camera with square pixels and the principal point in the middle of the image.

        Args:
            width: columns.
            height: rows.
            fov: vertical field of view between the outer edges of the first and last row, radians in (0, pi).

        Raises:
            ValueError: `fov` lies outside (0, pi), or a size is not positive.
        """
        if not 0 < fov < math.pi:
            raise ValueError(f"`fov` must lie in (0, pi) radians; got {fov:g}.")
        focal = height / (2 * math.tan(fov / 2))
        return cls(jnp.array([focal, focal, (width - 1) / 2, (height - 1) / 2]), width, height)

    def rays(self) -> Float[Array, "height width 3"]:
        """Directions through the pixels' centres in camera coordinates, with z = 1: their unit is depth."""
        fx, fy, cx, cy = self.intrinsics
        x = (jnp.arange(self.width, dtype=self.intrinsics.dtype) - cx) / fx
        y = (jnp.arange(self.height, dtype=self.intrinsics.dtype) - cy) / fy
        x, y = jnp.broadcast_arrays(x[None, :], y[:, None])
        return jnp.stack([x, y, jnp.ones_like(x)], axis=-1)

    def __repr__(self) -> str:
        if isinstance(self.intrinsics, jax.Array) and not isinstance(self.intrinsics, Tracer):
            values = ", ".join(f"{value:g}" for value in np.asarray(self.intrinsics).ravel())
            return f"Camera({self.width} x {self.height}, intrinsics=[{values}])"
        return f"Camera({self.width} x {self.height})"


register(Camera, static=("width", "height"))
