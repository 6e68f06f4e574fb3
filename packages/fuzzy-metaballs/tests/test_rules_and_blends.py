"""Where a ray meets a component, and how the components of a ray are blended: closed forms and limits."""

from __future__ import annotations

from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scenes import COMPONENTS, HEIGHT, WIDTH, ball, camera, random_scene
from scipy.optimize import brentq, minimize_scalar

from fuzzy_metaballs import Camera, FuzzyMetaballs, look_at, render
from fuzzy_metaballs._rules import smallest_root


@pytest.mark.parametrize("backend", ["xla", "reference"])
@pytest.mark.parametrize("intersection", ["linear", "quadratic", "cubic"])
def test_one_component_in_closed_form(intersection, backend, rng, double):
    axes = rng.normal(size=(3, 3)) * 0.3
    covariance = axes @ axes.T + 0.01 * np.eye(3)
    mean, log_weight = np.array([0.1, -0.2, 0.05]), 0.3
    shape = FuzzyMetaballs.from_covariances(mean[None], covariance[None], np.exp([log_weight]))
    pose = np.asarray(look_at([1.0, 2.0, -3.0]))
    image = render(shape, camera(), pose, intersection=intersection, blend="two_parameter", backend=backend)
    precision = np.linalg.inv(covariance)
    for row, column in np.ndindex(HEIGHT, WIDTH):
        v = pose[:3, :3] @ np.asarray(camera().rays())[row, column]
        t = intersect(intersection, v, mean - pose[:3, 3], precision)
        x = v * t - (mean - pose[:3, 3])
        mass = np.exp(log_weight - x @ precision @ x / 2)
        # The maximum of a parabola is known to the root of its rounding.
        np.testing.assert_allclose(image.depth[row, column], t, rtol=1e-7)
        np.testing.assert_allclose(image.alpha[row, column], -np.expm1(-mass), rtol=1e-7)
        np.testing.assert_allclose(
            image.alpha_logit[row, column], np.log(np.expm1(mass)), rtol=1e-6, atol=1e-7
        )


def intersect(intersection, v, mu, precision):
    """Where a ray from the origin meets a component, from the rule's words."""

    def distance(t):
        x = np.multiply.outer(t, v) - mu
        return np.einsum("...i,ij,...j", x, precision, x)

    closest = minimize_scalar(distance, bracket=(2.0, 4.0), tol=1e-12).x
    if intersection == "linear" or (intersection == "quadratic" and distance(closest) > 1):
        return closest
    if intersection == "quadratic":
        return brentq(lambda t: distance(t) - 1, closest - 10, closest, xtol=1e-14)

    def steepness(t):
        x = (np.multiply.outer(t, v) - mu) @ precision
        return np.log((x**2).sum(-1)) - distance(t)

    grid = np.linspace(closest - 3, closest + 3, 100_001)
    values = steepness(grid)
    first = np.flatnonzero((values[1:-1] > values[:-2]) & (values[1:-1] >= values[2:]))[0]
    return minimize_scalar(lambda t: -steepness(t), bracket=tuple(grid[first : first + 3]), tol=1e-12).x


def test_sorting_composites_from_front_to_back(double):
    # The nearer ball comes second, and the third lies behind the camera.
    weights = np.array([0.9, 0.4, 5.0])
    shape = FuzzyMetaballs.from_covariances(
        [[0, 0, 6.0], [0, 0, 4.0], [0, 0, -4.0]], np.eye(3)[None].repeat(3, 0) * 0.01, weights
    )
    odd = Camera.from_fov(5, 5, fov=0.2)
    far, near = 1 - np.exp(-weights[:2])
    want = (near * 4 + (1 - near) * far * 6) / (near + (1 - near) * far)
    for backend in ("xla", "reference"):
        image = render(shape, odd, np.eye(4), blend="sorted", backend=backend)
        np.testing.assert_allclose(image.depth[2, 2], want, rtol=1e-12)
        np.testing.assert_allclose(image.alpha[2, 2], near + (1 - near) * far, rtol=1e-12)


