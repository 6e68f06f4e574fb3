"""Shape from silhouette: a shape from masks of it seen from known poses."""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from fuzzy_metaballs._blend import BLENDS
from fuzzy_metaballs._check import check, choose
from fuzzy_metaballs._fitting.losses import check_outliers, silhouette_loss
from fuzzy_metaballs._fitting.stopping import Course, StoppingRule
from fuzzy_metaballs._fitting.view import Law
from fuzzy_metaballs._fitting.views import adam, checked_views, rays_of, require_optax
from fuzzy_metaballs._pose import se3_exp
from fuzzy_metaballs._render import BlendName, default_chunk_size, trace
from fuzzy_metaballs._rules import INTERSECTIONS
from fuzzy_metaballs._shape import FuzzyMetaballs
from fuzzy_metaballs.files._arrays import read_npz

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from jaxtyping import Array, Float, Int
    from matplotlib.axes import Axes

    from fuzzy_metaballs._camera import Camera
    from fuzzy_metaballs._check import ArrayLike
    from fuzzy_metaballs._rules import Intersection

_BLOCK = 25
"""Steps between two looks of Python at a running fit."""


@dataclass(frozen=True)
class SilhouetteFit:
    """What `shape_from_silhouette` found.

    Attributes:
        shape: in world units.
        history: (steps,), loss of each batch of rays before its step.
        poses: (V, 4, 4), camera to world: as given, or refined.
        learning_rates: (steps,), of each step.
        stopped: "converged" by the stopping rule, or "epochs" when they were used up first.
    """

    shape: FuzzyMetaballs
    poses: Float[Array, "v 4 4"]
    history: np.ndarray
    learning_rates: np.ndarray
    stopped: Literal["converged", "epochs"]

    def __repr__(self) -> str:
        last = self.history[-min(len(self.history), 50) :].mean()
        return (
            f"SilhouetteFit(components={self.shape.components}, steps={len(self.history)}, "
            f"loss={self.history[0]:.4g} -> {last:.4g}, stopped={self.stopped!r})"
        )

    def plot(self, ax: Axes | None = None) -> Axes:
        """Draws the loss of each batch and its running mean over 50 steps; needs the extra `plot`."""
        if ax is None:
            try:
                import matplotlib.pyplot as plt
            except ImportError as error:
                raise ImportError('Plotting needs matplotlib: pip install "fuzzy-metaballs[plot]"') from error
            ax = plt.figure().add_subplot()
        steps = np.arange(1, len(self.history) + 1)
        ax.plot(steps, self.history, ".", ms=2, alpha=0.35, color="C0", label="batch of rays")
        window = min(50, len(self.history))
        mean = np.convolve(self.history, np.full(window, 1 / window), mode="valid")
        ax.plot(np.arange(len(mean)) + (window + 1) / 2, mean, color="C1", label=f"mean of {window}")
        ax.set(xlabel="step", ylabel="cross-entropy", yscale="log")
        ax.legend()
        return ax


