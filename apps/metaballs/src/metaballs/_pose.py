"""Pose estimation: views, perturbed starts, errors, symmetries, and the methods of Table 2."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from fuzzy_metaballs import (
    Camera,
    estimate_pose,
    fit_mesh,
    look_at,
    nearby_poses,
    refine,
    se3_exp,
    silhouette_loss,
    sphere_views,
)
from metaballs._open3d import decimate, icp
from metaballs._score import views_of
from metaballs.baselines.soft_mesh import soft_mesh
from metaballs.baselines.splat import splat
from metaballs.noise import stereo_depth, under_segment

if TYPE_CHECKING:
    from collections.abc import Callable

    from jaxtyping import Array

    from fuzzy_metaballs import FuzzyMetaballs
    from metaballs.models import Model

CLIP = float(np.log((1 - 1e-6) / 1e-6))
"""Logit of the alpha that the paper's losses are clipped at."""


class Trial(NamedTuple):
    """One image and where the search starts.

    Attributes:
        pose: (4, 4), the true one, camera to world.
        start: (4, 4), perturbed.
        mask: (H, W), bool.
        depth: (H, W), NaN beside the mask.
    """

    pose: np.ndarray
    start: np.ndarray
    mask: np.ndarray
    depth: np.ndarray


class Representation(NamedTuple):
    """A model as each method knows it.

    Attributes:
        shape: Gaussians, of the inside, as the paper takes them.
        surface: Gaussians of the surface, refined until their masks and depth agree with the mesh's.
        sparse: (470, 3), points of its surface.
        dense: (40000, 3), likewise.
        faces: a decimated mesh, vertices and faces.
        normals: of `sparse` and of `dense`.
    """

    shape: FuzzyMetaballs
    surface: FuzzyMetaballs
    sparse: np.ndarray
    dense: np.ndarray
    faces: tuple[np.ndarray, np.ndarray]
    normals: tuple[np.ndarray, np.ndarray]


def represent(
    model: Model,
    camera: Camera,
    *,
    components: int,
    samples: int,
    views: int,
    refine_steps: int,
    points: int,
    dense: int,
    faces: int,
    seed: int,
) -> Representation:
    """Makes all that the methods need: GMMs of `samples` points, points of the surface, a coarse mesh.

    The surface's GMM is refined on `views` views of the mesh from all around, of which no trial is one.
    """
    key, generator = jax.random.key(seed), np.random.default_rng(seed)
    clouds = [surface_points(model.vertices, model.faces, count, generator) for count in (points, dense)]
    volume, surface = (
        fit_mesh(model.vertices, model.faces, components=components, key=key, kind=kind, points=samples)
        for kind in ("volume", "surface")
    )
    poses = np.asarray(sphere_views(views, distance=3 * model.extent, phase=0.3), np.float64)
    seen = views_of(model.vertices, model.faces, camera, poses)
    surface = refine(
        surface,
        np.array([view.mask for view in seen]),
        camera,
        poses,
        key=key,
        depths=np.array([view.depth for view in seen]),
        steps=refine_steps,
    )
    return Representation(
        shape=volume,
        surface=surface,
        sparse=clouds[0][0],
        dense=clouds[1][0],
        faces=decimate(model.vertices, model.faces, faces),
        normals=(clouds[0][1], clouds[1][1]),
    )


