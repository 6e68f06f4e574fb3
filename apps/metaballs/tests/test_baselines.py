from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from fuzzy_metaballs import Camera, FuzzyMetaballs, StoppingRule, look_at, render, se3_exp, sphere_views
from metaballs.baselines import nerf
from metaballs.baselines._images import logit_of_mass
from metaballs.baselines.carving import carve, surface
from metaballs.baselines.descent import descend
from metaballs.baselines.published import published
from metaballs.baselines.soft_mesh import icosphere, soft_mesh
from metaballs.baselines.splat import splat
from metaballs.rasterise import rasterise

CAMERA = Camera.from_fov(20, 18, fov=0.6)
POSE = look_at([0.4, 0.7, -3.5])


def projected(points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    pose, (fx, fy, cx, cy) = np.asarray(POSE, float), np.asarray(CAMERA.intrinsics, float)
    inside = (points - pose[:3, 3]) @ pose[:3, :3]
    return inside[:, :2] / inside[:, 2:] * [fx, fy] + [cx, cy], inside[:, 2]


def test_splat_is_the_product_over_all_discs():
    points = np.random.default_rng(0).normal(size=(60, 3)) * 0.5
    places, depth = projected(points)
    image = splat(jnp.asarray(points, jnp.float32), CAMERA, POSE, radius=1.7)
    alpha = np.asarray(jax.nn.sigmoid(image.alpha_logit))
    for row, column in np.ndindex(alpha.shape):
        share = np.clip(1 - ((places - [column, row]) ** 2).sum(1) / 1.7**2, 0, 0.999)
        assert alpha[row, column] == pytest.approx(1 - np.prod(1 - share), abs=2e-5)
        weight = share * np.exp(-50 * (depth - depth.min()))
        if share.max() > 0.05:
            want = (weight * depth).sum() / weight.sum()
            assert float(image.depth[row, column]) == pytest.approx(want, rel=1e-3)


def distance_to_border(p: np.ndarray, corners: np.ndarray) -> float:
    best = np.inf
    for a, b in zip(corners, np.roll(corners, -1, axis=0), strict=True):
        share = np.clip((p - a) @ (b - a) / ((b - a) @ (b - a)), 0, 1)
        best = min(best, float(np.linalg.norm(p - a - share * (b - a))))
    return best


def test_soft_mesh_is_the_product_over_all_faces():
    generator = np.random.default_rng(1)
    vertices, faces = generator.normal(size=(8, 3)) * 0.5, np.array([[0, 1, 2], [3, 4, 5], [5, 6, 7]])
    places, _ = projected(vertices)
    unit, sigma = CAMERA.height / 2, 3e-2
    image = soft_mesh(jnp.asarray(vertices, jnp.float32), jnp.asarray(faces), CAMERA, POSE, sigma=sigma)
    alpha = np.asarray(jax.nn.sigmoid(image.alpha_logit))
    for row, column in np.ndindex(alpha.shape):
        p, keep = np.array([column, row]) / unit, 1.0
        for face in faces:
            corners = places[face] / unit
            u, v = corners - p, np.roll(corners, -1, axis=0) - p
            turns = u[:, 0] * v[:, 1] - u[:, 1] * v[:, 0]
            inside = (turns >= 0).all() or (turns <= 0).all()
            square = distance_to_border(p, corners) ** 2 * (1 if inside else -1)
            keep *= 1 - 1 / (1 + np.exp(-square / sigma))
        assert alpha[row, column] == pytest.approx(1 - keep, abs=1e-4)


def test_soft_mesh_shows_what_the_rasteriser_shows():
    vertices, faces = icosphere(1, 0.7)
    intrinsics, pose = np.asarray(CAMERA.intrinsics, float), np.asarray(POSE, float)
    want = rasterise(vertices, faces, intrinsics, pose, CAMERA.width, CAMERA.height)
    image = soft_mesh(jnp.asarray(vertices, jnp.float32), jnp.asarray(faces), CAMERA, POSE, sigma=1e-5)
    mask = np.asarray(image.alpha_logit) > 0
    assert (mask ^ want.mask).mean() < 0.02  # the border's pixels, which two faces share
    both = mask & want.mask
    assert np.abs(np.asarray(image.depth) - want.depth)[both].mean() < 0.02


@pytest.mark.parametrize("name", ["splat", "soft_mesh"])
def test_gradients_with_respect_to_the_pose(name):
    vertices, faces = icosphere(1, 0.6)
    v, f = jnp.asarray(vertices, jnp.float32), jnp.asarray(faces)
    draw = (
        (lambda pose: splat(v, CAMERA, pose, radius=3.0))
        if name == "splat"
        else lambda pose: soft_mesh(v, f, CAMERA, pose, sigma=3e-2)
    )

    @jax.jit
    def loss(twist):
        return jax.nn.sigmoid(draw(POSE @ se3_exp(twist)).alpha_logit)[4:9].mean()

    slope = np.asarray(jax.jit(jax.grad(loss))(jnp.zeros(6)))
    step = 1e-3  # float32: a rounding of the loss over the step is 1e-4 of the slope; few kinks are crossed
    numeric = [(loss(step * one) - loss(-step * one)) / (2 * step) for one in jnp.eye(6)]
    np.testing.assert_allclose(slope, np.array(numeric), atol=0.02 * np.abs(slope).max())


@pytest.mark.parametrize("subdivisions", [0, 1, 2])
def test_icosphere(subdivisions):
    vertices, faces = icosphere(subdivisions, 0.5)
    assert len(faces) == 20 * 4**subdivisions
    assert len(vertices) == len(faces) // 2 + 2
    np.testing.assert_allclose(np.linalg.norm(vertices, axis=1), 0.5)
    a, b, c = (vertices[faces[:, k]] for k in range(3))
    assert ((a * np.cross(b, c)).sum(1) > 0).all()


def test_carving_keeps_the_object_and_no_more_than_the_silhouettes_allow():
    camera, poses = Camera.from_fov(48, 48, fov=0.6), np.asarray(sphere_views(12, distance=4.0))
    intrinsics = np.asarray(camera.intrinsics, float)
    ball = icosphere(3, 0.6)
    masks = np.array([rasterise(*ball, intrinsics, pose, 48, 48).mask for pose in poses.astype(float)])
    kept = carve(masks, camera, poses, cells=24)
    centres = 1.05 * ((np.arange(24) + 0.5) / 12 - 1)
    radius = np.linalg.norm(np.stack(np.meshgrid(centres, centres, centres, indexing="ij"), -1), axis=-1)
    pixel = 4.0 / intrinsics[0]
    assert kept[radius < 0.6 - pixel].all()
    assert not kept[radius > 0.85].any()
    found = surface(kept)
    assert found is not None
    assert np.linalg.norm(found[0], axis=1).max() < 0.9
    assert surface(np.zeros((4, 4, 4), bool)) is None


def test_the_density_field_integrates_along_the_chord():
    """A network of zeros has density log 2 everywhere."""
    layers = [(jnp.zeros_like(w), jnp.zeros_like(b)) for w, b in nerf.start(jax.random.key(0), 8)]
    origins = jnp.array([[0.0, 0.0, -3.0], [0.5, 0.0, -3.0], [2.0, 0.0, -3.0]])
    directions = jnp.array([[0.0, 0.0, 2.0]] * 3)
    logit = nerf.alpha_logit(layers, origins, directions, jax.random.key(1), samples=8)
    chords = 2 * np.sqrt(1.02 - np.array([0.0, 0.25]))
    want = 1 - np.exp(-np.log(2) * chords)
    np.testing.assert_allclose(np.asarray(jax.nn.sigmoid(logit))[:2], want, rtol=1e-5)
    assert float(jax.nn.sigmoid(logit)[2]) < 1e-9


def test_logit_of_mass():
    mass = np.array([1e-12, 1e-6, 0.1, 1.0, 50.0])
    with np.errstate(over="ignore"):
        want = np.log(np.expm1(np.maximum(mass, 1e-10)))
    np.testing.assert_allclose(
        np.asarray(logit_of_mass(jnp.asarray(mass, jnp.float32))), want, rtol=1e-5, atol=1e-5
    )


def test_the_published_formulation_draws_what_the_package_draws():
    shape = FuzzyMetaballs.sphere(12, key=jax.random.key(0), radius=0.8)
    want, got = render(shape, CAMERA, POSE, blend="paper"), published(shape, CAMERA, POSE)
    seen = np.asarray(want.alpha) > 1e-3
    np.testing.assert_allclose(np.asarray(jax.nn.sigmoid(got.alpha_logit)), np.asarray(want.alpha), atol=1e-3)
    np.testing.assert_allclose(np.asarray(got.depth)[seen], np.asarray(want.depth)[seen], rtol=1e-3)


def _parabola(x, data, batch, _key):
    return ((x - data[batch].mean()) ** 2).sum()


def test_descent_finds_a_minimum_and_stops():
    reports: list[int] = []
    found = descend(
        _parabola,
        jnp.zeros(2),
        jnp.array([2.0, 4.0]),
        items=2,
        batch=2,
        steps=3000,
        rate=0.1,
        seed=0,
        stopping=StoppingRule(window=20, slope=-1e-4),
        report=lambda step, *_: reports.append(step),
    )
    np.testing.assert_allclose(np.asarray(found.parameters), 3.0, atol=0.05)
    assert reports == list(range(1, len(found.losses) + 1))
    assert len(found.losses) < 3000