def shape_from_silhouette(
    masks: ArrayLike,
    camera: Camera,
    poses: ArrayLike,
    *,
    key: Array,
    components: int = 40,
    intersection: Intersection = "linear",
    blend: BlendName = "two_parameter",
    outliers: float = 0.05,
    learning_rate: float = 0.05,
    pose_rate: float = 0.0,
    batch_rays: int = 800,
    epochs: int = 10,
    stopping: StoppingRule | None = None,
    callback: Callable[[int, int, float], None] | None = None,
    checkpoint: Path | None = None,
) -> SilhouetteFit:
    """Finds the shape whose silhouettes are the masks, by Adam on the cross-entropy of rays (section 7.2).

    A blobby sphere is placed where the masks' middles meet and grown or shrunk into the masks, without any
    regularisation. Lengths are measured in units of that sphere, so the recipe does not depend on the unit of
    the poses.

    Args:
        masks: (V, H, W), bool or in [0, 1], 1 on the object; V at least 2.
        camera: the camera of all views, H x W.
        poses: (V, 4, 4), camera to world, OpenCV convention.
        key: of `jax.random`; draws the initial sphere and the order of the rays.
        components: N.
        intersection: as in `render`.
        blend: as in `render`. The default's gradient does not fade far from the shape.
        outliers: share of the masks' pixels that may be wrong, see `silhouette_loss`. 0 is the paper's loss,
            which lets a piece that some masks lack thin the shape in all views.
        learning_rate: of Adam at the start.
        pose_rate: of the poses, as a share of `learning_rate`: above 0 the poses are only a start and are
            refined together with the shape, each but the first by a twist about the object's middle (in
            radii and radians). 0.1 suits poses that are wrong by some hundredths.
        batch_rays: rays in a step, drawn without replacement from all views together.
        epochs: passes over all rays at most.
        stopping: when to lower the learning rate and to stop; by default the paper's rule
            with a window of 200 steps and a slope of -1e-5.
        callback: called for each step as `callback(step, total, loss)`, step from 1, in groups of up to 25.
        checkpoint: a file (.npz) that keeps the state after each epoch, written atomically. A later call with
            the same arguments goes on from there and ends with the same result as an unbroken one.

    Raises:
        ValueError: shapes disagree; a mask is empty, full, or leaves [0, 1]; all views look the same way; the
            checkpoint belongs to other arguments.
        ImportError: optax is missing (`pip install "fuzzy-metaballs[fit]"`).
    """
    require_optax()
    choose("intersection", intersection, INTERSECTIONS)
    choose("blend", blend, tuple(BLENDS))
    check_outliers(outliers)
    stopping = stopping or StoppingRule(window=200, slope=-1e-5)
    masks, poses = checked_views(masks, camera, poses)
    if not learning_rate > 0:
        raise ValueError(f"`learning_rate` must be positive; got {learning_rate:g}.")
    if not pose_rate >= 0:
        raise ValueError(f"`pose_rate` must be at least 0; got {pose_rate:g}.")
    if epochs < 1:
        raise ValueError(f"`epochs` must be at least 1; got {epochs}.")
    if not 1 <= batch_rays <= masks.size:
        raise ValueError(
            f"`batch_rays` must lie in [1, {masks.size}], the count of pixels; got {batch_rays}."
        )

    center, radius = _frame(masks, camera, poses)
    origins, directions = rays_of(camera, poses)
    # Centred in double precision first: cameras and object may be far from the origin of the world.
    dtype = poses.dtype
    origins = jnp.asarray((origins - center) / radius, dtype)
    directions, labels = jnp.asarray(directions, dtype), jnp.asarray(masks.ravel(), dtype)
    start_key, order_key = jax.random.split(key)
    order_words = np.asarray(jax.random.key_data(order_key))
    shape = FuzzyMetaballs.sphere(components, key=start_key, center=jnp.zeros(3, dtype))

    per_epoch = masks.size // batch_rays
    rays = _Rays(origins, directions, labels)
    unknowns = _Unknowns(shape, jnp.zeros((len(poses), 6), dtype))
    state = _State(unknowns, adam().init(unknowns), Course.begin(stopping), [], [])
    rates = jnp.asarray([learning_rate, learning_rate * pose_rate], dtype)
    law = Law(intersection, blend, outliers)
    identity = ""
    if checkpoint is not None:
        settings = (
            components,
            law,
            learning_rate,
            pose_rate,
            batch_rays,
            stopping,
            jax.random.key_data(key).tolist(),
        )
        identity = _identity(settings, masks, poses, camera)
        state = _load(checkpoint, identity, state)
    total = epochs * per_epoch
    while len(state.losses) < total and not state.has_stopped(stopping):
        epoch, done = divmod(len(state.losses), per_epoch)
        # NumPy shuffles twenty times as fast as XLA sorts on a CPU; the key and the epoch say all.
        order = jnp.asarray(np.random.default_rng([epoch, *order_words]).permutation(masks.size))
        batches = order[: per_epoch * batch_rays].reshape(per_epoch, batch_rays)
        for first in range(done, per_epoch, _BLOCK):
            state.walk(rays, batches[first : first + _BLOCK], rates, law, stopping)
            if callback is not None:
                for step in range(epoch * per_epoch + first, len(state.losses)):
                    callback(step + 1, total, state.losses[step])
            if state.has_stopped(stopping):
                break
        if checkpoint is not None:
            _save(checkpoint, identity, state)
    return SilhouetteFit(
        shape=_in_world(state.unknowns.shape, center, radius),
        poses=_refined(poses, state.unknowns.twists, center, radius) if pose_rate else poses,
        history=np.array(state.losses),
        learning_rates=np.array(state.rates),
        stopped="converged" if state.has_stopped(stopping) else "epochs",
    )


class _Rays(NamedTuple):
    """The rays of all views, in the fit's frame, and the masks there."""

    origins: Float[Array, "all 3"]
    directions: Float[Array, "all 3"]
    labels: Float[Array, " all"]