def surface_points(
    vertices: np.ndarray, faces: np.ndarray, count: int, generator: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Points drawn evenly by area from a mesh, and the normals of their faces, each (count, 3)."""
    a, b, c = (vertices[faces[:, k]] for k in range(3))
    across = np.cross(b - a, c - a)
    area = np.linalg.norm(across, axis=1)
    which = generator.choice(len(faces), count, p=area / area.sum())
    u, v = np.sort(generator.random((2, count)), axis=0)[..., None]
    points = a[which] * u + b[which] * (v - u) + c[which] * (1 - v)
    return points, across[which] / area[which, None]


def draw_trial(
    model: Model, camera: Camera, generator: np.random.Generator, *, perturbed: bool = True
) -> Trial:
    """A view from a random side at three model scales, and a start up to 45 degrees and half a scale off.

    The camera looks at the model's middle. The start turns the camera about the model's middle, around a
    random axis by U(-45, 45) degrees, and shifts it in a random direction by U(0, 0.5) model scales.
    """
    eye, axis, shift = (row / np.linalg.norm(row) for row in generator.normal(size=(3, 3)))
    up = (0.0, 1.0, 0.0) if abs(eye[1]) < 0.95 else (1.0, 0.0, 0.0)
    pose = np.asarray(look_at(3 * model.extent * eye, up=up), np.float64)
    angle, length = generator.uniform(-np.pi / 4, np.pi / 4), generator.uniform(0, 0.5) * model.extent
    motion = np.eye(4)
    if perturbed:
        motion = np.asarray(se3_exp(jnp.asarray([0, 0, 0, *(axis * angle)], jnp.float32)), np.float64)
        motion[:3, 3] = shift * length
    view = views_of(model.vertices, model.faces, camera, pose[None])[0]
    return Trial(pose, motion @ pose, view.mask, np.where(view.mask, view.depth, np.nan))


def disturb(trial: Trial, model: Model, generator: np.random.Generator, *, deviation: float) -> Trial:
    """The same trial with an eighth of its mask missing and noise on its depth."""
    twice = np.stack([trial.mask, trial.mask])  # half of the views are changed: the one of these two that is
    pair = under_segment(twice, generator)
    mask = pair[0] & pair[1]
    depth = stereo_depth(trial.depth, generator, deviation=deviation, size=model.extent)
    return trial._replace(mask=mask, depth=np.where(mask, depth, np.nan))


def pose_error(
    found: np.ndarray, true: np.ndarray, extent: float, symmetries: np.ndarray
) -> tuple[float, float]:
    """Rotation in degrees and translation in percent of the model's scale.

    The rotation is the smallest between the two poses and the model turned by one of its symmetries; the
    translation is how far the model's middle lies off as the camera sees it.

    Args:
        found: (4, 4), camera to world.
        true: (4, 4).
        extent: the model's scale.
        symmetries: (S, 3, 3), rotations that leave the model as it is, the identity among them.
    """
    relative = found[:3, :3] @ true[:3, :3].T
    best = symmetries[np.einsum("ij,sji->s", relative, symmetries).argmax()]
    # |R - I| = 2 sqrt(2) sin(angle / 2) keeps the digits of small angles, which the trace loses.
    sine = np.linalg.norm(relative @ best - np.eye(3)) / np.sqrt(8)
    rotation = 2 * np.degrees(np.arcsin(min(sine, 1.0)))
    middles = [-pose[:3, :3].T @ pose[:3, 3] for pose in (found, true)]
    return float(rotation), float(100 * np.linalg.norm(middles[0] - middles[1]) / extent)


def symmetries_of(model: Model, *, tolerance: float = 0.01, most: int = 24) -> np.ndarray:
    """Rotations about the coordinate axes that leave a model as it is, as far as its points tell.

    Turns by 1/2 to 1/`most` of a circle about x, y and z through the model's middle, and their products; a
    turn counts if 95 % of the turned points lie within `tolerance` scales of the mesh's points. What may turn
    by one radian is taken for a body of revolution and gets all whole degrees.

    Returns:
        (S, 3, 3), the identity first.
    """
    from scipy.spatial import KDTree

    points, _ = surface_points(model.vertices, model.faces, 4000, np.random.default_rng(0))
    tree = KDTree(surface_points(model.vertices, model.faces, 40000, np.random.default_rng(1))[0])
    reach = tolerance * model.extent + np.quantile(tree.query(points)[0], 0.95)
    found = [np.eye(3)]
    for axis in np.eye(3):
        # one radian is no part of a circle that any of the other orders has
        orders = [2 * np.pi, *range(most, 1, -1)]
        for order in orders:
            turn = _rotation(axis, 2 * np.pi / order)
            if np.quantile(tree.query(points @ turn.T)[0], 0.95) < reach:
                count = 360 if order == orders[0] else int(order)
                group = [_rotation(axis, 2 * np.pi * k / count) for k in range(count)]
                found = [a @ b for a in found for b in group]
                break
    return np.array(found)


def _rotation(axis: np.ndarray, angle: float) -> np.ndarray:
    x, y, z = axis
    cross = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]])
    return np.eye(3) + np.sin(angle) * cross + (1 - np.cos(angle)) * cross @ cross


def by_icp(
    trial: Trial, camera: Camera, cloud: np.ndarray, normals: np.ndarray, method: Any, reach: float
) -> np.ndarray:
    """The pose by ICP: the depth image's points, placed by the start, move onto the model's."""
    seen = np.isfinite(trial.depth)
    points = (np.asarray(camera.rays(), np.float64) * trial.depth[..., None])[seen]
    points = points @ trial.start[:3, :3].T + trial.start[:3, 3]
    return icp(points, cloud, method=method, reach=reach, normals=normals) @ trial.start


def by_metaballs(
    trial: Trial, camera: Camera, shape: FuzzyMetaballs, *, steps: int, starts: int = 1, outliers: float = 0.0
) -> np.ndarray:
    """The pose by `fuzzy_metaballs.estimate_pose`, from the start and others up to 45 degrees from it."""
    start = jnp.asarray(trial.start, jnp.float32)
    start = nearby_poses(start, starts, key=jax.random.key(0), angle=np.pi / 4)
    fit = estimate_pose(
        shape, camera, trial.mask, start=start, depth=trial.depth, outliers=outliers, max_steps=steps
    )
    return np.asarray(fit.pose, np.float64)


def by_splat(trial: Trial, camera: Camera, points: np.ndarray, extent: float, steps: int) -> np.ndarray:
    """The pose by descent through the point splat."""
    return _descend(_splat, jnp.asarray(points, jnp.float32), trial, camera, extent, steps)


def by_soft_mesh(
    trial: Trial, camera: Camera, mesh: tuple[np.ndarray, np.ndarray], extent: float, steps: int
) -> np.ndarray:
    """The pose by descent through the soft rasteriser."""
    scene = jnp.asarray(mesh[0], jnp.float32), jnp.asarray(mesh[1])
    return _descend(_soft_mesh, scene, trial, camera, extent, steps)


def _splat(points: Array, camera: Camera, pose: Array):
    return splat(points, camera, pose)


def _soft_mesh(mesh: tuple[Array, Array], camera: Camera, pose: Array):
    return soft_mesh(*mesh, camera, pose)


def _descend(
    image: Callable[..., Any], scene: Any, trial: Trial, camera: Camera, extent: float, steps: int
) -> np.ndarray:
    mask = jnp.asarray(trial.mask, jnp.float32)
    depth = jnp.asarray(np.nan_to_num(trial.depth), jnp.float32)
    start = jnp.asarray(trial.start, jnp.float32)
    found = _walk(image, scene, camera, mask, depth, start, jnp.float32(extent), steps)
    return np.asarray(found, np.float64)


@partial(jax.jit, static_argnames=("image", "steps"))
def _walk(
    image: Callable[..., Any],
    scene: Any,
    camera: Camera,
    mask: Array,
    depth: Array,
    start: Array,
    extent: Array,
    steps: int,
) -> Array:
    """Momentum SGD on eqs. 11 and 12 over a twist about the world's origin, lengths in model scales.

    The rate falls tenfold after half and after three quarters of the steps.
    """
    mean = (depth * mask).sum() / jnp.maximum(mask.sum(), 1)

    def moved(twist: Array) -> Array:
        return se3_exp(twist * jnp.array([1, 1, 1, 0, 0, 0]) * extent) @ se3_exp(
            twist * jnp.array([0, 0, 0, 1, 1, 1])
        )

    def loss(twist: Array, pose: Array) -> Array:
        drawn = image(scene, camera, moved(twist) @ pose)
        both = mask * jax.lax.stop_gradient(drawn.alpha_logit > 0)
        error = both * (drawn.depth - depth) / mean
        return silhouette_loss(jnp.clip(drawn.alpha_logit, -CLIP, CLIP), mask) + (error**2).mean()

    def step(state: tuple[Array, Array], k: Array) -> tuple[tuple[Array, Array], None]:
        pose, speed = state
        slope = jax.grad(loss)(jnp.zeros(6), pose)
        speed = 0.9 * speed + jnp.where(jnp.isfinite(slope), slope, 0.0)
        rate = 0.02 * 0.1 ** jnp.floor(jnp.maximum(4 * k / steps - 1, 0.0))
        return (moved(-rate * speed) @ pose, speed), None

    (pose, _), _ = jax.lax.scan(step, (start, jnp.zeros(6)), jnp.arange(steps))
    return pose
