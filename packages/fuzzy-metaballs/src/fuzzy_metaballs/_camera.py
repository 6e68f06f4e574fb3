"""The pinhole camera."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer

from fuzzy_metaballs._check import as_floats, check, choose
from fuzzy_metaballs._pytree import register

if TYPE_CHECKING:
    from jaxtyping import Array, Float

    from fuzzy_metaballs._check import ArrayLike

Convention = Literal["opencv", "opengl"]


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

    def rays(self, *, convention: Convention = "opencv") -> Float[Array, "height width 3"]:
        """Directions through the pixels' centres in camera coordinates; their unit is depth.

        Args:
            convention: the camera's axes. "opencv": x right, y down, z forward, so z = 1 on every ray;
                "opengl": x right, y up, z backward, so z = -1.

        Raises:
            ValueError: `convention` is unknown.
        """
        choose("convention", convention, ("opencv", "opengl"))
        fx, fy, cx, cy = self.intrinsics
        x = (jnp.arange(self.width, dtype=self.intrinsics.dtype) - cx) / fx
        y = (jnp.arange(self.height, dtype=self.intrinsics.dtype) - cy) / fy
        x, y = jnp.broadcast_arrays(x[None, :], y[:, None])
        rays = jnp.stack([x, y, jnp.ones_like(x)], axis=-1)
        return rays if convention == "opencv" else rays * _flip(rays.dtype)

    def project(self, points: ArrayLike, pose: ArrayLike) -> Float[Array, "m 2"]:
        """Where points appear: the inverse of `rays`, differentiable in everything.

        Args:
            points: (M, 3), in world units; with depth 0 the answer is not finite, behind the camera it is the
                mirrored point.
            pose: (4, 4), camera to world, OpenCV's axes.

        Returns:
            (M, 2), column and row in pixels; whole numbers are pixels' centres.
        """
        points, pose = as_floats("points", points, (None, 3)), as_floats("pose", pose, (4, 4))
        inside = (points - pose[:3, 3]) @ pose[:3, :3]
        return inside[:, :2] / inside[:, 2:] * self.intrinsics[:2] + self.intrinsics[2:]

    def __repr__(self) -> str:
        if isinstance(self.intrinsics, jax.Array) and not isinstance(self.intrinsics, Tracer):
            values = ", ".join(f"{value:g}" for value in np.asarray(self.intrinsics).ravel())
            return f"Camera({self.width} x {self.height}, intrinsics=[{values}])"
        return f"Camera({self.width} x {self.height})"


register(Camera, static=("width", "height"))


def opengl_pose(pose: ArrayLike) -> Float[Array, "*batch 4 4"]:
    """Turns a camera's axes from OpenCV's to OpenGL's, or back: the camera stays where it is.

    OpenCV: x right, y down, z forward. OpenGL (and Blender, and NeRF's `transforms.json`): x right, y up, z
    backward. The world's axes stay as they are.

    Args:
        pose: (..., 4, 4), camera to world.

    Returns:
        `pose` times diag(1, -1, -1, 1), which is its own inverse.

    Raises:
        ValueError: `pose` does not end in 4 x 4, or is not finite.

    Example:
        >>> from fuzzy_metaballs import look_at
        >>> float(opengl_pose(look_at([0.0, 0.0, -4.0]))[2, 2])  # looks along +z: its own z axis is -z
        -1.0
    """
    array = jnp.asarray(pose)
    array = as_floats("pose", array, (*(None,) * (array.ndim - 2), 4, 4))
    return array.at[..., :3, :3].multiply(_flip(array.dtype))


def _flip(dtype: jnp.dtype) -> Float[Array, "3"]:
    return jnp.array([1, -1, -1], dtype)
