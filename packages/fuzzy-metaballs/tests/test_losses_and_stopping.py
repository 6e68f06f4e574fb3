from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.special import expit, log_expit
from scipy.stats import linregress, norm

from fuzzy_metaballs import StoppingRule, silhouette_loss


def test_loss_is_the_cross_entropy(rng, double):
    z, mask = rng.normal(size=(5, 7)) * 20, rng.random((5, 7))
    want = -(mask * log_expit(z) + (1 - mask) * log_expit(-z)).mean()
    np.testing.assert_allclose(silhouette_loss(jnp.asarray(z), jnp.asarray(mask)), want, rtol=1e-14)


@pytest.mark.parametrize(("z", "mask"), [(-1e4, 1.0), (1e4, 0.0)])
def test_a_pixel_that_is_wrong_by_far_keeps_its_gradient(z, mask):
    value, slope = jax.value_and_grad(lambda z: silhouette_loss(z[None], jnp.array([mask])))(jnp.array(z))
    assert value == 1e4
    assert abs(slope) == 1


def test_outliers_bound_what_a_pixel_costs(rng, double):
    z, mask = rng.normal(size=(5, 7)) * 20, rng.random((5, 7))
    alpha = 0.9 * expit(z) + 0.1 * expit(-z)
    want = -(mask * np.log(alpha) + (1 - mask) * np.log(1 - alpha)).mean()
    np.testing.assert_allclose(
        silhouette_loss(jnp.asarray(z), jnp.asarray(mask), outliers=0.1), want, rtol=1e-13
    )
    # What lies outside of the mask by far costs -log 0.1, and pulls no more.
    value, slope = jax.value_and_grad(lambda z: silhouette_loss(z, jnp.zeros(1), outliers=0.1))(
        jnp.full(1, 1e4)
    )
    assert value == pytest.approx(-np.log(0.1))
    assert slope == 0
    unchecked = getattr(silhouette_loss, "__wrapped__", silhouette_loss)  # past beartype
    with pytest.raises(ValueError, match=r"`outliers` must lie in \[0, 0.5\), .*; got -0.1"):
        unchecked(jnp.zeros(2), jnp.zeros(2), outliers=-0.1)


def test_loss_rejects_other_shapes():
    unchecked = getattr(silhouette_loss, "__wrapped__", silhouette_loss)  # past beartype
    with pytest.raises(ValueError, match=r"must have the same shape; got \(2,\), \(3,\)"):
        unchecked(jnp.zeros(2), jnp.zeros(3))


def test_probability_is_that_of_the_fitted_line(rng):
    rule = StoppingRule(window=30, slope=-2e-3)
    losses = -2e-3 * np.arange(50) + 0.05 * rng.normal(size=50)
    line = linregress(np.arange(30), losses[-30:])
    assert rule.decreasing(losses) == pytest.approx(norm.cdf((-2e-3 - line.slope) / line.stderr), rel=1e-9)


def test_steady_losses():
    rule = StoppingRule(window=10, slope=-1e-3)
    assert rule.decreasing(np.linspace(1, 0, 9)) == 1  # too few to say
    assert rule.decreasing(np.linspace(1, 0, 10)) == 1
    assert rule.decreasing(np.ones(10)) == 0


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"window": 2}, "`window` must be at least 3; got 2"),
        ({"slope": 0.0}, "`slope` must be negative; got 0.0"),
        ({"probability": 1.0}, r"`probability` must be in \(0, 1\); got 1.0"),
        ({"patience": 0}, "`patience` must be at least 1; got 0"),
        ({"factor": 2.0}, r"`factor` must be in \(0, 1\); got 2.0"),
        ({"drops": 0}, "`drops` must be at least 1; got 0"),
    ],
)
def test_bad_rules(change, message):
    with pytest.raises(ValueError, match=message):
        StoppingRule(**change)
