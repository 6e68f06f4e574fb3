"""Points drawn from a shape."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import jax
import jax.numpy as jnp

if TYPE_CHECKING:
    from jaxtyping import Array, Float

    from fuzzy_metaballs._shape import FuzzyMetaballs


def sample_points(shape: FuzzyMetaballs, count: int, *, key: Array) -> Float[Array, "points 3"]:
    r"""Draws points from the mixture $\sum_i \lambda_i\,\mathcal N(\mu_i, \Sigma_i)$ (section 4.3).

    Args:
        shape: the mixture; its weights count relative to their sum.
        count: how many points, at least 1.
        key: of `jax.random`.

    Returns:
        Points in world units.

    Raises:
        ValueError: `count` is below 1.

    Example:
        >>> from fuzzy_metaballs import FuzzyMetaballs
        >>> shape = FuzzyMetaballs.sphere(5, key=jax.random.key(0))
        >>> sample_points(shape, 1000, key=jax.random.key(1)).shape
        (1000, 3)
    """
    if count < 1:
        raise ValueError(f"`count` must be at least 1; got {count}.")
    return _sample(shape, key, count)


@partial(jax.jit, static_argnames="count")
def _sample(shape: FuzzyMetaballs, key: Array, count: int) -> Float[Array, "points 3"]:
    which_key, noise_key = jax.random.split(key)
    which = jax.random.categorical(which_key, shape.log_weights, shape=(count,))
    noise = jax.random.normal(noise_key, (count, 3, 1), shape.means.dtype)
    # L^-T z has the covariance L^-T L^-1 = Sigma.
    factors = jnp.swapaxes(shape.precision_cholesky[which], 1, 2)
    return shape.means[which] + jax.scipy.linalg.solve_triangular(factors, noise, lower=False)[..., 0]
