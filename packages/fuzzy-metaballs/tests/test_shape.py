from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scenes import random_scene

from fuzzy_metaballs import FuzzyMetaballs, sample_points


def test_precision_cholesky_is_the_factor_of_the_inverse_covariance(rng, double):
    axes = rng.normal(size=(5, 3, 3))
    covariances = axes @ axes.transpose(0, 2, 1) + 0.1 * np.eye(3)
    shape = FuzzyMetaballs.from_covariances(rng.normal(size=(5, 3)), covariances)
    want = np.linalg.cholesky(np.linalg.inv(covariances))
    np.testing.assert_allclose(shape.precision_cholesky, want, rtol=1e-10, atol=1e-12)
    np.testing.assert_allclose(shape.covariances, covariances, rtol=1e-10, atol=1e-12)


def test_any_leaves_are_a_shape(rng):
    # An optimiser may put anything there: the factor keeps its positive diagonal.
    leaves = [jnp.asarray(rng.normal(size=(4, 3)) * 3, jnp.float32) for _ in range(3)]
    shape = FuzzyMetaballs(*leaves, jnp.zeros(4), jnp.zeros(()))
    assert (jnp.diagonal(shape.precision_cholesky, axis1=1, axis2=2) > 0).all()
    assert (jnp.triu(shape.precision_cholesky, 1) == 0).all()


def test_eta_is_the_spread_of_the_mixture(double):
    shape = random_scene("ordinary", 0).shape
    points = np.asarray(sample_points(shape, 200_000, key=jax.random.key(0)))
    # The sample's deviation is good to 1 / sqrt(2 n), here 0.2 %.
    np.testing.assert_allclose(shape.eta, np.sqrt(points.var(0).mean()), rtol=0.01)


def test_samples_have_the_moments_of_the_mixture(double):
    shape = random_scene("ordinary", 1).shape
    points = np.asarray(sample_points(shape, 200_000, key=jax.random.key(1)))
    weights, means = np.asarray(shape.weights), np.asarray(shape.means)
    center = weights @ means
    apart = means - center
    covariance = np.einsum("n,nij->ij", weights, shape.covariances + apart[:, :, None] * apart[:, None, :])
    # Five standard errors: sigma / sqrt(n) for the mean, about 2 sigma^2 / sqrt(n) for the covariance.
    assert np.abs(points.mean(0) - center).max() < 5 * np.sqrt(np.diag(covariance).max() / 200_000)
    assert np.abs(np.cov(points.T) - covariance).max() < 10 * np.diag(covariance).max() / np.sqrt(200_000)


def test_a_sphere_is_about_as_large_as_asked():
    shape = FuzzyMetaballs.sphere(500, key=jax.random.key(0), radius=3.0, center=(1.0, 2.0, 3.0))
    np.testing.assert_allclose(shape.means.mean(0), [1, 2, 3], atol=5 / np.sqrt(500))
    np.testing.assert_allclose(shape.eta, 3 / np.sqrt(5), rtol=0.1)  # the deviation of a solid ball


def test_shapes_pass_through_transformations():
    shape = random_scene("ordinary", 2).shape
    doubled = jax.jit(lambda s: jax.tree.map(lambda x: 2 * x, s))(shape)
    np.testing.assert_array_equal(doubled.means, 2 * shape.means)
    stacked = jax.tree.map(lambda *x: jnp.stack(x), shape, doubled)
    np.testing.assert_array_equal(jax.vmap(lambda s: s.eta)(stacked), [shape.eta, doubled.eta])
    built = jax.jit(lambda m, c: FuzzyMetaballs.from_covariances(m, c).eta)(shape.means, shape.covariances)
    assert built > 0
    assert repr(shape).startswith("FuzzyMetaballs(components=6, eta=")


def test_gradients_reach_every_constructor_argument(double):
    shape = random_scene("ordinary", 3).shape
    build = jax.jit(jax.grad(lambda c: FuzzyMetaballs.from_covariances(shape.means, c).log_diagonal.sum()))
    gradient = build(shape.covariances)
    # sum of log diag L = log det(precision) / 2 = -log det(C) / 2, whose derivative is -C^-1 / 2.
    want = -np.linalg.inv(shape.covariances) / 2
    symmetric = (gradient + jnp.swapaxes(gradient, 1, 2)) / 2
    np.testing.assert_allclose(symmetric, want, rtol=1e-8, atol=1e-8)


GOOD = {"means": np.zeros((2, 3)), "precision_cholesky": np.eye(3)[None].repeat(2, 0), "weights": np.ones(2)}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"means": np.zeros((2, 2))}, r"`means` must have shape \('any', 3\); got \(2, 2\)"),
        ({"means": np.array([[0, 0, 0], [0, np.nan, 0]])}, r"`means` must be finite; means\[1, 1\] = nan"),
        ({"precision_cholesky": np.eye(3)}, r"`precision_cholesky` must have shape \(2, 3, 3\)"),
        ({"precision_cholesky": -GOOD["precision_cholesky"]}, r"diagonal` must be positive;.*\[0, 0\] = -1"),
        (
            {"precision_cholesky": np.ones((2, 3, 3))},
            r"above its diagonal` must be 0 \(a lower triangular factor\)",
        ),
        ({"weights": np.array([1.0, 0.0])}, r"`weights` must be positive.*weights\[1\] = 0"),
        ({"weights": np.ones(3)}, r"`weights` must have shape \(2,\); got \(3,\)"),
        ({"eta": -1.0}, "`eta` must be positive; eta = -1"),
    ],
)
def test_bad_components(change, message):
    with pytest.raises(ValueError, match=message):
        FuzzyMetaballs.from_precision_cholesky(**(GOOD | change))


def test_other_bad_input():
    with pytest.raises(ValueError, match=r"covariances\[0\] has asymmetry 0 and smallest eigenvalue -1"):
        FuzzyMetaballs.from_covariances(np.zeros((1, 3)), -np.eye(3)[None])
    with pytest.raises(ValueError, match="holds no component"):
        FuzzyMetaballs(jnp.zeros((0, 3)), jnp.zeros((0, 3)), jnp.zeros((0, 3)), jnp.zeros(0), jnp.zeros(()))
    with pytest.raises(TypeError, match="`means` must be real; got complex64"):
        FuzzyMetaballs.from_covariances(np.zeros((1, 3), np.complex64), np.eye(3)[None])
    with pytest.raises(ValueError, match="`components` must be at least 1; got 0"):
        FuzzyMetaballs.sphere(0, key=jax.random.key(0))
    with pytest.raises(ValueError, match="`radius` must be positive; got -1"):
        FuzzyMetaballs.sphere(1, key=jax.random.key(0), radius=-1.0)
    with pytest.raises(ValueError, match="`count` must be at least 1; got 0"):
        sample_points(random_scene("ordinary", 0).shape, 0, key=jax.random.key(0))
