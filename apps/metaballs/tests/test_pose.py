from __future__ import annotations

import numpy as np
import pytest

from fuzzy_metaballs import Camera
from metaballs._pose import _rotation, by_icp, disturb, draw_trial, pose_error, surface_points, symmetries_of
from metaballs.models import load

MODELS = {model.name: model for model in load(None, 7, resolution=32)}
CAMERA = Camera.from_fov(32, 32, fov=np.radians(45))


def test_error_of_a_known_motion():
    true = np.eye(4)
    true[:3, 3] = [0.0, 0.0, -4.0]
    identity = np.eye(3)[None]
    assert pose_error(true, true, 1.5, identity) == pytest.approx((0, 0), abs=1e-6)
    shifted = true.copy()
    shifted[:3, 3] += [0.3, 0.0, 0.0]
    assert pose_error(shifted, true, 1.5, identity) == pytest.approx((0, 20))
    orbit = np.eye(4)
    orbit[:3, :3] = _rotation(np.array([0.0, 1.0, 0.0]), np.radians(30))
    # about the model's middle: it stands where it stood, turned
    assert pose_error(orbit @ true, true, 1.5, identity) == pytest.approx((30, 0), abs=1e-6)


@pytest.mark.parametrize(("name", "count"), [("rabbit", 1), ("letter_r", 1), ("gear", 24), ("torus", 720)])
def test_symmetries(name, count):
    """Twelve teeth and two sides; any turn and two sides."""
    found = symmetries_of(MODELS[name])
    distinct = np.unique(found.round(6).reshape(-1, 9), axis=0)
    assert len(distinct) == count
    np.testing.assert_allclose(found[0], np.eye(3), atol=1e-12)


def test_symmetric_poses_are_equally_right():
    symmetries = symmetries_of(MODELS["gear"])
    true = draw_trial(MODELS["gear"], CAMERA, np.random.default_rng(0)).pose
    turned = np.eye(4)
    turned[:3, :3] = _rotation(np.array([0.0, 1.0, 0.0]), 2 * np.pi * 5 / 12)
    rotation, translation = pose_error(turned @ true, true, 1.0, symmetries)
    assert rotation < 1e-3  # degrees; the pose comes from single precision
    assert translation < 1e-3
    turned[:3, :3] = _rotation(np.array([0.0, 1.0, 0.0]), 2 * np.pi * 5.5 / 12)
    assert pose_error(turned @ true, true, 1.0, symmetries)[0] == pytest.approx(15, abs=1e-3)


def test_starts_lie_within_the_papers_bounds():
    model, identity = MODELS["rabbit"], np.eye(3)[None]
    generator = np.random.default_rng(0)
    trials = [draw_trial(model, CAMERA, generator) for _ in range(40)]
    errors = np.array([pose_error(t.start, t.pose, model.extent, identity) for t in trials])
    assert (errors[:, 0] <= 45).all()
    assert (errors[:, 1] <= 50).all()
    assert errors.max(0) == pytest.approx([45, 50], abs=6)
    for trial in trials:
        assert trial.mask.sum() > 30
        assert not (trial.mask[[0, -1]].any())
        assert not (trial.mask[:, [0, -1]].any())
        np.testing.assert_array_equal(np.isfinite(trial.depth), trial.mask)


def test_disturbed_trials_lose_a_piece():
    trial = draw_trial(MODELS["rabbit"], CAMERA, np.random.default_rng(1))
    noisy = disturb(trial, MODELS["rabbit"], np.random.default_rng(2), deviation=0.02)
    assert 0.7 < noisy.mask.sum() / trial.mask.sum() < 0.97
    np.testing.assert_array_equal(np.isfinite(noisy.depth), noisy.mask)
    error = (noisy.depth - trial.depth)[noisy.mask]
    assert error.std() == pytest.approx(0.02 * MODELS["rabbit"].extent, rel=0.3)


@pytest.mark.parametrize("method", ["point", "plane"])
def test_icp_finds_a_near_pose(method):
    model = MODELS["rabbit"]
    trial = draw_trial(model, Camera.from_fov(64, 64, fov=np.radians(45)), np.random.default_rng(3))
    motion = np.eye(4)
    motion[:3, :3] = _rotation(np.array([0.0, 0.6, 0.8]), np.radians(4))
    motion[:3, 3] = [0.02, -0.03, 0.01]
    near = trial._replace(start=motion @ trial.pose)
    cloud, normals = surface_points(model.vertices, model.faces, 20_000, np.random.default_rng(0))
    found = by_icp(near, Camera.from_fov(64, 64, fov=np.radians(45)), cloud, normals, method, model.extent)
    rotation, translation = pose_error(found, trial.pose, model.extent, np.eye(3)[None])
    assert rotation < 1
    assert translation < 1


def test_points_lie_on_the_surface_and_normals_point_outwards():
    model = MODELS["superquadric"]
    points, normals = surface_points(model.vertices, model.faces, 500, np.random.default_rng(0))
    np.testing.assert_allclose(np.linalg.norm(normals, axis=1), 1)
    assert ((points * normals).sum(1) > 0).all()  # the superquadric is convex
