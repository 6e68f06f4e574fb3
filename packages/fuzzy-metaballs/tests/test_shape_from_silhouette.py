from __future__ import annotations

import builtins
import io
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from fuzzy_metaballs import Camera, StoppingRule, render, shape_from_silhouette, sphere_views

RADIUS, CENTER = 0.7, np.array([0.3, -0.2, 0.5])


def lens() -> Camera:
    return Camera.from_fov(24, 24, fov=0.6)


def views(count: int, unit: float = 1.0, phase: float = 0.0) -> np.ndarray:
    return np.asarray(sphere_views(count, distance=4.0 * unit, phase=phase, center=CENTER * unit))


def ball_masks(poses: np.ndarray, unit: float = 1.0) -> np.ndarray:
    """Where a ray passes the ball's centre by less than its radius."""
    rays = np.asarray(lens().rays(), np.float64)
    unit_rays = rays / np.linalg.norm(rays, axis=-1, keepdims=True)
    masks = []
    for pose in poses:
        center = pose[:3, :3].T @ (CENTER * unit - pose[:3, 3])
        along = unit_rays @ center
        masks.append(center @ center - along**2 < (RADIUS * unit) ** 2)
    return np.array(masks)


fit = partial(
    shape_from_silhouette,
    camera=lens(),
    key=jax.random.key(0),
    components=8,
    batch_rays=400,
    epochs=40,
    stopping=StoppingRule(window=40, slope=-1e-4),
)


@pytest.fixture(scope="module")
def ball_fit():
    poses = views(8)
    return fit(ball_masks(poses), poses=poses)


def overlap(shape, poses, truth) -> float:
    images = jax.vmap(lambda pose: render(shape, lens(), pose, blend="two_parameter").alpha)(poses)
    got = np.asarray(images) > 0.5
    return (got & truth).sum() / (got | truth).sum()


def test_a_ball_is_found_again(ball_fit):
    poses = views(8, phase=0.5)  # seen from places that were not fitted
    # A disc of 14 pixels across: a rim of a third of a pixel is 5 % of its area.
    assert overlap(ball_fit.shape, poses, ball_masks(poses)) > 0.95
    assert np.linalg.norm(np.asarray(ball_fit.shape.means).mean(0) - CENTER) < 0.15 * RADIUS
    least = -np.log(1 - 0.05)  # of a pixel that is certainly right, when 5 % may be wrong
    assert ball_fit.history[-20:].mean() - least < 0.2 * (ball_fit.history[0] - least)
    assert 0.2 * RADIUS < float(ball_fit.shape.eta) < RADIUS


def test_the_unit_of_length_does_not_matter(ball_fit):
    # The whole course is the same up to rounding, which Adam magnifies step by step: compare the first steps.
    poses = views(8, unit=1e3)
    scaled = fit(ball_masks(poses, unit=1e3), poses=poses, epochs=1)
    np.testing.assert_allclose(scaled.history, ball_fit.history[: len(scaled.history)], rtol=1e-2)
    assert float(scaled.shape.eta) > 100


def test_the_result_shows_itself(ball_fit):
    assert repr(ball_fit).startswith("SilhouetteFit(components=8, steps=")
    axes = ball_fit.plot()
    assert axes.get_ylabel() == "cross-entropy"
    assert len(axes.lines[0].get_xdata()) == len(ball_fit.history)


def test_callback_counts_every_step():
    poses = views(8)
    calls = []
    result = fit(ball_masks(poses), poses=poses, epochs=1, callback=lambda *call: calls.append(call))
    total = 8 * 24 * 24 // 400
    assert [call[:2] for call in calls] == [(step, total) for step in range(1, total + 1)]
    assert [call[2] for call in calls] == result.history.tolist()


def test_the_stopping_rule_lowers_the_rate_and_ends():
    poses = views(8)
    rule = StoppingRule(window=5, slope=-10.0, patience=2, drops=2)  # never falls by 10 a step
    result = fit(ball_masks(poses), poses=poses, stopping=rule, learning_rate=0.1)
    assert result.stopped == "converged"
    # Five losses fill the window, two calm steps in a row lower the rate: after the 6th and the 12th.
    np.testing.assert_allclose(result.learning_rates, [0.1] * 6 + [0.01] * 6)


