"""The kernel's exponential against NumPy's in double precision."""

import jax
import jax.numpy as jnp
import numpy as np

from fuzzy_metaballs._exp import exp


def test_single_precision_is_within_three_units_in_the_last_place():
    x = np.random.default_rng(0).uniform(-87, 88, 200_000).astype(np.float32)
    x = np.concatenate([x, np.arange(-87, 89, dtype=np.float32), np.float32([0.0, -0.0, 1e-30, -1e-30])])
    got = np.asarray(jax.jit(exp)(x), float)
    np.testing.assert_allclose(got, np.exp(x.astype(float)), rtol=3 * np.finfo(np.float32).eps)


def test_what_is_too_small_vanishes_and_nan_stays():
    tiny, nan = np.asarray(exp(jnp.array([-jnp.inf, jnp.nan], dtype=jnp.float32)))
    assert 0 <= tiny < 2e-38
    assert np.isnan(nan)


def test_double_precision_is_that_of_jax():
    with jax.enable_x64(True):
        x = jnp.linspace(-700.0, 700.0, 1001)
        np.testing.assert_array_equal(exp(x), jnp.exp(x))
