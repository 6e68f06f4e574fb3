"""Shape from silhouette by the paper's five methods: from masks to the silhouettes of other views."""

from __future__ import annotations

import time
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from fuzzy_metaballs import StoppingRule, render, shape_from_silhouette, silhouette_loss
from metaballs._score import masks_of
from metaballs._timing import seconds_of
from metaballs.baselines import nerf
from metaballs.baselines.carving import carve, surface
from metaballs.baselines.descent import descend
from metaballs.baselines.soft_mesh import icosphere, soft_mesh
from metaballs.baselines.splat import splat

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from jaxtyping import Array

    from fuzzy_metaballs import Camera, FuzzyMetaballs, SilhouetteFit

METHODS = {
    "carving": "voxel carving",
    "points": "point splat",
    "mesh": "soft mesh",
    "nerf": "density field (NeRF)",
    "fuzzy": "fuzzy metaballs",
}
"""Names for readers, in the paper's order."""

BLEND = "two_parameter"

STAGES = (1, 2, 4)
"""Epochs after which Figure 7 shows a shape."""


@dataclass(frozen=True)
class Effort:
    """How long each method works.

    Attributes:
        components: Gaussians; the paper takes 40.
        epochs: passes of fuzzy metaballs over all rays, at most.
        outliers: share of the masks' pixels that fuzzy metaballs take to be wrong, clean or noisy.
        window: steps the stopping rule looks back, for all methods.
        cells: of voxel carving along each side; the paper takes 384.
        points: of the splat; the paper's fidelity of 40 Gaussians.
        splat_images: seen by the splat at most, one a step; the paper takes 2000.
        mesh_images: seen by the soft mesh likewise.
        subdivisions: of the soft mesh's icosahedron; the paper takes 2.
        nerf_steps: at most.
        nerf_rays: in a step.
        nerf_samples: on a ray.
        nerf_hidden: width of both layers; the paper takes 128.
    """

    components: int = 40
    epochs: int = 30
    outliers: float = 0.05
    window: int = 200
    cells: int = 128
    points: int = 470
    splat_images: int = 2000
    mesh_images: int = 300
    subdivisions: int = 2
    nerf_steps: int = 250
    nerf_rays: int = 512
    nerf_samples: int = 32
    nerf_hidden: int = 128


class Task(NamedTuple):
    """What a method is given.

    Attributes:
        masks: (V, H, W), bool.
        camera: of all views.
        seen: (V, 4, 4), poses of the masks.
        unseen: (W, 4, 4), poses to draw the result from.
        seed: of whatever is drawn at random.
        checkpoint: where fuzzy metaballs keep their state.
        report: of steps.
    """

    masks: np.ndarray
    camera: Camera
    seen: np.ndarray
    unseen: np.ndarray
    seed: int
    checkpoint: Path
    report: Callable[[int, int, float], None]


class Outcome(NamedTuple):
    """What a method made of it.

    Attributes:
        alpha: (W, H, W), from the unseen views.
        seconds: of the fit, without compilation.
        shapes: of fuzzy metaballs, after the epochs `STAGES` and at the end; else none.
    """

    alpha: np.ndarray
    seconds: float
    shapes: Sequence[FuzzyMetaballs] = ()


def reconstruct(method: str, task: Task, effort: Effort) -> Outcome:
    """Runs one of `METHODS`."""
    return {"carving": _carving, "points": _points, "mesh": _mesh, "nerf": _nerf, "fuzzy": _fuzzy}[method](
        task, effort
    )


def _fuzzy(task: Task, effort: Effort) -> Outcome:
    """Stops after 1, 2 and 4 epochs to look at the shape; the checkpoint carries it on."""
    ticks: list[float] = []
    fits: list[SilhouetteFit] = []

    def callback(step: int, total: int, loss: float) -> None:
        ticks.append(time.perf_counter())
        task.report(step, total, loss)

    for epochs in [*(count for count in STAGES if count < effort.epochs), effort.epochs]:
        found = shape_from_silhouette(
            task.masks,
            task.camera,
            task.seen,
            key=jax.random.key(task.seed),
            components=effort.components,
            blend=BLEND,
            outliers=effort.outliers,
            batch_rays=1600,
            epochs=epochs,
            stopping=StoppingRule(window=effort.window, slope=-1e-5),
            callback=callback,
            checkpoint=task.checkpoint,
        )
        fits.append(found)
    alpha = _alphas(_fuzzy_image, fits[-1].shape, (), task)
    seconds = seconds_of(ticks, len(fits[-1].history))
    return Outcome(alpha, seconds, [fit.shape for fit in fits])


def _carving(task: Task, effort: Effort) -> Outcome:
    begin = time.perf_counter()
    found = surface(carve(task.masks, task.camera, task.seen, cells=effort.cells))
    seconds = time.perf_counter() - begin
    if found is None:
        return Outcome(np.zeros((len(task.unseen), *task.masks.shape[1:])), seconds)
    return Outcome(masks_of(*found, task.camera, task.unseen).astype(float), seconds)


