"""Poses: rigid motions as 4 x 4 matrices from camera to world coordinates."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import jax
import jax.numpy as jnp
import numpy as np

from fuzzy_metaballs._check import as_floats, check

if TYPE_CHECKING:
    from jaxtyping import Array, Float

    from fuzzy_metaballs._check import ArrayLike


def se3_exp(twist: Float[Array, "6"]) -> Float[Array, "4 4"]:
    r"""The exponential of SE(3): a smooth chart of rigid motions around the identity.

    With $\theta = |\omega|$ and $[\omega]$ the cross-product matrix of $\omega$,
    $$R = I + A[\omega] + B[\omega]^2, \quad V = I + B[\omega] + C[\omega]^2, \quad
    A = \tfrac{\sin\theta}{\theta},\ B = \tfrac{1 - \cos\theta}{\theta^2},\ C = \tfrac{1 - A}{\theta^2},$$
    and the translation is $V v$. The coefficients are even in $\theta$ and computed from $\theta^2$, so
    values and gradients are finite and right at zero rotation too.

    Args:
        twist: $(v, \omega)$: translation in world units, then rotation in radians.

    Returns:
        The motion; `pose @ se3_exp(twist)` moves a camera within its own frame, `se3_exp(twist) @ pose` in
        the world's.

    Equivalent to `scipy.linalg.expm` of the twist's 4 x 4 matrix.

    Example:
        >>> import jax
        >>> jax.jacobian(se3_exp)(jnp.zeros(6))[:3, 3, :3].tolist()
        [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]]
    """
    return _se3_exp(as_floats("twist", twist, (6,)))


@jax.jit
def _se3_exp(twist: Float[Array, "6"]) -> Float[Array, "4 4"]:
    v, (x, y, z) = twist[:3], twist[3:]
    square = x * x + y * y + z * z
    # Seven terms of each series: the next, below 0.25^7 / 15!, is under a rounding of float64.
    small = square < 0.25
    safe = jnp.where(small, 1.0, square)
    theta = jnp.sqrt(safe)
    a = jnp.where(small, _series(square, 1), jnp.sin(theta) / theta)
    b = jnp.where(small, _series(square, 2), (1 - jnp.cos(theta)) / safe)
    c = jnp.where(small, _series(square, 3), (theta - jnp.sin(theta)) / (safe * theta))
    zero = jnp.zeros_like(x)
    cross = jnp.stack([jnp.stack([zero, -z, y]), jnp.stack([z, zero, -x]), jnp.stack([-y, x, zero])])
    cross2 = cross @ cross
    identity = jnp.eye(3, dtype=twist.dtype)
    rotation = identity + a * cross + b * cross2
    translation = (identity + b * cross + c * cross2) @ v
    top = jnp.concatenate([rotation, translation[:, None]], axis=1)
    return jnp.concatenate([top, jnp.array([[0, 0, 0, 1]], twist.dtype)])


def _series(square: Float[Array, ""], order: int) -> Float[Array, ""]:
    """Sum over k of (-theta^2)^k / (2k + order)!: the coefficients A, B, C for order 1, 2, 3."""
    result = jnp.zeros_like(square)
    for k in range(6, -1, -1):
        result = result * -square + 1 / float(np.prod(np.arange(1.0, 2 * k + order + 1)))
    return result


def look_at(
    eye: ArrayLike, target: ArrayLike = (0.0, 0.0, 0.0), up: ArrayLike = (0.0, 1.0, 0.0)
) -> Float[Array, "4 4"]:
    """The pose of a camera at `eye` that looks at `target` with `up` upwards in the image.

    Args:
        eye: (3,), world units.
        target: (3,), world units; appears at the principal point.
        up: (3,), any length, not along the line of sight.

    Returns:
        Camera to world, OpenCV convention: x to the right of the image, y down, z forward.

    Raises:
        ValueError: `eye` equals `target`, or `up` lies along the line of sight.

    Example:
        >>> look_at([0.0, 0.0, -4.0])[:3, 2].tolist()  # looks along +z
        [0.0, 0.0, 1.0]
    """
    eye, target, up = (
        as_floats(name, value, (3,)) for name, value in (("eye", eye), ("target", target), ("up", up))
    )
    pose, distance, sine = _look_at(eye, target, up)
    check("distance from `eye` to `target`", distance, lambda d: d > 0, "be positive")
    check("sine between `up` and the line of sight", sine, lambda s: s > 1e-6, "exceed 1e-6 (tilt `up`)")
    return pose


@jax.jit
def _look_at(
    eye: Float[Array, "3"], target: Float[Array, "3"], up: Float[Array, "3"]
) -> tuple[Float[Array, "4 4"], Float[Array, ""], Float[Array, ""]]:
    forward = target - eye
    distance = jnp.linalg.norm(forward)
    forward = forward / distance
    right = jnp.cross(forward, up / jnp.linalg.norm(up))
    sine = jnp.linalg.norm(right)
    right = right / sine
    top = jnp.stack([right, jnp.cross(forward, right), forward, eye], axis=1)
    return jnp.concatenate([top, jnp.array([[0, 0, 0, 1]], top.dtype)]), distance, sine


def orbit_views(
    views: int, *, distance: float, elevation: float = 0.5, center: ArrayLike = (0.0, 0.0, 0.0)
) -> Float[Array, "views 4 4"]:
    """Poses evenly spaced on a circle around the vertical through `center`, all looking at it.

    Args:
        views: how many, at least 1.
        distance: of the cameras from `center`, world units.
        elevation: above the horizontal plane, radians in (-pi/2, pi/2); the world's y axis points up.
        center: (3,), world units.

    Raises:
        ValueError: `views` or `distance` is not positive, or `elevation` lies outside its range.
    """
    if not abs(elevation) < math.pi / 2:
        raise ValueError(f"`elevation` must lie in (-pi/2, pi/2) radians; got {elevation:g}.")
    azimuth = 2 * math.pi * np.arange(max(views, 0)) / max(views, 1)
    return _views(azimuth, np.full(len(azimuth), math.sin(elevation)), distance, center)


def sphere_views(
    views: int, *, distance: float, phase: float = 0.0, center: ArrayLike = (0.0, 0.0, 0.0)
) -> Float[Array, "views 4 4"]:
    """Poses spread evenly over a whole sphere around `center`, all looking at it.

    The places are a golden spiral: each view stands for the same area of the sphere.

    Args:
        views: how many, at least 1.
        distance: of the cameras from `center`, world units.
        phase: turns the spiral about the world's y axis, radians: other phases give other views.
        center: (3,), world units.

    Raises:
        ValueError: `views` or `distance` is not positive.
    """
    k = np.arange(max(views, 0))
    azimuth = phase + math.pi * (3 - math.sqrt(5)) * k
    return _views(azimuth, 1 - (2 * k + 1) / max(views, 1), distance, center)


def _views(
    azimuth: np.ndarray, height: np.ndarray, distance: float, center: ArrayLike
) -> Float[Array, "views 4 4"]:
    if len(azimuth) < 1:
        raise ValueError("`views` must be at least 1.")
    if not distance > 0:
        raise ValueError(f"`distance` must be positive; got {distance:g}.")
    center = as_floats("center", center, (3,))
    radius = np.sqrt(1 - height**2)
    directions = np.stack([radius * np.sin(azimuth), height, radius * np.cos(azimuth)], axis=1)
    eyes = center + distance * jnp.asarray(directions, center.dtype)
    return jax.vmap(lambda eye: look_at(eye, center))(eyes)


def nearby_poses(
    pose: ArrayLike,
    count: int,
    *,
    key: Array,
    angle: float,
    shift: float = 0.0,
    center: ArrayLike = (0.0, 0.0, 0.0),
) -> Float[Array, "count 4 4"]:
    """Poses around one: starts for `estimate_pose`, the given pose first.

    Each of the others is turned about an axis through `center` of any direction by an angle drawn evenly from
    [0, angle], then moved in any direction by up to `shift`.

    Args:
        pose: (4, 4), camera to world.
        count: how many, with the given one; at least 1.
        key: of `jax.random`.
        angle: radians, at least 0.
        shift: world units, at least 0.
        center: (3,), of the rotations: the object's middle, world units.

    Raises:
        ValueError: a number leaves its range.

    Example:
        >>> nearby_poses(look_at([0.0, 0.0, -4.0]), 8, key=jax.random.key(0), angle=0.8).shape
        (8, 4, 4)
    """
    pose, center = as_floats("pose", pose, (4, 4)), as_floats("center", center, (3,))
    if count < 1:
        raise ValueError(f"`count` must be at least 1; got {count}.")
    for name, value in (("angle", angle), ("shift", shift)):
        if not value >= 0:
            raise ValueError(f"`{name}` must be at least 0; got {value:g}.")
    axis_key, size_key = jax.random.split(key)
    vectors = jax.random.normal(axis_key, (count, 2, 3), pose.dtype)
    sizes = jax.random.uniform(size_key, (count, 2, 1), pose.dtype).at[0].set(0)
    steps = vectors / jnp.linalg.norm(vectors, axis=2, keepdims=True) * sizes
    turns = jax.vmap(_se3_exp)(jnp.pad(angle * steps[:, 0], ((0, 0), (3, 0))))[:, :3, :3]
    places = turns @ (pose[:3, 3] - center) + center + shift * steps[:, 1]
    return jnp.tile(pose, (count, 1, 1)).at[:, :3, :3].set(turns @ pose[:3, :3]).at[:, :3, 3].set(places)
