"""A mixture that is made to look like the object it stands for."""

from __future__ import annotations

import jax
import numpy as np
import pytest

from fuzzy_metaballs import Camera, FuzzyMetaballs, refine, render, silhouette_loss, sphere_views

CENTER = np.array([0.3, -0.2, 0.5])
CAMERA = Camera.from_fov(20, 20, fov=0.6)
AXES = np.concatenate([np.eye(3), -np.eye(3)])


def patches(unit: float, radius: float, deviation: float, shift: float) -> FuzzyMetaballs:
    """Six round components on a ball."""
    means = (CENTER + radius * AXES + shift) * unit
    covariances = np.eye(3)[None].repeat(6, 0) * (deviation * unit) ** 2
    features = np.arange(6.0)[:, None]
    return FuzzyMetaballs.from_covariances(means, covariances, np.full(6, 2.0), features=features)


def views_of(shape: FuzzyMetaballs, unit: float = 1.0, phase: float = 0.0):
    poses = sphere_views(6, distance=4.0 * unit, phase=phase, center=CENTER * unit)
    image = jax.vmap(lambda pose: render(shape, CAMERA, pose, blend="two_parameter"))(poses)
    return image.alpha, np.where(image.alpha > 0.5, image.depth, np.nan), poses, image.alpha_logit


def start(unit: float = 1.0) -> FuzzyMetaballs:
    return patches(unit, 0.6, 0.2, 0.05)


def truth(unit: float = 1.0) -> FuzzyMetaballs:
    return patches(unit, 0.45, 0.28, 0.0)


def errors(shape: FuzzyMetaballs) -> tuple[float, float]:
    """Cross-entropy beyond the masks' own, and the mean error of depth, over views that were not fitted."""
    masks, depths, _, best = views_of(truth(), phase=0.9)
    _, found, _, logit = views_of(shape, phase=0.9)
    entropy = silhouette_loss(logit, masks) - silhouette_loss(best, masks)
    return float(entropy), float(np.nanmean(np.abs(found - depths)))


def improve(unit: float = 1.0, **options) -> FuzzyMetaballs:
    masks, depths, poses, _ = views_of(truth(unit), unit)
    arguments = {"depths": depths, "steps": 450, "batch_rays": 400} | options
    return refine(start(unit), masks, CAMERA, poses, key=jax.random.key(0), **arguments)


def test_other_views_agree_too():
    calls = []
    found = improve(callback=lambda *call: calls.append(call))
    (entropy, depth), (rough_entropy, rough_depth) = errors(found), errors(start())
    assert entropy < 0.1 * rough_entropy
    assert depth < 0.25 * rough_depth
    assert [call[:2] for call in calls] == [(step, 450) for step in range(50, 451, 50)]
    assert calls[-1][2] < 0.9 * calls[0][2]  # the masks have an entropy of their own
    np.testing.assert_array_equal(found.features, start().features)
    # The course does not depend on the unit of length but for rounding, which Adam magnifies.
    scaled = []
    improve(unit=1e3, steps=50, callback=lambda *call: scaled.append(call))
    assert scaled[0][2] == pytest.approx(calls[0][2], rel=0.05)  # another number of steps: another rate


def test_without_depths_only_the_masks_are_met():
    assert errors(improve(depths=None))[0] < 0.1 * errors(start())[0]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"depths": np.ones((6, 3, 3))}, r"`depths` must have the masks' shape, .*got \(6, 3, 3\)"),
        ({"depths": np.full((6, 20, 20), np.nan)}, "`depths` are nowhere finite and positive on the masks"),
        ({"depth_weight": -1.0}, "`depth_weight` must be at least 0; got -1"),
        ({"learning_rate": 0.0}, "`learning_rate` must be positive; got 0"),
        ({"batch_rays": 0}, "`batch_rays` must be at least 1; got 0"),
        ({"steps": 0}, "`steps` must be at least 1; got 0"),
        ({"outliers": 0.5}, r"`outliers` must lie in \[0, 0.5\), the share of wrong pixels; got 0.5"),
        ({"blend": "none"}, "`blend` must be one of"),
        ({"intersection": "none"}, "`intersection` must be one of"),
    ],
)
def test_bad_input(change, message, monkeypatch):
    monkeypatch.setattr("test_refine.refine", getattr(refine, "__wrapped__", refine))  # past beartype
    with pytest.raises(ValueError, match=message):
        improve(**change)
