"""Levels of a surface, against closed forms."""

from __future__ import annotations

import jax.numpy as jnp
import numpy as np
import pytest
from scenes import random_scene

from fuzzy_metaballs import Camera, FuzzyMetaballs, level_from_masks, level_from_points, look_at, to_mesh


def ball(deviation: float = 0.5) -> FuzzyMetaballs:
    return FuzzyMetaballs.from_covariances(np.zeros((1, 3)), np.eye(3)[None] * deviation**2)


def test_the_level_of_a_mesh_is_found_again_from_its_vertices(double):
    shape = random_scene("ordinary", 0).shape
    for blend in ("paper", "two_parameter"):
        mesh = to_mesh(shape, blend=blend, level=0.03, resolution=48)
        # A vertex is off by the square of marching cubes' error, which is 5 % of F at this resolution.
        assert level_from_points(shape, mesh.vertices, blend=blend) == pytest.approx(0.03, rel=1e-2)


def test_the_level_minimises_the_mean_distance(rng, double):
    # Radii r of points about one ball: log F = -2 r^2, |grad log F| = 4 r; brute force over levels.
    radii = rng.uniform(0.5, 1.5, 31)
    directions = rng.normal(size=(31, 3))
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    found = level_from_points(ball(), radii[:, None] * directions)
    levels = np.exp(-2 * radii**2)
    distances = np.abs(-2 * radii**2 - np.log(levels)[:, None]) / (4 * radii)
    assert found == pytest.approx(levels[np.argmin(distances.mean(1))], rel=1e-12)


def test_the_silhouette_of_a_sphere_gives_its_level(double):
    camera, radius = Camera.from_fov(96, 96, fov=0.6), 0.8
    poses = jnp.stack([look_at([0.0, 0.0, -4.0]), look_at([3.0, 1.0, 2.0])])
    masks = []
    for pose in poses:
        rays = np.asarray(camera.rays() @ pose[:3, :3].T)
        rays = rays / np.linalg.norm(rays, axis=2, keepdims=True)
        foot = np.asarray(pose[:3, 3]) - (rays @ np.asarray(pose[:3, 3]))[..., None] * rays
        masks.append(np.linalg.norm(foot, axis=2) < radius)
    level = level_from_masks(ball(), np.stack(masks).astype(float), camera, poses)
    # A pixel at distance 4 is 0.026 wide, and all the rays of its border are told apart: half of one at most.
    assert np.sqrt(-np.log(level) / 2) == pytest.approx(radius, abs=0.013)


def test_bad_input():
    camera, poses = Camera.from_fov(4, 3, fov=0.6), look_at([0.0, 0.0, -4.0])[None]
    with pytest.raises(ValueError, match="`points` holds no point"):
        level_from_points(ball(), np.zeros((0, 3)))
    with pytest.raises(ValueError, match=r"`points` must be finite; points\[0, 1\] = nan"):
        level_from_points(ball(), np.array([[0, np.nan, 0]]))
    with pytest.raises(ValueError, match="`masks` are empty: no pixel is at least 1/2"):
        level_from_masks(ball(), np.zeros((1, 3, 4)), camera, poses)
    with pytest.raises(ValueError, match=r"`masks` must have shape \(1, 3, 4\); got \(1, 4, 3\)"):
        level_from_masks(ball(), np.zeros((1, 4, 3)), camera, poses)
