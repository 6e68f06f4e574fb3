"""The JAX function: under jit, grad and vmap, and agreement with `fit`."""

from __future__ import annotations

import numpy as np
import pytest

jax = pytest.importorskip("jax", reason="JAX is not installed (extra `jax`)")

import jax.numpy as jnp  # noqa: E402 (after the skip)
from jax.test_util import check_grads  # noqa: E402

from kspline_core import fit  # noqa: E402
from kspline_core.jax import kspline  # noqa: E402


@pytest.fixture(autouse=True)
def float64():
    with jax.enable_x64(True):
        yield


@pytest.fixture
def y(rng):
    return rng.standard_normal((3, 12))


@pytest.mark.parametrize(("degree", "weighted"), [(0, True), (1, False), (2, True), (3, False)])
def test_values_and_gradients(y, degree, weighted):
    weights = np.linspace(0.5, 2, 12) if weighted else None

    def function(y):
        return kspline(y, 3, degree, weights=weights)

    spline = fit(y, 3, degree, weights=weights)
    np.testing.assert_array_equal(function(y), spline.values)
    np.testing.assert_array_equal(jax.jit(function)(y), spline.values)
    check_grads(function, (jnp.asarray(y),), order=2, modes=["rev"])
    jacobians = jax.jit(jax.vmap(jax.jacrev(function)))(y)
    want = np.stack([spline[i].jvp(np.eye(12)).T for i in range(3)])
    np.testing.assert_allclose(jacobians, want, rtol=0, atol=1e-14)
    hessian = jax.jacrev(jax.grad(lambda y: (function(y) ** 2).sum() / 2))(y[0])
    np.testing.assert_allclose(hessian, want[0].T @ want[0], rtol=0, atol=1e-13)


def test_vmap_over_weights(y, rng):
    w = rng.uniform(0.1, 2, (5, 12))
    ours = jax.vmap(lambda w: kspline(y, 3, 1, weights=w))(w)
    np.testing.assert_array_equal(ours, np.stack([fit(y, 3, 1, weights=row).values for row in w]))


def test_float32(y):
    with jax.enable_x64(False):
        signal = jnp.asarray(y, dtype=jnp.float32)
        gradient = jax.grad(lambda y: kspline(y, 3, 1)[0, 0])(signal)
        assert gradient.dtype == kspline(signal, 3, 1).dtype == jnp.float32
    np.testing.assert_array_equal(kspline(signal, 3, 1), fit(np.asarray(signal), 3, 1).values)


def test_errors(unchecked):
    with pytest.raises(
        TypeError, match=r"`y` must be float32 or float64; got int64. Convert it with y.astype"
    ):
        kspline(jnp.arange(5), 2)
    with pytest.raises(ValueError, match="`pieces` is too large"):
        jax.jit(lambda y: kspline(y, 6))(jnp.zeros(5))
    with pytest.raises(ValueError, match="`weights` must have the shape"):
        kspline(jnp.zeros((2, 5)), 2, weights=jnp.ones((1, 5)))
    with pytest.raises(Exception, match=r"`y` must be finite; y\[1\] = nan"):
        jax.jit(lambda y: kspline(y, 2))(jnp.array([0.0, jnp.nan, 1.0])).block_until_ready()
