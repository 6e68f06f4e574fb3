"""Where a camera stands that sees a given mask, and depth, of a known shape."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Literal, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from fuzzy_metaballs._blend import BLENDS
from fuzzy_metaballs._check import as_floats, check, check_rigid, choose
from fuzzy_metaballs._fitting.losses import check_outliers, depth_loss, silhouette_loss
from fuzzy_metaballs._fitting.pose_covariance import pose_covariance
from fuzzy_metaballs._fitting.stopping import Course, StoppingRule
from fuzzy_metaballs._fitting.view import Law, View, middle_of, moved, seen, view_of
from fuzzy_metaballs._rules import INTERSECTIONS

if TYPE_CHECKING:
    from collections.abc import Callable

    from jaxtyping import Array, Float
    from matplotlib.axes import Axes

    from fuzzy_metaballs._camera import Camera
    from fuzzy_metaballs._check import ArrayLike
    from fuzzy_metaballs._render import BlendName
    from fuzzy_metaballs._rules import Intersection
    from fuzzy_metaballs._shape import FuzzyMetaballs

_BLOCK = 25
"""Steps between two looks of Python at a running fit."""

_COARSE = 16
"""Rays along the shorter side of the image by which several starts are compared."""

_STRIDE = 0.1
"""No step is longer, in radians and units of the shape's size."""


@dataclass(frozen=True)
class PoseFit:
    r"""What `estimate_pose` found.

    Attributes:
        pose: (4, 4), camera to world, the best of all starts.
        loss: of the best.
        history: (steps,), loss of the best start before each of its steps over all rays.
        stopped: "converged" by the stopping rule, or "steps" when they were used up first.
        starts: (S, 4, 4), where each start ended; with several, after the search on few rays.
        start_losses: (S,), their losses over those rays.
        covariance: (6, 6), of the twist $\xi$ (translation in world units, then rotation in radians, world
            axes, about `center`) by which the true pose differs from `pose`, from the Gauss-Newton Hessian.
            It counts the noise of single pixels, not that the shape itself is only approximate; what the
            images do not show has a variance without bound.
        center: (3,), the shape's middle, world units.
    """

    pose: Float[Array, "4 4"]
    loss: float
    history: np.ndarray
    stopped: Literal["converged", "steps"]
    starts: Float[Array, "s 4 4"]
    start_losses: np.ndarray
    covariance: np.ndarray
    center: np.ndarray

    @property
    def deviations(self) -> tuple[float, float]:
        """Standard deviations of the translation (world units) and the rotation (radians), over all axes."""
        variances = np.diagonal(self.covariance)
        return float(np.sqrt(variances[:3].sum())), float(np.sqrt(variances[3:].sum()))

    def __repr__(self) -> str:
        return (
            f"PoseFit(loss={self.history[0]:.4g} -> {self.loss:.4g}, steps={len(self.history)}, "
            f"starts={len(self.start_losses)}, stopped={self.stopped!r})"
        )

    def plot(self, ax: Axes | None = None) -> Axes:
        """Draws the loss of the best start, step by step; needs the extra `plot`."""
        if ax is None:
            try:
                import matplotlib.pyplot as plt
            except ImportError as error:
                raise ImportError('Plotting needs matplotlib: pip install "fuzzy-metaballs[plot]"') from error
            ax = plt.figure().add_subplot()
        ax.plot(np.arange(1, len(self.history) + 1), self.history, color="C0")
        ax.set(xlabel="step", ylabel="loss", yscale="log")
        return ax


