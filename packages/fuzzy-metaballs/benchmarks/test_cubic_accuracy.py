"""How exact the cubic rule is in float32.

Random ellipsoids, from round to plates and needles a thousand times thinner than wide, met by rays that pass
within a few standard deviations. The same float32 numbers go to the rule and, in float64, to the roots of the
cubic by the eigenvalues of its companion matrix. The error is that of the place on the ray, in standard
deviations along the ray.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from fuzzy_metaballs._rules import meet

COUNT = 40_000
THINNEST = {"round": (1.0, 1.0), "tenth": (0.1, 1.0), "hundredth": (0.01, 0.1), "plates": (0.001, 0.01)}
"""Of the three half-axes, drawn evenly in their logarithm."""


def scenes(low: float, high: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Factors L (c, 3, 3), whitened directions q and centres y (c, 3), all in float32."""
    rng = np.random.default_rng(0)
    axes = np.stack([np.exp(rng.uniform(np.log(low), np.log(high), COUNT)), *np.ones((2, COUNT))], axis=1)
    axes[::2, 1] = axes[::2, 0]  # half of them needles
    turns = np.linalg.qr(rng.normal(size=(COUNT, 3, 3)))[0]
    precision = (turns / axes[:, None] ** 2) @ turns.transpose(0, 2, 1)
    factors = np.linalg.cholesky(precision).astype(np.float32)
    directions = rng.normal(size=(COUNT, 3))
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    through = (turns @ (axes * rng.normal(size=(COUNT, 3)))[..., None])[..., 0]
    start = (through - rng.uniform(-0.5, 0.5, (COUNT, 1)) * directions).astype(np.float32)
    transposed = factors.transpose(0, 2, 1)
    q = (transposed @ directions.astype(np.float32)[..., None])[..., 0]
    return factors, q, -(transposed @ start[..., None])[..., 0]


def exact(factors: np.ndarray, q: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The first place where the density's gradient is longest, in float64, and the deviation there.

    The squared length of the gradient at t is e^-s |L z|^2 with z = t q - y and s = |z|^2; its derivative is
    0 where (L q) . (L z) = (q . z) |L z|^2.
    """
    factors, q, y = (x.astype(np.float64) for x in (factors, q, y))
    deviation = 1 / np.linalg.norm(q, axis=1)
    middle = (q * y).sum(1) * deviation**2
    z = middle[:, None] * q - y  # at the linear rule's place, from where t is counted in deviations
    w, g = ((factors @ x[..., None])[..., 0] for x in (q * deviation[:, None], z))
    ww, wg, gg = (w * w).sum(1), (w * g).sum(1), (g * g).sum(1)
    cubic = np.stack([np.ones(len(ww)), 2 * wg / ww, gg / ww - 1, -wg / ww], axis=1)
    companion = np.zeros((len(ww), 3, 3))
    companion[:, 0] = -cubic[:, 1:]
    companion[:, [1, 2], [0, 1]] = 1
    roots = np.linalg.eigvals(companion)
    real = np.where(np.abs(roots.imag) < 1e-6 * (1 + np.abs(roots.real)), roots.real, np.inf).min(1)
    return middle + real * deviation, deviation


@pytest.mark.parametrize("thickness", THINNEST)
def test_place_on_the_ray(benchmark, thickness):
    benchmark.group = "the cubic rule in float32: error of the place on the ray"
    factors, q, y = scenes(*THINNEST[thickness])

    def place(factor, q, y):
        rows = factor.T[:, None]  # (3, 1, 3)
        tau, half, _ = meet("cubic", *(tuple(x[:, None, None]) for x in (q, y)), rows)
        return tau[0, 0], half[0, 0]

    arrays = tuple(jnp.asarray(x) for x in (factors, q, y))
    compiled = jax.jit(jax.vmap(place))
    benchmark.pedantic(lambda: jax.block_until_ready(compiled(*arrays)), rounds=3, warmup_rounds=1)
    got, half = (np.asarray(x, np.float64) for x in compiled(*arrays))
    slopes = jax.jit(jax.vmap(jax.grad(lambda *x: sum(place(*x)), argnums=(0, 1, 2))))(*arrays)
    assert np.isfinite(got).all()
    assert np.isfinite(half).all()
    assert all(np.isfinite(slope).all() for slope in slopes)

    want, deviation = exact(factors, q, y)
    error = np.abs(got - want) / deviation
    for name, share in (("median", 0.5), ("99 %", 0.99), ("99.9 %", 0.999)):
        benchmark.extra_info[f"{name}, deviations"] = f"{np.quantile(error, share):.1e}"
    assert np.quantile(error, 0.99) <= 2e-5
