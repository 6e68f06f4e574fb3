"""One photograph of a calibrated set."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import jax.numpy as jnp
import numpy as np

if TYPE_CHECKING:
    from jaxtyping import Array, Float

    from fuzzy_metaballs._camera import Camera


class View(NamedTuple):
    """Where one photograph was taken from, and how.

    Attributes:
        camera: the pinhole.
        pose: (4, 4), camera to world, OpenCV's axes, in the units of the file's world.
        name: of the image, as the file has it: a path relative to the folder of images.
        mask: of the mask's file, in the same way, where the format has one.
    """

    camera: Camera
    pose: Float[Array, "4 4"]
    name: str
    mask: str | None = None


def pose_from_world_to_camera(rotation: np.ndarray, translation: np.ndarray) -> Float[Array, "4 4"]:
    """Inverts x_camera = rotation x_world + translation, in double precision."""
    pose = np.eye(4)
    pose[:3, :3] = rotation.T
    pose[:3, 3] = -rotation.T @ translation
    single = jnp.asarray(pose, float)
    if not bool(jnp.isfinite(single).all()):
        raise ValueError(
            f"a camera so far away, {pose[:3, 3].tolist()}, is beyond the range of {single.dtype}."
        )
    return single