def estimate_pose(
    shape: FuzzyMetaballs,
    camera: Camera,
    mask: ArrayLike,
    *,
    start: ArrayLike,
    depth: ArrayLike | None = None,
    depth_weight: float = 1.0,
    intersection: Intersection = "linear",
    blend: BlendName = "two_parameter",
    outliers: float = 0.0,
    learning_rate: float = 0.05,
    momentum: float = 0.9,
    max_steps: int = 2000,
    stopping: StoppingRule | None = None,
    callback: Callable[[int, int, float], None] | None = None,
) -> PoseFit:
    r"""Finds the pose from which a shape looks like a mask, and like a depth image if there is one.

    Momentum SGD (section 7.1) on
    $$\mathrm{CE}(\alpha, \hat\alpha) + w\,\frac{1}{|M|}\sum_M \sqrt{(z - \hat z)^2 / \eta^2 + \delta^2},
    \quad \delta = 0.01,$$
    M being the pixels of the mask with a known depth. The second term is eq. 12 with the shape's
    size for the unit and without the square of large errors, which edges and noise would rule. Steps
    are rotations about the shape's middle and translations in units of $\eta$: this is the paper's scaling of
    the translation's gradient by $\eta^2$, and it makes the course free of the unit of length.
    No step is longer than 0.1 in these units.

    With several starts each is followed over a sparse grid of rays until it stops, all in one compiled
    program; the best goes on over all rays.

    Args:
        shape: the object. A mixture of the surface (`fit_mesh(..., kind="surface")`) has the least bias in
            depth under the linear rule.
        camera: the camera, H x W.
        mask: (H, W), bool or in [0, 1], 1 on the object.
        start: (4, 4), camera to world, or (S, 4, 4) for several starts; see `nearby_poses`.
        depth: (H, W), along the camera's z axis, world units; NaN, infinite, 0 or below where unknown.
        depth_weight: w.
        intersection: as in `render`.
        blend: as in `render`.
        outliers: share of the mask's pixels that may be wrong, see `silhouette_loss`.
        learning_rate: at the start, in radians and units of $\eta$.
        momentum: in [0, 1).
        max_steps: ends then in any case, for the starts and the best each.
        stopping: when to lower the learning rate and to stop; the paper's rule by default.
        callback: called after each 25 steps as `callback(step, max_steps, loss)`, with the least loss of all
            starts.

    Raises:
        ValueError: the mask is empty or has another size than the camera; a value leaves its range; a start
            is no rigid motion or has the shape behind it; `depth` is nowhere known on the mask.

    Complexity: O(H W N) a step.
    """
    choose("intersection", intersection, INTERSECTIONS)
    choose("blend", blend, tuple(BLENDS))
    check_outliers(outliers)
    for name, value, good, wanted in (
        ("depth_weight", depth_weight, depth_weight >= 0, "at least 0"),
        ("learning_rate", learning_rate, learning_rate > 0, "positive"),
        ("momentum", momentum, 0 <= momentum < 1, "in [0, 1)"),
        ("max_steps", max_steps, max_steps >= 1, "at least 1"),
    ):
        if not good:
            raise ValueError(f"`{name}` must be {wanted}; got {value:g}.")
    view = view_of(camera, mask, depth)
    poses = _checked_starts(shape, start)
    rule = stopping or StoppingRule()
    law = Law(intersection, blend, outliers)
    follow = partial(
        _follow,
        shape,
        weight=depth_weight if depth is not None else 0.0,
        law=law,
        learning_rate=learning_rate,
        momentum=momentum,
        max_steps=max_steps,
        rule=rule,
        callback=callback,
    )
    if len(poses) > 1:
        stride = max(1, min(camera.height, camera.width) // _COARSE)
        ends, losses, _, _ = follow(view.every(stride, camera), poses)
        best, final, history, drops = follow(view, ends[np.argmin(losses)][None])
    else:
        best, final, history, drops = follow(view, poses)
        ends, losses = best, final
    return PoseFit(
        pose=best[0],
        loss=float(final[0]),
        history=history[:, 0],
        stopped="converged" if drops[0] == rule.drops else "steps",
        starts=ends,
        start_losses=losses,
        covariance=pose_covariance(shape, view, best[0], law),
        center=np.asarray(middle_of(shape)),
    )


def _checked_starts(shape: FuzzyMetaballs, start: ArrayLike) -> Float[Array, "s 4 4"]:
    array = jnp.asarray(start)
    poses = as_floats("start", array, (None,) * (array.ndim - 2) + (4, 4))
    if poses.ndim not in (2, 3) or len(poses) == 0:
        raise ValueError(f"`start` must have shape (4, 4) or (S, 4, 4), S at least 1; got {poses.shape}.")
    check_rigid("start", poses)
    poses = poses.reshape(-1, 4, 4).astype(shape.means.dtype)
    middle = np.asarray(middle_of(shape))
    check(
        "depth of the shape's middle seen from `start`",
        poses,
        lambda depth: depth > 0,
        "be positive (turn the camera towards it)",
        of=lambda p: np.einsum("si,si->s", middle - p[:, :3, 3], p[:, :3, 2]),
    )
    return poses


class _Walk(NamedTuple):
    """The state of one start."""

    pose: Float[Array, "4 4"]
    speed: Float[Array, "6"]
    course: Course


def _follow(
    shape: FuzzyMetaballs,
    view: View,
    poses: Float[Array, "s 4 4"],
    *,
    weight: float,
    law: Law,
    learning_rate: float,
    momentum: float,
    max_steps: int,
    rule: StoppingRule,
    callback: Callable[[int, int, float], None] | None,
) -> tuple[Float[Array, "s 4 4"], np.ndarray, np.ndarray, np.ndarray]:
    """Where the starts end, their losses there, the losses before each step, and how often the rate fell."""
    dtype = poses.dtype
    scale = jnp.asarray(weight, dtype)
    rate, keep = jnp.asarray(learning_rate, dtype), jnp.asarray(momentum, dtype)
    one = _Walk(poses[0], jnp.zeros(6, dtype), Course.begin(rule))
    walks = jax.tree.map(lambda leaf: jnp.broadcast_to(leaf, (len(poses), *leaf.shape)), one)
    walks = walks._replace(pose=poses)
    losses: list[np.ndarray] = []
    for step in range(0, max_steps, _BLOCK):
        left = jnp.asarray(min(_BLOCK, max_steps - step))
        walks, block = _block(shape, view, walks, scale, rate, keep, left, law=law, rule=rule)
        losses.append(np.asarray(block)[: int(left)])
        if callback is not None:
            callback(step + int(left), max_steps, float(losses[-1][-1].min()))
        if bool((walks.course.drops >= rule.drops).all()):
            break
    final = np.asarray(_losses(shape, view, walks.pose, scale, law=law))
    return walks.pose, final, np.concatenate(losses), np.asarray(walks.course.drops)


def _loss(
    shape: FuzzyMetaballs,
    view: View,
    pose: Float[Array, "4 4"],
    weight: Float[Array, ""],
    law: Law,
) -> Float[Array, ""]:
    depth, logit = seen(shape, view.rays, pose, law)
    term = depth_loss((depth - view.depth) / shape.eta, view.known)
    return silhouette_loss(logit, view.mask, outliers=law.outliers) + weight * term


@partial(jax.jit, static_argnames="law")
def _losses(
    shape: FuzzyMetaballs,
    view: View,
    poses: Float[Array, "s 4 4"],
    weight: Float[Array, ""],
    law: Law,
) -> Float[Array, " s"]:
    return jax.lax.map(lambda pose: _loss(shape, view, pose, weight, law), poses)


@partial(jax.jit, static_argnames=("law", "rule"))
def _block(
    shape: FuzzyMetaballs,
    view: View,
    walks: _Walk,
    weight: Float[Array, ""],
    rate: Float[Array, ""],
    momentum: Float[Array, ""],
    left: Array,
    law: Law,
    rule: StoppingRule,
) -> tuple[_Walk, Float[Array, "steps s"]]:
    """A block of steps of all starts; those that have stopped, and steps past `left`, change nothing."""

    def advance(walk: _Walk, step: Array) -> tuple[_Walk, Float[Array, ""]]:
        def at(twist: Float[Array, "6"]) -> Float[Array, ""]:
            return _loss(shape, view, moved(shape, twist, walk.pose), weight, law)

        value, slope = jax.value_and_grad(at)(jnp.zeros_like(walk.speed))
        now = rate * jnp.asarray(rule.factor, rate.dtype) ** walk.course.drops
        speed = momentum * walk.speed + slope
        # A mask far from the shape pulls without bound; the start's valley is not to be jumped out of.
        speed = speed * jnp.minimum(1.0, _STRIDE / (now * jnp.linalg.norm(speed) + 1e-30))
        after = _Walk(moved(shape, -now * speed, walk.pose), speed, walk.course.after(value, rule))
        going = (walk.course.drops < rule.drops) & (step < left)
        return jax.tree.map(lambda new, old: jnp.where(going, new, old), after, walk), value

    return jax.lax.scan(
        lambda state, step: jax.vmap(advance, (0, None))(state, step), walks, jnp.arange(_BLOCK)
    )
