"""What one camera sees, ray by ray, and how a pose moves about a shape."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import jax.numpy as jnp
import numpy as np

from fuzzy_metaballs._pose import se3_exp
from fuzzy_metaballs._render import default_chunk_size, trace

if TYPE_CHECKING:
    from jaxtyping import Array, Float

    from fuzzy_metaballs._camera import Camera
    from fuzzy_metaballs._check import ArrayLike
    from fuzzy_metaballs._render import Backend, BlendName
    from fuzzy_metaballs._rules import Intersection
    from fuzzy_metaballs._shape import FuzzyMetaballs


class Law(NamedTuple):
    """How an image of a shape comes about: options of `render` and of `silhouette_loss`."""

    intersection: Intersection
    blend: BlendName
    outliers: float = 0.0


class View(NamedTuple):
    """An observed image as rays in camera coordinates."""

    rays: Float[Array, "r 3"]
    mask: Float[Array, " r"]
    depth: Float[Array, " r"]  # 1 where unknown
    known: Float[Array, " r"]  # 1 where the depth is known and on the mask, else 0

    def every(self, stride: int, camera: Camera) -> View:
        """The rays of every so many rows and columns."""
        rows, columns = (np.arange(stride // 2, size, stride) for size in (camera.height, camera.width))
        index = (rows[:, None] * camera.width + columns).ravel()
        return View(*(leaf[index] for leaf in self))


def view_of(camera: Camera, mask: ArrayLike, depth: ArrayLike | None) -> View:
    """Checks the images of a camera and lays them out."""
    size = (camera.height, camera.width)
    values = np.asarray(mask)
    if values.shape != size:
        raise ValueError(f"`mask` must have the camera's height and width, {size}; got {values.shape}.")
    if not ((values >= 0) & (values <= 1)).all():
        row, column = np.argwhere(~((values >= 0) & (values <= 1)))[0]
        raise ValueError(
            f"`mask` must lie in [0, 1]; mask[{row}, {column}] = {values[row, column]:g}. "
            "Divide 8-bit images by 255."
        )
    if not (values > 0.5).any():
        raise ValueError("`mask` is empty: nothing shows where the object is. Leave this image out.")
    rays = camera.rays().reshape(-1, 3)
    if depth is None:
        distance = np.full(size, np.nan)
    else:
        distance = np.asarray(depth, np.float64)
        if distance.shape != size:
            raise ValueError(
                f"`depth` must have the camera's height and width, {size}; got {distance.shape}."
            )
    known = np.isfinite(distance) & (np.nan_to_num(distance) > 0) & (values > 0.5)
    if depth is not None and not known.any():
        raise ValueError("`depth` is nowhere finite and positive on the mask; leave it out.")
    return View(
        rays,
        jnp.asarray(values, rays.dtype).ravel(),
        jnp.asarray(np.where(known, distance, 1.0), rays.dtype).ravel(),
        jnp.asarray(known, rays.dtype).ravel(),
    )


def seen(
    shape: FuzzyMetaballs,
    rays: Float[Array, "r 3"],
    pose: Float[Array, "4 4"],
    law: Law,
    backend: Backend = "xla",
) -> tuple[Float[Array, " r"], Float[Array, " r"]]:
    """Depth and alpha's logit along rays given in camera coordinates."""
    directions = rays @ pose[:3, :3].T
    depth, logit, _ = trace(
        shape,
        jnp.broadcast_to(pose[:3, 3], directions.shape),
        directions,
        features=jnp.zeros((shape.components, 1), directions.dtype),
        intersection=law.intersection,
        blend=law.blend,
        chunk_size=default_chunk_size(shape.components),
        backend=backend,
    )
    return depth, logit


def middle_of(shape: FuzzyMetaballs) -> Float[Array, "3"]:
    """The mean of the mixture, which poses turn about."""
    return shape.weights @ shape.means


def moved(shape: FuzzyMetaballs, twist: Float[Array, "6"], pose: Float[Array, "4 4"]) -> Float[Array, "4 4"]:
    """A pose moved by a twist about the shape's middle, in world axes; translation in units of its size."""
    middle = middle_of(shape)
    motion = se3_exp(jnp.concatenate([twist[:3] * shape.eta, twist[3:]]))
    rotation = motion[:3, :3] @ pose[:3, :3]
    # One step of Newton's method for the nearest rotation: roundings do not add up over thousands of steps.
    identity = jnp.eye(3, dtype=rotation.dtype)
    rotation = rotation @ (1.5 * identity - 0.5 * rotation.T @ rotation)
    place = motion[:3, :3] @ (pose[:3, 3] - middle) + motion[:3, 3] + middle
    return pose.at[:3, :3].set(rotation).at[:3, 3].set(place)
