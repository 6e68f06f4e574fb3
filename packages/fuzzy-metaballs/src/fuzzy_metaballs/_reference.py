"""The equations of the paper one by one, for one ray and one component at a time: the oracle."""

from __future__ import annotations

from typing import TYPE_CHECKING

import jax
import jax.numpy as jnp

from fuzzy_metaballs._blend import EMPTY

if TYPE_CHECKING:
    from jaxtyping import Array, Float

    from fuzzy_metaballs._blend import Blend
    from fuzzy_metaballs._rules import Intersection
    from fuzzy_metaballs._shape import FuzzyMetaballs


def trace(
    shape: FuzzyMetaballs,
    origins: Float[Array, "rays 3"],
    directions: Float[Array, "rays 3"],
    features: Float[Array, "n f"],
    intersection: Intersection,
    blend: Blend,
) -> tuple[Float[Array, " rays"], Float[Array, " rays"], Float[Array, "rays f"]]:
    r"""Intersects every ray $o + t v$ with every component (linear rule) and blends.

    Four things in the printed equations are corrected, after the authors' code:

    - eq. 9 leaves out $\log\lambda_i + \log\det L_i$ beside the Mahalanobis distance, and the factor -1/2
    before it;
    - eq. 10 multiplies the distance by h(t), which *raises* the weight of what lies behind the camera, and
    eq. 5
      does not look at t at all: a component counts here with the smooth share `_front` of it in both;
    - the largest exponent is taken among components in front of the camera, after that share is known;
    - $\mu$ stands in eqs. 4 and 6 for $\mu - o$, the camera being at the origin there.

    Returns:
        For each ray the depth t, 0 where nothing lies in front; $\log S$, `EMPTY` there; the blended
        features.
    """
    precision = shape.precision_cholesky @ jnp.swapaxes(shape.precision_cholesky, 1, 2)
    log_mass, log_quality = blend.log_mass(shape), blend.log_quality(shape)

    def intersect(
        origin: Float[Array, "3"],
        v: Float[Array, "3"],
        mean: Float[Array, "3"],
        matrix: Float[Array, "3 3"],
    ) -> tuple[Float[Array, ""], Float[Array, ""], Float[Array, ""]]:
        mu = mean - origin
        t = (mu @ matrix @ v) / (v @ matrix @ v)  # eq. 6
        x = v * t - mu
        return t, x @ matrix @ x, _front(t, v @ matrix @ v)  # eq. 4

    def one_ray(
        origin: Float[Array, "3"], v: Float[Array, "3"]
    ) -> tuple[Float[Array, ""], Float[Array, ""], Float[Array, " f"]]:
        t, s, front = jax.vmap(intersect, (None, None, 0, 0))(origin, v, shape.means, precision)
        seen = front > 0

        def weigh(exponent: Float[Array, " n"]) -> tuple[Float[Array, " n"], Float[Array, ""]]:
            exponent = jnp.where(seen, exponent, -jnp.inf)
            largest = jax.lax.stop_gradient(jnp.where(seen.any(), exponent.max(), 0.0))
            return front * jnp.exp(jnp.where(seen, exponent, largest) - largest), largest

        w, _ = weigh(blend.quality * (-s / 2 + log_quality) - blend.depth * t / shape.eta)  # eq. 9
        w = w / jnp.where(seen.any(), w.sum(), 1.0)
        mass, largest = weigh(-s / 2 + log_mass)  # the sum in eq. 5
        total = jnp.where(seen.any(), mass.sum(), 1.0)
        return (w * t).sum(), jnp.where(seen.any(), jnp.log(total) + largest, EMPTY), w @ features  # eq. 8

    return jax.vmap(one_ray)(origins, directions)


def _front(t: Float[Array, "*p"], a: Float[Array, "*p"]) -> Float[Array, "*p"]:
    r"""The share of a component that counts as in front of the camera.

    0 when its peak along the ray lies behind, 1 from one standard deviation ($t\sqrt a = 1$) in front, and a
    cubic of $t^2 a$ between: free of the unit of length, once continuously differentiable, exactly 0 and 1
    outside.
    """
    near = jnp.where(t > 0, jnp.minimum(t * t * a, 1.0), 0.0)
    front = near * near * (3 - 2 * near)
    return jnp.where(front > 1e-20, front, 0.0)