def test_the_cubic_s_smallest_root(rng):
    h1 = rng.normal(size=2000) * rng.choice([0.01, 0.3, 1, 3], 2000)
    h0 = h1**2 + rng.exponential(size=2000) * rng.choice([0.01, 0.3, 1, 10, 1000], 2000)
    roots = [np.roots([1, 2 * b, a - 1, -b]) for a, b in zip(h0, h1, strict=True)]
    want = np.array([r.real[np.abs(r.imag) < 1e-7 * (1 + np.abs(r))].min() for r in roots])
    with jax.enable_x64(True):
        np.testing.assert_allclose(smallest_root(jnp.asarray(h0), jnp.asarray(h1)), want, rtol=1e-6)
    single = np.asarray(smallest_root(jnp.asarray(h0, jnp.float32), jnp.asarray(h1, jnp.float32)))
    assert np.isfinite(single).all()
    # The target of the issue, in standard deviations.
    assert np.quantile(np.abs(single - want), 0.99) < 2e-5


def test_alpha_of_the_paper_in_closed_form(double):
    # At the middle of the only component S = 1; on the empty rays of a small ball S = 0 (eq. 5).
    odd = Camera.from_fov(9, 9, fov=0.7)
    image = render(ball(deviation=0.01), odd, look_at([0.0, 0.0, -4.0]))
    scale, offset = 2 * np.exp(6.369), -2 * np.exp(6.369 - 5.422)
    np.testing.assert_allclose(image.alpha_logit[4, 4], scale + offset, rtol=1e-12)
    np.testing.assert_allclose(image.alpha_logit[0, 0], offset, rtol=1e-12)


@pytest.mark.parametrize("backend", ["xla", "reference"])
def test_behind_the_camera_nothing_is_seen(backend, double):
    behind = ball(center=(0.0, 0.0, -4.0), deviation=0.5)
    image = render(behind, camera(), np.eye(4), blend="two_parameter", backend=backend)
    assert not image.alpha.any()
    assert not image.depth.any()
    assert not image.normals.any()
    paper = render(behind, camera(), np.eye(4), blend="paper", backend=backend)
    np.testing.assert_allclose(paper.alpha_logit, -2 * np.exp(6.369 - 5.422), rtol=1e-6)


def test_what_lies_behind_does_not_shift_what_lies_in_front():
    both = FuzzyMetaballs.from_covariances([[0, 0, 5.0], [0, 0, -20.0]], np.eye(3)[None].repeat(2, 0))
    odd = Camera.from_fov(5, 5, fov=0.2)
    for blend in ("paper", "two_parameter"):
        assert float(render(both, odd, np.eye(4), blend=blend).depth[2, 2]) == pytest.approx(5.0, rel=1e-6)


def test_a_component_fades_smoothly_as_the_camera_walks_through_it(double):
    odd = Camera.from_fov(3, 3, fov=0.2)

    def mass(z):
        pose = jnp.eye(4).at[2, 3].set(z)
        return jnp.exp(render(ball(deviation=1.0), odd, pose, blend="two_parameter").alpha_logit[1, 1])

    z = jnp.linspace(-1.2, 0.2, 141)
    values, slopes = jax.jit(jax.vmap(jax.value_and_grad(mass)))(z)
    assert values[0] == pytest.approx(np.e - 1)
    assert values[-1] == 0
    assert (np.diff(values) <= 1e-12).all()
    # The share 3 z^4 - 2 z^6 has curvatures up to 24, times e; a kink would change the slope by 2 e at least.
    assert np.abs(np.diff(values)).max() < 0.1
    assert np.abs(np.diff(slopes)).max() < 1.0


@pytest.mark.parametrize("backend", ["xla", "reference"])
def test_features_blend_as_the_depth_does(backend, double):
    shape, pose = random_scene("ordinary", 5)
    forward = pose[:3, 2]
    heights = (shape.means - pose[:3, 3]) @ forward
    colored = replace(shape, features=jnp.stack([jnp.ones(COMPONENTS), heights], axis=1))
    image = render(colored, camera(), pose, backend=backend)
    plain = render(shape, camera(), pose, backend=backend)
    assert plain.features is None
    assert image.features.shape == (HEIGHT, WIDTH, 2)
    np.testing.assert_allclose(image.features[..., 0], 1.0, rtol=1e-12)
    assert (image.features[..., 1] >= heights.min() - 1e-12).all()
    assert (image.features[..., 1] <= heights.max() + 1e-12).all()
    for name in ("depth", "alpha_logit", "normals"):
        np.testing.assert_allclose(getattr(image, name), getattr(plain, name), rtol=1e-12, atol=1e-12)
