"""Mixtures from points and meshes, against scikit-learn and closed forms."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import trimesh
from sklearn.mixture import GaussianMixture

from fuzzy_metaballs import fit_mesh, fit_points
from fuzzy_metaballs._fitting import mixture
from fuzzy_metaballs._fitting.mesh import points_inside, points_on_surface

COMPONENTS = 4
KEY = jax.random.key(3)


def cloud() -> np.ndarray:
    """Four flat, overlapping patches; of unit variance per axis around 0, as the fit measures them."""
    rng = np.random.default_rng(0)
    axes = np.linalg.qr(rng.normal(size=(4, 3, 3)))[0] * [0.5, 0.3, 0.01]
    points = (rng.normal(size=(4, 500, 3)) @ axes + rng.normal(size=(4, 1, 3)) * 0.6).reshape(-1, 3)
    points -= points.mean(0)
    return points / np.sqrt((points**2).mean())


@pytest.fixture(scope="module")
def fitted():
    history = []
    # More points than a chunk holds, and not a multiple of it.
    shape = fit_points(cloud(), components=COMPONENTS, key=KEY, callback=lambda *call: history.append(call))
    return shape, history


def test_every_step_is_that_of_scikit_learn(double):
    points, history = cloud(), []
    shape = fit_points(points, components=COMPONENTS, key=KEY, callback=lambda *call: history.append(call[2]))
    centers, _ = mixture._spread(jnp.asarray(points), KEY, COMPONENTS)
    start = mixture._from_centers(jnp.asarray(points), centers, jnp.asarray(1e-6))
    factors = np.asarray(start.factors)
    theirs = GaussianMixture(
        COMPONENTS,
        tol=1e-4,
        reg_covar=1e-6,
        max_iter=200,
        means_init=np.asarray(start.means),
        weights_init=np.exp(np.asarray(start.log_weights)),
        precisions_init=factors @ factors.transpose(0, 2, 1),
    ).fit(points)
    assert len(history) == theirs.n_iter_ > 3
    np.testing.assert_allclose(history, theirs.lower_bounds_, rtol=0, atol=1e-12)
    np.testing.assert_allclose(shape.means, theirs.means_, atol=1e-10)
    np.testing.assert_allclose(shape.covariances, theirs.covariances_, atol=1e-10)
    np.testing.assert_allclose(shape.weights, theirs.weights_, atol=1e-10)


def test_single_precision_keeps_flat_components(fitted):
    shape, history = fitted
    values = [value for _, _, value in history]
    assert [call[:2] for call in history] == [(i + 1, 200) for i in range(len(history))]
    assert np.all(np.diff(values) > -1e-5)  # EM never falls; the floor and roundings may cost this much
    theirs = GaussianMixture(COMPONENTS, reg_covar=1e-6, n_init=3, random_state=0).fit(cloud())
    assert values[-1] > theirs.lower_bound_ - 0.01
    assert float(jnp.exp(shape.log_weights).sum()) == pytest.approx(2 * COMPONENTS, rel=1e-5)


def test_it_moves_turns_and_scales_with_the_points(fitted, rng):
    shape, _ = fitted
    rotation = np.linalg.qr(rng.normal(size=(3, 3)))[0]
    offset = np.array([3e4, -2e4, 1e4])
    moved = fit_points(1e3 * cloud() @ rotation.T + offset, components=COMPONENTS, key=KEY)
    # Roundings of single precision at a place 30 times as far as the object is wide.
    np.testing.assert_allclose((moved.means - offset) / 1e3, shape.means @ rotation.T, atol=2e-4)
    want = rotation @ np.asarray(shape.covariances) @ rotation.T
    np.testing.assert_allclose(moved.covariances / 1e6, want, atol=2e-4)


def test_points_inside_have_the_moments_of_the_solid():
    torus = trimesh.creation.torus(1.0, 0.3, major_sections=120, minor_sections=60)
    rotation = trimesh.transformations.rotation_matrix(0.7, [1, 2, 3])
    torus.apply_transform(rotation)
    points = points_inside(torus.vertices, torus.faces, 20000, key=KEY)
    local = points @ rotation[:3, :3]
    # Around the hole the chords of 120 corners lie outside the torus.
    chord = 0.7 * (1 - np.cos(np.pi / 120))
    assert np.hypot(np.hypot(*local.T[:2]) - 1, local[:, 2]).max() < 0.3 + chord
    # Var z = r^2 / 4 and var x = (R^2 + 3 r^2 / 4) / 2 of a solid torus.
    assert local[:, 2].var() == pytest.approx(0.09 / 4, rel=0.02)
    assert local[:, 0].var() == pytest.approx((1 + 0.75 * 0.09) / 2, rel=0.02)


def test_overlapping_parts_count_once_and_inside_out_is_as_good():
    a, b = trimesh.creation.box((2, 1, 1)), trimesh.creation.box((2, 1, 1))
    b.apply_translation([1, 0, 0])
    both = trimesh.util.concatenate([a, b])
    for faces in (both.faces, both.faces[:, ::-1]):
        points = points_inside(both.vertices, faces, 3000, key=KEY)
        assert points[:, 0].mean() == pytest.approx(0.5, abs=0.02)
        assert np.mean((points[:, 0] > 0) & (points[:, 0] < 1)) == pytest.approx(1 / 3, abs=0.01)


def test_points_on_a_surface_are_even_by_area():
    box = trimesh.creation.box((3, 1, 1)).subdivide()
    points = points_on_surface(box.vertices, box.faces, 7000, key=KEY)
    assert np.isclose(np.abs(points) * 2, [3, 1, 1], atol=1e-12).any(1).all()
    ends = np.isclose(np.abs(points[:, 0]), 1.5, atol=1e-12)
    assert ends.mean() == pytest.approx(2 / 14, abs=0.003)


CORNERS = np.array([[0.0, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 1]])
FACES = [[0, 2, 1], [0, 1, 3], [1, 2, 3], [2, 0, 3]]


@pytest.mark.parametrize(
    ("vertices", "faces", "message"),
    [
        (CORNERS, FACES[:3], r"must be watertight.*3 of 6 edges.*fill the holes.*surface"),
        (CORNERS, [[0, 1, 2], *FACES[1:]], "must be watertight"),  # one face inside out
        (CORNERS, [[0, 1, 4]], r"`faces` must lie in \[0, 4\).*faces\[0\] = \[0, 1, 4\]"),
        (CORNERS * np.nan, FACES, r"`vertices` must be finite; vertices\[0\]"),
        (CORNERS[:, :2], FACES, r"`vertices` must have shape .*got \(4, 2\)"),
        (CORNERS, [[0, 1, 2, 3]], r"`faces` must have shape .*triangles.*got \(1, 4\)"),
        (CORNERS * [1, 1, 0], FACES, 'no volume; use `kind="surface"`'),
    ],
)
def test_bad_meshes(vertices, faces, message):
    with pytest.raises(ValueError, match=message):
        fit_mesh(vertices, faces, components=1, key=KEY)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"components": 0}, "`components` must be at least 1; got 0"),
        ({"components": 3000}, "`points` must be at least as many as `components`, 3000; got 2000"),
        ({"points": np.zeros((9, 3))}, "all lie in one place"),
        ({"points": np.repeat(np.eye(3), 3, axis=0)}, "fewer distinct places than `components`, 4"),
        ({"points": np.full((9, 3), np.nan)}, r"`points` must be finite; points\[0, 0\] = nan"),
        ({"points": np.zeros((9, 2))}, r"`points` must have shape \('any', 3\); got \(9, 2\)"),
        ({"floor": 0.0}, "`floor` must be positive; got 0"),
        ({"tolerance": -1.0}, "`tolerance` must be positive; got -1"),
        ({"max_steps": 0}, "`max_steps` must be at least 1; got 0"),
    ],
)
def test_bad_points(change, message):
    with pytest.raises(ValueError, match=message):
        fit_points(**({"points": cloud(), "components": COMPONENTS, "key": KEY} | change))
