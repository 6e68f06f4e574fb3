from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.linalg import expm

from fuzzy_metaballs import Camera, look_at, orbit_views, se3_exp, sphere_views


def generator(twist: np.ndarray) -> np.ndarray:
    v, (x, y, z) = twist[:3], twist[3:]
    return np.block([[np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]]), v[:, None]], [np.zeros((1, 4))]])


@pytest.mark.parametrize("size", [1e-9, 1e-4, 0.3, 0.499, 0.501, 2.0, 3.1])
def test_exponential_is_that_of_the_matrix(size, rng, double):
    twist = rng.normal(size=6)
    twist[3:] *= size / np.linalg.norm(twist[3:])
    # A few roundings; c loses two digits to cancellation where its closed form begins, at half a radian.
    np.testing.assert_allclose(se3_exp(jnp.asarray(twist)), expm(generator(twist)), rtol=0, atol=1e-13)


def test_derivative_at_zero_is_the_generators(double):
    jacobian = jax.jit(jax.jacobian(se3_exp))(jnp.zeros(6))
    want = np.stack([generator(unit) for unit in np.eye(6)], axis=-1)
    np.testing.assert_array_equal(jacobian, want)


def test_second_derivative_at_zero_is_the_generators_product(double):
    # exp(G) = 1 + G + G^2 / 2 + ..., so the mixed second derivative is (G_i G_j + G_j G_i) / 2.
    hessian = jax.jit(jax.hessian(se3_exp))(jnp.zeros(6))
    g = np.stack([generator(unit) for unit in np.eye(6)])
    products = np.einsum("iab,jbc->acij", g, g)
    np.testing.assert_allclose(hessian, (products + products.swapaxes(2, 3)) / 2, rtol=0, atol=1e-15)


def test_derivatives_are_finite_everywhere():
    angles = jnp.array([0.0, 1e-30, 1e-8, 0.5, np.pi, 7.0])
    twists = jnp.zeros((6, 6)).at[:, :3].set(jnp.arange(1.0, 4.0)).at[:, 3].set(angles)
    first, second = jax.jit(jax.vmap(lambda x: (jax.jacobian(se3_exp)(x), jax.hessian(se3_exp)(x))))(twists)
    assert jnp.isfinite(first).all()
    assert jnp.isfinite(second).all()


def test_rays_are_those_of_the_intrinsic_matrix(rng):
    camera = Camera(jnp.array([50.0, 60.0, 3.0, 2.5]), 7, 5)
    K = np.array([[50.0, 0, 3.0], [0, 60.0, 2.5], [0, 0, 1]])
    pixels = np.stack([*np.meshgrid(np.arange(7), np.arange(5)), np.ones((5, 7))], axis=-1)
    np.testing.assert_allclose(camera.rays(), pixels @ np.linalg.inv(K).T, atol=1e-6)


def test_field_of_view_spans_the_outer_edges():
    camera = Camera.from_fov(20, 10, fov=1.2)
    edge = (-0.5 - camera.intrinsics[3]) / camera.intrinsics[1]
    assert float(edge) == pytest.approx(-np.tan(0.6), rel=1e-6)
    assert repr(camera) == "Camera(20 x 10, intrinsics=[7.30848, 7.30848, 9.5, 4.5])"


def test_look_at_puts_the_target_in_front_and_up_above():
    eye, target = np.array([1.0, 2.0, 3.0]), np.array([-1.0, 0.5, 0.0])
    pose = np.asarray(look_at(eye, target))
    np.testing.assert_allclose(pose[:3, :3].T @ pose[:3, :3], np.eye(3), atol=1e-6)
    assert np.linalg.det(pose[:3, :3]) == pytest.approx(1, abs=1e-6)
    inside = np.linalg.inv(pose) @ np.append(target, 1)
    np.testing.assert_allclose(inside[:3], [0, 0, np.linalg.norm(target - eye)], atol=1e-5)
    above = np.linalg.inv(pose) @ np.append(target + np.array([0, 0.1, 0]), 1)
    assert above[1] < inside[1]  # y points down in the image


@pytest.mark.parametrize("views", [orbit_views, sphere_views])
def test_views_look_at_the_center_from_the_distance(views):
    center = np.array([1.0, -2.0, 0.5])
    poses = np.asarray(views(12, distance=3.0, center=center))
    np.testing.assert_allclose(np.linalg.norm(poses[:, :3, 3] - center, axis=1), 3, rtol=1e-5)
    np.testing.assert_allclose(poses[:, :3, 3] + 3 * poses[:, :3, 2], np.tile(center, (12, 1)), atol=1e-5)


def test_sphere_views_cover_the_sphere_evenly():
    eyes = np.asarray(sphere_views(500, distance=1.0))[:, :3, 3]
    np.testing.assert_allclose(eyes.mean(0), 0, atol=0.01)
    np.testing.assert_allclose(eyes.T @ eyes / 500, np.eye(3) / 3, atol=0.01)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: look_at([1, 2, 3], [1, 2, 3]), "distance from `eye` to `target`` must be positive"),
        (lambda: look_at([0, 5, 0]), r"must exceed 1e-6 \(tilt `up`\)"),
        (lambda: orbit_views(0, distance=1.0), "`views` must be at least 1"),
        (lambda: sphere_views(3, distance=-1.0), "`distance` must be positive; got -1"),
        (lambda: orbit_views(3, distance=1.0, elevation=2.0), r"`elevation` must lie in \(-pi/2, pi/2\)"),
        (lambda: Camera.from_fov(4, 4, fov=4.0), r"`fov` must lie in \(0, pi\) radians; got 4"),
        (
            lambda: Camera(jnp.array([1.0, 0.0, 0.0, 0.0]), 4, 4),
            r"positive focal lengths; intrinsics\[1\] = 0",
        ),
        (lambda: Camera(jnp.ones(4), 0, 4), "`width` and `height` must be at least 1; got 0 x 4"),
    ],
)
def test_bad_input(call, message):
    with pytest.raises(ValueError, match=message):
        call()
