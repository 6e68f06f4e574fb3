"""Where a camera stands that sees a given mask, and depth, of a known shape."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Literal, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from fuzzy_metaballs._blend import BLENDS
from fuzzy_metaballs._check import choose
from fuzzy_metaballs._fitting.losses import silhouette_loss
from fuzzy_metaballs._fitting.stopping import StoppingRule
from fuzzy_metaballs._pose import se3_exp
from fuzzy_metaballs._render import BlendName, default_chunk_size, trace

if TYPE_CHECKING:
    from collections.abc import Callable

    from jaxtyping import Array, Float, Int
    from matplotlib.axes import Axes

    from fuzzy_metaballs._camera import Camera
    from fuzzy_metaballs._check import ArrayLike
    from fuzzy_metaballs._shape import FuzzyMetaballs

_BLOCK = 25
"""Steps between two looks of Python at a running fit."""


@dataclass(frozen=True)
class PoseFit:
    """What `estimate_pose` found.

    Attributes:
        pose: (4, 4), camera to world, the best of all starts.
        loss: of the best.
        history: (steps,), loss of the best start before each of its steps.
        stopped: "converged" by the stopping rule, or "steps" when they were used up first.
        poses: (S, 4, 4), where each start ended.
        losses: (S,), their losses.
        covariance: (6, 6) of the twist (translation in world units, rotation in radians) about the shape's
            middle, in world axes.
    """

    pose: Float[Array, "4 4"]
    loss: float
    history: np.ndarray
    stopped: Literal["converged", "steps"]
    poses: Float[Array, "s 4 4"]
    losses: np.ndarray
    covariance: np.ndarray

    def __repr__(self) -> str:
        return (
            f"PoseFit(loss={self.history[0]:.4g} -> {self.loss:.4g}, steps={len(self.history)}, "
            f"starts={len(self.losses)}, stopped={self.stopped!r})"
        )

    def plot(self, ax: Axes | None = None) -> Axes:
        """Draws the loss of the best start; needs the extra `plot`."""
        raise NotImplementedError


def estimate_pose(
    shape: FuzzyMetaballs,
    camera: Camera,
    mask: ArrayLike,
    *,
    start: ArrayLike,
    depth: ArrayLike | None = None,
    depth_weight: float = 1.0,
    blend: BlendName = "two_parameter",
    learning_rate: float = 0.1,
    momentum: float = 0.9,
    max_steps: int = 2000,
    stopping: StoppingRule | None = None,
    callback: Callable[[int, int, float], None] | None = None,
) -> PoseFit:
    """Finds the pose from which the shape looks like the mask, and the depth image if there is one.

    Args:
        shape: the object.
        camera: the camera, H x W.
        mask: (H, W), bool or in [0, 1], 1 on the object.
        start: (4, 4), camera to world, or (S, 4, 4) for several starts, of which the best wins.
        depth: (H, W), along the camera's z axis, world units; NaN, 0 or infinite where unknown.
        depth_weight: of the depth term.
        blend: as in `render`.
        learning_rate: of momentum SGD at the start.
        momentum: in [0, 1).
        max_steps: ends then in any case.
        stopping: when to lower the rate and to stop; the paper's rule by default.
        callback: called as `callback(step, max_steps, loss)` with the smallest loss of all starts.
    """
    choose("blend", blend, tuple(BLENDS), ("sorted",))
    stopping = stopping or StoppingRule()
    starts = jnp.asarray(start)
    starts = starts if starts.ndim == 3 else starts[None]
    y = jnp.asarray(np.asarray(mask, np.float32))
    z = jnp.full(y.shape, jnp.nan) if depth is None else jnp.asarray(depth)
    known = jnp.isfinite(z) & (z > 0) & (y > 0.5)
    view = _View(
        camera.rays().reshape(-1, 3),
        y.ravel(),
        jnp.where(known, z, 1.0).ravel(),
        known.ravel().astype(y.dtype),
    )
    problem = _Problem(shape, view, jnp.asarray(depth_weight))
    best, history, poses, losses, drops = _descend(
        problem, starts, blend, learning_rate, momentum, max_steps, stopping, callback
    )
    return PoseFit(
        pose=poses[best],
        loss=float(losses[best]),
        history=history,
        stopped="converged" if drops[best] == stopping.drops else "steps",
        poses=poses,
        losses=np.asarray(losses),
        covariance=np.full((6, 6), np.nan),
    )


class _View(NamedTuple):
    """What the camera sees, ray by ray."""

    rays: Float[Array, "r 3"]
    mask: Float[Array, " r"]
    depth: Float[Array, " r"]
    known: Float[Array, " r"]


class _Problem(NamedTuple):
    shape: FuzzyMetaballs
    view: _View
    depth_weight: Float[Array, ""]


class _Walk(NamedTuple):
    """The state of one start."""

    pose: Float[Array, "4 4"]
    speed: Float[Array, "6"]
    losses: Float[Array, " window"]
    since: Int[Array, ""]
    calm: Int[Array, ""]
    drops: Int[Array, ""]


def _middle(shape: FuzzyMetaballs) -> Float[Array, "3"]:
    return shape.weights @ shape.means


def _moved(shape: FuzzyMetaballs, twist: Float[Array, "6"], pose: Float[Array, "4 4"]) -> Float[Array, "4 4"]:
    """The pose moved by a twist about the shape's middle, translations in units of its size."""
    middle = _middle(shape)
    motion = se3_exp(jnp.concatenate([twist[:3] * shape.eta, twist[3:]]))
    rotation = motion[:3, :3] @ pose[:3, :3]
    place = motion[:3, :3] @ (pose[:3, 3] - middle) + motion[:3, 3] + middle
    # One step of Newton's method for the nearest rotation: roundings do not add up over thousands of steps.
    rotation = rotation @ (1.5 * jnp.eye(3) - 0.5 * rotation.T @ rotation)
    return pose.at[:3, :3].set(rotation).at[:3, 3].set(place)