class _Unknowns(NamedTuple):
    """What is sought, in the fit's frame."""

    shape: FuzzyMetaballs
    twists: Float[Array, "v 6"]


@dataclass
class _State:
    """All that a fit carries from step to step."""

    unknowns: _Unknowns
    moments: Any
    course: Course
    losses: list[float]
    rates: list[float]

    def has_stopped(self, stopping: StoppingRule) -> bool:
        return int(self.course.drops) == stopping.drops

    def walk(
        self,
        rays: _Rays,
        batches: Int[Array, "steps rays"],
        rates: Float[Array, "2"],
        law: Law,
        stopping: StoppingRule,
    ) -> None:
        """Takes one step for each batch, until the fit stops."""
        real = len(batches)
        batches = jnp.pad(batches, ((0, _BLOCK - real), (0, 0)))  # one size, one compilation
        state = self.unknowns, self.moments, self.course
        options = {"law": law, "stopping": stopping, "refine": bool(rates[1] > 0)}
        state, losses, drops = _block(state, rays, batches, rates, jnp.asarray(real), **options)
        self.unknowns, self.moments, self.course = state
        drops = np.asarray(drops)
        taken = (drops < stopping.drops) & (np.arange(_BLOCK) < real)
        self.losses += np.asarray(losses)[taken].tolist()
        self.rates += (float(rates[0]) * stopping.factor ** drops[taken].astype(float)).tolist()


