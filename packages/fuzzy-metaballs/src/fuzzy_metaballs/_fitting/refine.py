"""A shape made to look like what it stands for: moved until its images agree with given ones."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from fuzzy_metaballs._blend import BLENDS
from fuzzy_metaballs._check import choose
from fuzzy_metaballs._fitting.losses import check_outliers, depth_loss, silhouette_loss
from fuzzy_metaballs._fitting.view import Law
from fuzzy_metaballs._fitting.views import adam, checked_views, rays_of, require_optax
from fuzzy_metaballs._render import default_chunk_size, trace
from fuzzy_metaballs._rules import INTERSECTIONS

if TYPE_CHECKING:
    from collections.abc import Callable

    from jaxtyping import Array, Float

    from fuzzy_metaballs._camera import Camera
    from fuzzy_metaballs._check import ArrayLike
    from fuzzy_metaballs._render import BlendName
    from fuzzy_metaballs._rules import Intersection
    from fuzzy_metaballs._shape import FuzzyMetaballs

_BLOCK = 50
"""Steps between two looks of Python at a running fit."""

_RADIUS = 3.0
"""Sizes (eta) from the middle of an object to about its end: the unit of length of a step."""


def refine(
    shape: FuzzyMetaballs,
    masks: ArrayLike,
    camera: Camera,
    poses: ArrayLike,
    *,
    key: Array,
    depths: ArrayLike | None = None,
    depth_weight: float = 1.0,
    intersection: Intersection = "linear",
    blend: BlendName = "two_parameter",
    outliers: float = 0.0,
    learning_rate: float = 0.02,
    batch_rays: int = 1600,
    steps: int = 3000,
    callback: Callable[[int, int, float], None] | None = None,
) -> FuzzyMetaballs:
    r"""Adjusts a shape until its masks, and its depth, agree with those of known views.

    Expectation maximisation knows nothing of how a mixture is rendered: its images are soft where the object
    has an edge, and its depth lies off the surface. Adam on the loss of `estimate_pose`,
    $$\mathrm{CE}(\alpha, \hat\alpha) + w\,\frac{1}{|M|}\sum_M \sqrt{(z - \hat z)^2 / \eta_0^2 + \delta^2},$$
    over rays drawn from all views, moves all leaves but the features; $\eta_0$ is the size at the start, and
    the rate falls to 0 along half a cosine. `log_eta` is moved, too, as the depth's blend depends on it:
    afterwards it says how sharp the depth is rather than how large the object is.

    Args:
        shape: the start, such as `fit_mesh(..., kind="surface")` gives.
        masks: (V, H, W), bool or in [0, 1], 1 on the object; V at least 2.
        camera: of all views, H x W.
        poses: (V, 4, 4), camera to world.
        key: of `jax.random`; draws the rays.
        depths: (V, H, W), along the camera's z axis, world units; NaN, infinite, 0 or below where unknown.
        depth_weight: w.
        intersection: as in `render`.
        blend: as in `render`.
        outliers: share of the masks' pixels that may be wrong, see `silhouette_loss`.
        learning_rate: of Adam at the start; for places in units of 3 $\eta_0$.
        batch_rays: rays in a step, drawn anew from all views together.
        steps: of Adam.
        callback: called after each 50 steps as `callback(step, steps, loss)`, with the mean loss of these.

    Raises:
        ValueError: shapes disagree; a mask is empty or full; `depths` are nowhere known on the masks; a
            number is out of its range.
        ImportError: optax is missing (`pip install "fuzzy-metaballs[fit]"`).

    Complexity: O(batch_rays N) a step.

    Example:
        >>> from fuzzy_metaballs import Camera, FuzzyMetaballs, render, sphere_views
        >>> ball = FuzzyMetaballs.from_covariances([[0.0, 0.0, 0.0]], jnp.eye(3)[None], [4.0])
        >>> camera, poses = Camera.from_fov(16, 16, fov=1.2), sphere_views(4, distance=8.0)
        >>> masks = jax.vmap(lambda pose: render(ball, camera, pose, blend="two_parameter").alpha)(poses)
        >>> small = FuzzyMetaballs.from_covariances([[0.1, 0.0, 0.0]], jnp.eye(3)[None] * 0.5, [4.0])
        >>> found = refine(small, masks, camera, poses, key=jax.random.key(0), steps=400, batch_rays=200)
        >>> bool(abs(found.means).max() < 0.05)
        True
    """
    require_optax()
    choose("intersection", intersection, INTERSECTIONS)
    choose("blend", blend, tuple(BLENDS))
    check_outliers(outliers)
    for name, value, good, wanted in (
        ("depth_weight", depth_weight, depth_weight >= 0, "at least 0"),
        ("learning_rate", learning_rate, learning_rate > 0, "positive"),
        ("batch_rays", batch_rays, batch_rays >= 1, "at least 1"),
        ("steps", steps, steps >= 1, "at least 1"),
    ):
        if not good:
            raise ValueError(f"`{name}` must be {wanted}; got {value:g}.")
    values, matrices = checked_views(masks, camera, poses)
    distances = np.zeros(values.shape) if depths is None else np.asarray(depths, np.float64)
    if distances.shape != values.shape:
        raise ValueError(f"`depths` must have the masks' shape, {values.shape}; got {distances.shape}.")
    known = np.isfinite(distances) & (np.nan_to_num(distances) > 0) & (values > 0.5)
    if depths is not None and not known.any():
        raise ValueError("`depths` are nowhere finite and positive on the masks; leave them out.")

    dtype = shape.means.dtype
    center = np.asarray(shape.weights @ shape.means, np.float64)
    unit = _RADIUS * float(shape.eta)
    origins, directions = rays_of(camera, matrices)
    # Depth counts along the camera's axis, which rays have at length 1, so it scales as places do.
    rays = _Rays(
        *(
            jnp.asarray(x, dtype)
            for x in (
                (origins - center) / unit,
                directions,
                values.ravel(),
                np.where(known, distances, 1.0).ravel() / unit,
                known.ravel(),
            )
        )
    )
    law = Law(intersection, blend, outliers)
    state = (_scaled(shape, -center, 1 / unit), adam().init(shape))
    numbers = jnp.asarray([learning_rate, depth_weight if known.any() else 0.0, steps], dtype)
    for first in range(0, steps, _BLOCK):
        count = min(_BLOCK, steps - first)
        state, losses = _block(
            state, rays, key, numbers, jnp.asarray([first, count]), law=law, batch=batch_rays
        )
        if callback is not None:
            callback(first + count, steps, float(losses[:count].mean()))
    fitted = _scaled(state[0], np.zeros(3), unit)
    return replace(fitted, means=fitted.means + jnp.asarray(center, dtype), features=shape.features)


class _Rays(NamedTuple):
    """The rays of all views, in the fit's frame, and what was seen along them."""

    origins: Float[Array, "all 3"]
    directions: Float[Array, "all 3"]
    masks: Float[Array, " all"]
    depths: Float[Array, " all"]  # any positive number where unknown
    known: Float[Array, " all"]