def _loss(problem: _Problem, pose: Float[Array, "4 4"], blend: BlendName) -> Float[Array, ""]:
    shape, view, weight = problem
    directions = view.rays @ pose[:3, :3].T
    depth, logit, _ = trace(
        shape,
        jnp.broadcast_to(pose[:3, 3], directions.shape),
        directions,
        features=jnp.zeros((shape.components, 1), directions.dtype),
        blend=blend,
        chunk_size=default_chunk_size(),
    )
    error = view.known * (depth - view.depth) / shape.eta
    term = jnp.sqrt(error**2 + 1e-4).sum() / jnp.maximum(view.known.sum(), 1)
    return silhouette_loss(logit, view.mask) + weight * term


def _descend(problem, starts, blend, learning_rate, momentum, max_steps, stopping, callback):
    count = len(starts)
    walks = _Walk(
        starts,
        jnp.zeros((count, 6)),
        jnp.zeros((count, stopping.window)),
        *(jnp.zeros(count, int) for _ in range(3)),
    )
    parts = []
    for step in range(0, max_steps, _BLOCK):
        walks, losses = _block(problem, walks, learning_rate, blend, momentum, stopping)
        parts.append(np.asarray(losses))
        if callback is not None:
            callback(min(step + _BLOCK, max_steps), max_steps, float(parts[-1][-1].min()))
        if bool((walks.drops >= stopping.drops).all()):
            break
    final = np.asarray(jax.vmap(partial(_loss, problem, blend=blend))(walks.pose))
    best = int(final.argmin())
    return best, np.concatenate(parts)[:, best], walks.pose, final, walks.drops


@partial(jax.jit, static_argnames=("blend", "momentum", "stopping"))
def _block(problem, walks, learning_rate, blend, momentum, stopping):
    def one(walk: _Walk) -> tuple[_Walk, Array]:
        def at(twist):
            return _loss(problem, _moved(problem.shape, twist, walk.pose), blend)

        value, slope = jax.value_and_grad(at)(jnp.zeros(6))
        speed = momentum * walk.speed + slope
        rate = learning_rate * stopping.factor ** walk.drops.astype(float)
        pose = _moved(problem.shape, -rate * speed, walk.pose)
        losses = jnp.roll(walk.losses, -1).at[-1].set(value)
        since = walk.since + 1
        calm = jnp.where(
            (since >= stopping.window) & (_decreasing(losses, stopping) < stopping.probability),
            walk.calm + 1,
            0,
        )
        drop = calm >= stopping.patience
        after = _Walk(
            pose,
            speed,
            losses,
            jnp.where(drop, 0, since),
            jnp.where(drop, 0, calm),
            walk.drops + drop,
        )
        going = walk.drops < stopping.drops
        return jax.tree.map(lambda a, b: jnp.where(going, a, b), after, walk), value

    return jax.lax.scan(lambda w, _: jax.vmap(one)(w), walks, length=_BLOCK)


def _decreasing(losses, stopping):
    x = jnp.arange(stopping.window) - (stopping.window - 1) / 2
    squares = (x**2).sum()
    y = losses - losses.mean()
    slope = x @ y / squares
    residual = y - slope * x
    error = jnp.sqrt((residual @ residual) / (stopping.window - 2) / squares)
    return jnp.where(
        error > 0,
        jax.scipy.special.erfc((slope - stopping.slope) / jnp.where(error > 0, error, 1.0) / jnp.sqrt(2)) / 2,
        (slope < stopping.slope).astype(slope.dtype),
    )