def _points(task: Task, effort: Effort) -> Outcome:
    points = 0.3 * jax.random.normal(jax.random.key(task.seed), (effort.points, 3))
    return _descend(task, effort.splat_images, _points_loss, points, (), rate=0.01, window=100)


def _mesh(task: Task, effort: Effort) -> Outcome:
    vertices, faces = icosphere(effort.subdivisions, 0.5)
    return _descend(
        task,
        effort.mesh_images,
        _mesh_loss,
        jnp.asarray(vertices, jnp.float32),
        jnp.asarray(faces),
        rate=0.01,
        window=100,
    )


def _fuzzy_image(shape: FuzzyMetaballs, _: tuple[()], camera: Camera, pose: Array) -> Array:
    return render(shape, camera, pose, blend=BLEND).alpha_logit


def _points_image(points: Array, _: tuple[()], camera: Camera, pose: Array) -> Array:
    return splat(points, camera, pose).alpha_logit


def _mesh_image(vertices: Array, faces: Array, camera: Camera, pose: Array) -> Array:
    return soft_mesh(vertices, faces, camera, pose).alpha_logit


def _view_loss(image: Callable[..., Array], parameters: Array, data: tuple, batch: Array, _: Array) -> Array:
    fixed, camera, poses, masks = data
    return silhouette_loss(image(parameters, fixed, camera, poses[batch[0]]), masks[batch[0]])


_points_loss, _mesh_loss = partial(_view_loss, _points_image), partial(_view_loss, _mesh_image)


def _descend(
    task: Task,
    images: int,
    loss: partial[Array],
    parameters: Array,
    fixed: Array | tuple[()],
    *,
    rate: float,
    window: int,
) -> Outcome:
    data = (fixed, task.camera, jnp.asarray(task.seen), jnp.asarray(task.masks, jnp.float32))
    found = descend(
        loss,
        parameters,
        data,
        items=len(task.masks),
        batch=1,
        steps=images,
        rate=rate,
        seed=task.seed,
        stopping=StoppingRule(window=window, slope=-1e-5),
        report=task.report,
    )
    return Outcome(_alphas(loss.args[0], found.parameters, fixed, task), found.seconds)


def _nerf_loss(layers: nerf.Layers, data: tuple, batch: Array, key: Array) -> Array:
    origins, directions, labels, marks = data
    logit = nerf.alpha_logit(layers, origins[batch], directions[batch], key, samples=len(marks))
    return silhouette_loss(logit, labels[batch])


def _nerf(task: Task, effort: Effort) -> Outcome:
    origins, directions = _rays(task.camera, task.seen)
    labels = jnp.asarray(task.masks.ravel(), jnp.float32)
    found = descend(
        _nerf_loss,
        nerf.start(jax.random.key(task.seed), effort.nerf_hidden),
        # the last says by its length how many samples a ray has
        (origins, directions, labels, jnp.zeros(effort.nerf_samples)),
        items=len(labels),
        batch=effort.nerf_rays,
        steps=effort.nerf_steps,
        rate=5e-3,
        seed=task.seed,
        stopping=StoppingRule(window=effort.window, slope=-1e-5),
        report=task.report,
    )
    alpha = _nerf_alpha(found.parameters, *_rays(task.camera, task.unseen), effort.nerf_samples)
    return Outcome(alpha.reshape(-1, *task.masks.shape[1:]), found.seconds)


_nerf_view = jax.jit(nerf.alpha_logit, static_argnames="samples")


def _nerf_alpha(layers: nerf.Layers, origins: Array, directions: Array, samples: int) -> np.ndarray:
    """(R,), only rays that pass through the unit ball are asked for, in chunks of one size."""
    across = jnp.cross(origins, directions)
    near = np.flatnonzero((across**2).sum(1) < 1.02 * (directions**2).sum(1))
    alpha, chunk = np.zeros(len(origins)), 4096
    for k in range(0, len(near), chunk):
        part = np.resize(near[k : k + chunk], chunk)
        alpha[part] = jax.nn.sigmoid(
            _nerf_view(layers, origins[part], directions[part], jax.random.key(k), samples=samples)
        )
    return alpha


def _rays(camera: Camera, poses: np.ndarray) -> tuple[Array, Array]:
    """Origins and directions of all rays, in the world, each (V * H * W, 3)."""
    directions = np.einsum("hwj,vij->vhwi", np.asarray(camera.rays()), poses[:, :3, :3]).reshape(-1, 3)
    origins = np.repeat(poses[:, :3, 3], camera.height * camera.width, axis=0)
    return jnp.asarray(origins, jnp.float32), jnp.asarray(directions, jnp.float32)


def _alphas(image: Callable[..., Array], parameters: Any, fixed: Any, task: Task) -> np.ndarray:
    """(W, H, W), of the unseen views."""
    logits = _all_views(image, parameters, fixed, task.camera, jnp.asarray(task.unseen))
    return np.asarray(jax.nn.sigmoid(logits), np.float64)


@partial(jax.jit, static_argnums=0)
def _all_views(
    image: Callable[..., Array], parameters: Any, fixed: Any, camera: Camera, poses: Array
) -> Array:
    # one after the other: what a view needs is large
    return jax.lax.map(lambda pose: image(parameters, fixed, camera, pose), poses)