@partial(jax.jit, static_argnames=("law", "stopping", "refine"))
def _block(
    state: tuple[_Unknowns, Any, Course],
    rays: _Rays,
    batches: Int[Array, "steps rays"],
    rates: Float[Array, "2"],
    real: Int[Array, ""],
    law: Law,
    stopping: StoppingRule,
    refine: bool,
) -> tuple[tuple[_Unknowns, Any, Course], Float[Array, " steps"], Int[Array, " steps"]]:
    """Steps on the device; also each step's loss and how often the rate had fallen before it.

    Batches from `real` on are padding: they change nothing, nor does any once the fit has stopped.
    """

    def loss(unknowns: _Unknowns, batch: Int[Array, " rays"]) -> Float[Array, ""]:
        shape, twists = unknowns
        origins, directions = rays.origins[batch], rays.directions[batch]
        if refine:
            # The first view stays, or the whole world could turn.
            motions = jax.vmap(se3_exp)(twists.at[0].set(0))[batch // (len(rays.labels) // len(twists))]
            origins = jnp.einsum("rij,rj->ri", motions[:, :3, :3], origins) + motions[:, :3, 3]
            directions = jnp.einsum("rij,rj->ri", motions[:, :3, :3], directions)
        _, alpha_logit, _ = trace(
            shape,
            origins,
            directions,
            features=jnp.zeros((shape.components, 1), origins.dtype),
            intersection=law.intersection,
            blend=law.blend,
            chunk_size=default_chunk_size(shape.components),
        )
        return silhouette_loss(alpha_logit, rays.labels[batch], outliers=law.outliers)

    def step(state: tuple[_Unknowns, Any, Course], item: tuple[Array, Array]):
        unknowns, moments, course = state
        index, batch = item
        value, gradient = jax.value_and_grad(loss)(unknowns, batch)
        updates, after = adam().update(gradient, moments)
        shape_rate, pose_rate = rates * jnp.asarray(stopping.factor, rates.dtype) ** course.drops
        shape = jax.tree.map(lambda x, u: x - shape_rate * u, unknowns.shape, updates.shape)
        new = (
            _Unknowns(shape, unknowns.twists - pose_rate * updates.twists),
            after,
            course.after(value, stopping),
        )
        going = (course.drops < stopping.drops) & (index < real)
        return jax.tree.map(lambda x, old: jnp.where(going, x, old), new, state), (value, course.drops)

    state, (losses, drops) = jax.lax.scan(step, state, (jnp.arange(len(batches)), batches))
    return state, losses, drops


def _frame(masks: np.ndarray, camera: Camera, poses: Float[Array, "v 4 4"]) -> tuple[np.ndarray, float]:
    """The object's place, nearest to the rays through the masks' middles, and its median radius."""
    fx, fy, cx, cy = np.asarray(camera.intrinsics, np.float64)
    rotations, origins = np.asarray(poses[:, :3, :3], np.float64), np.asarray(poses[:, :3, 3], np.float64)
    area = masks.sum((1, 2))
    row = (masks.sum(2) @ np.arange(camera.height)) / area
    column = (masks.sum(1) @ np.arange(camera.width)) / area
    middles = np.stack([(column - cx) / fx, (row - cy) / fy, np.ones_like(row)], axis=1)
    middles = np.einsum("vij,vj->vi", rotations, middles)
    unit = middles / np.linalg.norm(middles, axis=1, keepdims=True)
    # Least squares: sum over views of the projector across the ray, applied to (center - origin), vanishes.
    across = np.eye(3) - unit[:, :, None] * unit[:, None, :]
    system = across.sum(0)
    # The smallest eigenvalue is the views' total squared sine to their common direction.
    if np.linalg.eigvalsh(system)[0] < 1e-4 * len(masks):
        raise ValueError("`poses` all look along one line, which shows no depth; add views from other sides.")
    center = np.linalg.solve(system, np.einsum("vij,vj->i", across, origins))
    depth = np.einsum("vi,vi->v", center - origins, rotations[:, :, 2])
    check(
        "depth of the object's middle in front of the cameras",
        jnp.asarray(depth),
        lambda d: d > 0,
        "be positive",
    )
    return center, float(np.median(depth * np.sqrt(area / (np.pi * fx * fy))))


def _in_world(shape: FuzzyMetaballs, center: np.ndarray, radius: float) -> FuzzyMetaballs:
    """Scales and moves a shape out of the fit's frame, with its size measured anew."""
    return FuzzyMetaballs.from_precision_cholesky(
        shape.means * radius + jnp.asarray(center, shape.means.dtype),
        shape.precision_cholesky / radius,
        jnp.exp(shape.log_weights),
    )


def _refined(
    poses: Float[Array, "v 4 4"], twists: Float[Array, "v 6"], center: np.ndarray, radius: float
) -> Float[Array, "v 4 4"]:
    """The poses moved by their twists, in world units."""
    motions = np.asarray(jax.vmap(se3_exp)(twists.at[0].set(0)), np.float64)
    given = np.asarray(poses, np.float64)
    refined = given.copy()
    refined[:, :3, :3] = motions[:, :3, :3] @ given[:, :3, :3]
    offsets = np.einsum("vij,vj->vi", motions[:, :3, :3], given[:, :3, 3] - center)
    refined[:, :3, 3] = offsets + radius * motions[:, :3, 3] + center
    return jnp.asarray(refined, poses.dtype)


def _identity(settings: tuple[Any, ...], masks: np.ndarray, poses: Array, camera: Camera) -> str:
    """A fingerprint of all that the course of a fit depends on; `epochs` only says how far it goes."""
    digest = hashlib.sha256(repr(settings).encode())
    for array in (masks, poses, camera.intrinsics):
        digest.update(np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()


def _save(path: Path, identity: str, state: _State) -> None:
    leaves = jax.tree.leaves((state.unknowns, state.moments, state.course))
    arrays: dict[str, Any] = {f"leaf_{i}": np.asarray(leaf) for i, leaf in enumerate(leaves)}
    arrays |= {"identity": identity, "losses": state.losses, "rates": state.rates}
    temporary = path.with_name(path.name + ".partial")
    try:
        with temporary.open("wb") as file:
            np.savez(file, **arrays)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def _load(path: Path, identity: str, fresh: _State) -> _State:
    if not path.exists():
        return fresh
    unreadable = f"`checkpoint` {path} cannot be read; delete it to start anew."
    try:
        stored = read_npz(path)
    except ValueError as error:
        raise ValueError(unreadable) from error
    if str(stored.get("identity")) != identity:
        raise ValueError(f"`checkpoint` {path} belongs to other arguments; delete it or name another file.")
    leaves, structure = jax.tree.flatten((fresh.unknowns, fresh.moments, fresh.course))
    wanted = {f"leaf_{i}": (jnp.shape(leaf), jnp.asarray(leaf).dtype) for i, leaf in enumerate(leaves)}
    found = {name: (array.shape, array.dtype) for name, array in stored.items() if name in wanted}
    curves = [stored[name] for name in ("losses", "rates") if name in stored]
    if found != wanted or [(curve.ndim, curve.dtype.kind) for curve in curves] != [(1, "f")] * 2:
        raise ValueError(unreadable)
    unknowns, moments, course = structure.unflatten([jnp.asarray(stored[name]) for name in wanted])
    return _State(unknowns, moments, course, curves[0].tolist(), curves[1].tolist())