def test_a_broken_run_goes_on_to_the_same_result(tmp_path):
    poses = views(8)
    masks = ball_masks(poses)
    whole = fit(masks, poses=poses, epochs=3)
    path = tmp_path / "state.npz"

    def killed(step, total, loss):
        if step == 15:  # in the second epoch of eleven steps
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fit(masks, poses=poses, epochs=3, checkpoint=path, callback=killed)
    seen = []
    resumed = fit(masks, poses=poses, epochs=3, checkpoint=path, callback=lambda step, *_: seen.append(step))
    assert seen[0] == 12  # the first epoch is not repeated
    np.testing.assert_array_equal(resumed.history, whole.history)
    for got, want in zip(jax.tree.leaves(resumed.shape), jax.tree.leaves(whole.shape), strict=True):
        np.testing.assert_array_equal(got, want)
    with pytest.raises(ValueError, match="belongs to other arguments"):
        fit(masks, poses=poses, epochs=3, checkpoint=path, learning_rate=0.01)
    with np.load(path) as stored:
        no_text = io.BytesIO()
        np.savez(no_text, **{**stored, "identity": np.full(1, 0x7FFFFFFF, np.uint32).view("<U1")})
    for broken in (b"no checkpoint", path.read_bytes()[:-100], no_text.getvalue()):
        path.write_bytes(broken)
        with pytest.raises(ValueError, match="cannot be read; delete it to start anew"):
            fit(masks, poses=poses, epochs=3, checkpoint=path)


def test_rough_poses_are_refined(rng):
    poses = views(8)
    masks, rough = ball_masks(poses), poses.copy()
    rough[1:, :3, 3] += 0.15 * rng.normal(size=(7, 3))
    refined = fit(masks, poses=rough, pose_rate=0.2, epochs=15)
    kept = fit(masks, poses=rough, epochs=15)
    np.testing.assert_array_equal(kept.poses, rough)
    assert refined.history[-20:].mean() < 0.7 * kept.history[-20:].mean()
    np.testing.assert_array_equal(refined.poses[0], rough[0])

    def error(fitted) -> float:
        """How far from its place the ball's middle is seen: all that a ball's mask shows of a pose."""
        middle = np.asarray(fitted.shape.weights @ fitted.shape.means)
        places = []
        for some, point in ((np.asarray(fitted.poses), middle), (poses, CENTER)):
            seen = np.einsum("vji,vj->vi", some[:, :3, :3], point - some[:, :3, 3])
            places.append(seen[:, :2] / seen[:, 2:])
        return np.linalg.norm(places[0] - places[1], axis=1).mean()

    assert error(refined) < 0.5 * error(kept)


def test_missing_optax_is_named(monkeypatch):
    real = builtins.__import__

    def without_optax(name, *rest):
        if name == "optax":
            raise ImportError
        return real(name, *rest)

    monkeypatch.setattr(builtins, "__import__", without_optax)
    with pytest.raises(ImportError, match=r'pip install "fuzzy-metaballs\[fit\]"'):
        fit(ball_masks(views(2)), poses=views(2))


def with_pixel(value: float) -> np.ndarray:
    masks = ball_masks(views(3)).astype(float)
    masks[1, 2, 3] = value
    return masks


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"masks": np.zeros((3, 24, 20))}, r"`masks` must have shape \(3, 24, 24\).*got \(3, 24, 20\)"),
        ({"masks": with_pixel(255)}, r"masks\[1, 2, 3\] = 255. Divide 8-bit images by 255"),
        ({"masks": with_pixel(np.nan)}, r"masks\[1, 2, 3\] = nan"),
        ({"masks": np.zeros((3, 24, 24))}, r"masks\[0\] is empty. Leave this view out"),
        ({"masks": np.ones((3, 24, 24))}, r"masks\[0\] is full"),
        ({"masks": np.ones((1, 24, 24)), "poses": views(1)}, "at least 2 views"),
        ({"poses": views(3)[[0, 0, 0]], "masks": ball_masks(views(3)[[0, 0, 0]])}, "all look along one line"),
        ({"poses": np.full((3, 4, 4), np.nan)}, r"`poses` must be finite; poses\[0, 0, 0\] = nan"),
        ({"epochs": 0}, "`epochs` must be at least 1; got 0"),
        ({"learning_rate": -1.0}, "`learning_rate` must be positive; got -1"),
        ({"batch_rays": 10**6}, r"`batch_rays` must lie in \[1, 1728\].*got 1000000"),
        ({"pose_rate": -0.1}, "`pose_rate` must be at least 0; got -0.1"),
        ({"components": 0}, "`components` must be at least 1; got 0"),
    ],
)
def test_bad_input(change, message):
    arguments = {"masks": ball_masks(views(3)), "poses": views(3)} | change
    with pytest.raises(ValueError, match=message):
        fit(**arguments)


def test_masks_may_be_fractions():
    poses = views(8)
    soft = fit(ball_masks(poses) * np.float32(0.5), poses=poses, epochs=1)
    assert jnp.isfinite(soft.shape.means).all()