def _scaled(shape: FuzzyMetaballs, shift: np.ndarray, factor: float) -> FuzzyMetaballs:
    """Moved, then scaled about the origin."""
    stretch = float(np.log(factor))
    return replace(
        shape,
        means=(shape.means + jnp.asarray(shift, shape.means.dtype)) * factor,
        log_diagonal=shape.log_diagonal - stretch,
        log_eta=shape.log_eta + stretch,
    )


@partial(jax.jit, static_argnames=("law", "batch"))
def _block(
    state: tuple[FuzzyMetaballs, Any],
    rays: _Rays,
    key: Array,
    numbers: Float[Array, "3"],
    span: Array,
    law: Law,
    batch: int,
) -> tuple[tuple[FuzzyMetaballs, Any], Float[Array, " steps"]]:
    """Steps on the device, and each one's loss; those past `span` are padding and change nothing."""
    rate, weight, steps = numbers

    def loss(shape: FuzzyMetaballs, seen: _Rays) -> Float[Array, ""]:
        depth, logit, _ = trace(
            shape,
            seen.origins,
            seen.directions,
            features=jnp.zeros((shape.components, 1), seen.origins.dtype),
            intersection=law.intersection,
            blend=law.blend,
            chunk_size=default_chunk_size(shape.components),
        )
        error = (depth - seen.depths) * _RADIUS
        return silhouette_loss(logit, seen.masks, outliers=law.outliers) + weight * depth_loss(
            error, seen.known
        )

    def step(state: tuple[FuzzyMetaballs, Any], index: Array):
        shape, moments = state
        number = span[0] + index
        chosen = jax.random.randint(jax.random.fold_in(key, number), (batch,), 0, len(rays.masks))
        value, slope = jax.value_and_grad(loss)(shape, jax.tree.map(lambda leaf: leaf[chosen], rays))
        updates, after = adam().update(slope, moments)
        now = rate * (1 + jnp.cos(jnp.pi * number / steps)) / 2
        new = jax.tree.map(lambda leaf, update: leaf - now * update, shape, updates), after
        return jax.tree.map(lambda leaf, old: jnp.where(index < span[1], leaf, old), new, state), value

    return jax.lax.scan(step, state, jnp.arange(_BLOCK))
