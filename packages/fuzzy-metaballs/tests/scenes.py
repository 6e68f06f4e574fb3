"""A small camera, a ball, and random scenes, all of one size so that one compilation serves them."""

from __future__ import annotations

from functools import cache
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from fuzzy_metaballs import Camera, FuzzyMetaballs, look_at

COMPONENTS = 6
KINDS = ("ordinary", "inside", "half behind", "all behind", "far", "tiny", "huge", "thin", "alone")
WIDTH, HEIGHT = 8, 6


def camera() -> Camera:
    return Camera.from_fov(WIDTH, HEIGHT, fov=0.7)


def ball(center=(0.0, 0.0, 0.0), deviation=0.1, weight=1.0) -> FuzzyMetaballs:
    return FuzzyMetaballs.from_covariances(
        np.array([center]), np.eye(3)[None] * deviation**2, np.array([weight])
    )


def finite(tree) -> bool:
    return all(bool(jnp.isfinite(leaf).all()) for leaf in jax.tree.leaves(tree))


class Scene(NamedTuple):
    shape: FuzzyMetaballs
    pose: np.ndarray


def random_scene(kind: str, seed: int) -> Scene:
    """A scene of about unit size seen from distance 4, or one of its hard variants."""
    means, covariances, weights, eye, target = _numbers(kind, seed)
    return Scene(
        FuzzyMetaballs.from_covariances(means, covariances, weights), np.asarray(look_at(eye, target))
    )


def _numbers(kind: str, seed: int) -> tuple[np.ndarray, ...]:
    rng = np.random.default_rng([KINDS.index(kind), seed])
    axes = rng.normal(size=(COMPONENTS, 3, 3)) * 0.25
    covariances = axes @ axes.transpose(0, 2, 1) + 1e-3 * np.eye(3)
    means = rng.normal(size=(COMPONENTS, 3)) * 0.6
    weights = rng.uniform(0.2, 2.0, COMPONENTS)
    direction = rng.normal(size=3)
    eye = 4 * direction / np.linalg.norm(direction)
    target = rng.normal(size=3) * 0.2
    scale = 1.0
    if kind == "inside":  # the camera stands within the first ellipsoid
        eye = means[0] + np.linalg.cholesky(covariances[0]) @ rng.normal(size=3) * 0.5
    elif kind == "half behind":
        eye = rng.normal(size=3) * 0.3
    elif kind == "all behind":
        target = 2 * eye
    elif kind == "far":
        means, eye, target = means + 1e6, eye + 1e6, target + 1e6
    elif kind == "tiny":
        scale = 1e-6
    elif kind == "huge":
        scale = 1e6
    elif kind == "thin":  # plates a thousand times wider than thick
        rotations = np.linalg.qr(axes)[0]
        covariances = rotations @ np.diag([0.2**2, 0.2**2, 0.0002**2]) @ rotations.transpose(0, 2, 1)
    elif kind == "alone":  # the others weigh nothing that a rounding would show
        weights[1:] *= 1e-30
    return means * scale, covariances * scale**2, weights, eye * scale, target * scale


def random_scenes(kinds: tuple[str, ...], count: int) -> Scene:
    """Scenes of the first `count` seeds, kind by kind, with stacked leaves, in the precision in force."""
    return _stacked(kinds, count, jax.config.jax_enable_x64)


@cache
def _stacked(kinds: tuple[str, ...], count: int, double: bool) -> Scene:
    def build(means, covariances, weights, eye, target):
        return Scene(FuzzyMetaballs.from_covariances(means, covariances, weights), look_at(eye, target))

    numbers = [_numbers(kind, seed) for kind in kinds for seed in range(count)]
    stacked = (jnp.asarray(np.stack(values)) for values in zip(*numbers, strict=True))
    return jax.tree.map(np.asarray, jax.jit(jax.vmap(build))(*stacked))
