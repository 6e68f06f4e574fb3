"""The equations of the paper one by one, for one ray and one component at a time: the oracle."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp

from fuzzy_metaballs._blend import EMPTY, log_opacity
from fuzzy_metaballs._rules import FLAT

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
    r"""Intersects every ray $o + t v$ with every component and blends.

    Five things in the printed equations are corrected, after the authors' code:

    - eq. 9 leaves out $\log\lambda_i + \log\det L_i$ beside the Mahalanobis distance, and the factor -1/2
    before it;
    - eq. 10 multiplies the distance by h(t), which *raises* the weight of what lies behind the camera, and
    eq. 5
      does not look at t at all: a component counts here with the smooth share `_front` of it in both;
    - the largest exponent is taken among components in front of the camera, after that share is known;
    - $\mu$ stands in eqs. 4 and 6 for $\mu - o$, the camera being at the origin there;
    - the cubic rule's m and r are $\Sigma^{-1} \mu$ and $\Sigma^{-1} v$, not $\Sigma \mu$ and $\Sigma v$.

    Returns:
        For each ray the depth t, 0 where nothing lies in front; $\log S$, `EMPTY` there; the blended
        features.
    """
    precision = shape.precision_cholesky @ jnp.swapaxes(shape.precision_cholesky, 1, 2)
    log_mass, log_quality = blend.log_mass(shape), blend.log_quality(shape)
    rule = {"linear": _linear, "quadratic": _quadratic, "cubic": _cubic}[intersection]

    def intersect(
        origin: Float[Array, "3"],
        v: Float[Array, "3"],
        mean: Float[Array, "3"],
        matrix: Float[Array, "3 3"],
    ) -> tuple[Float[Array, ""], Float[Array, ""], Float[Array, ""]]:
        t, s = rule(v, mean - origin, matrix)
        return t, s, _front(t, v @ matrix @ v)

    def one_ray(
        origin: Float[Array, "3"], v: Float[Array, "3"]
    ) -> tuple[Float[Array, ""], Float[Array, ""], Float[Array, " f"]]:
        t, s, front = jax.vmap(intersect, (None, None, 0, 0))(origin, v, shape.means, precision)
        seen = front > 0

        def weigh(exponent: Float[Array, " n"]) -> tuple[Float[Array, " n"], Float[Array, ""]]:
            exponent = jnp.where(seen, exponent, -jnp.inf)
            largest = jax.lax.stop_gradient(jnp.where(seen.any(), exponent.max(), 0.0))
            return jnp.exp(jnp.where(seen, exponent, largest) - largest) * seen, largest

        log_front = jnp.log(jnp.where(seen, front, 1.0))
        mass, largest = weigh(log_front - s / 2 + log_mass)  # the sum in eq. 5
        if blend.ordered:
            m = mass * jnp.exp(largest)
            # What stands before each component takes its share of the light.
            before = jnp.where(t[None, :] < t[:, None], m[None, :], 0.0).sum(1)
            w, _ = weigh(log_opacity(log_front - s / 2 + log_mass) - before)
        else:
            exponent = blend.quality * (-s / 2 + log_quality) - blend.depth * t / shape.eta  # eq. 9
            w, _ = weigh(log_front + exponent)
        w = w / jnp.where(seen.any(), w.sum(), 1.0)
        total = jnp.where(seen.any(), mass.sum(), 1.0)
        return (w * t).sum(), jnp.where(seen.any(), jnp.log(total) + largest, EMPTY), w @ features  # eq. 8

    return jax.vmap(one_ray)(origins, directions)


def _linear(
    v: Float[Array, "3"], mu: Float[Array, "3"], matrix: Float[Array, "3 3"]
) -> tuple[Float[Array, ""], Float[Array, ""]]:
    """Where the density is largest: t and s (eqs. 6 and 4)."""
    t = (mu @ matrix @ v) / (v @ matrix @ v)
    x = v * t - mu
    return t, x @ matrix @ x


def _quadratic(
    v: Float[Array, "3"], mu: Float[Array, "3"], matrix: Float[Array, "3 3"]
) -> tuple[Float[Array, ""], Float[Array, ""]]:
    """Where the ray enters the ellipsoid s = 1; the linear rule where it misses.

    The square root's argument b^2 - 4 a c is 4 a (1 - s) with the s of the linear rule.
    """
    t, s = _linear(v, mu, matrix)
    hit = s < 1
    back = jnp.sqrt(jnp.where(hit, 1 - s, 1.0) / (v @ matrix @ v))
    t = jnp.where(hit, t - back, t)
    return t, jnp.where(hit, 1.0, s)


def _cubic(
    v: Float[Array, "3"], mu: Float[Array, "3"], matrix: Float[Array, "3 3"]
) -> tuple[Float[Array, ""], Float[Array, ""]]:
    """The first place where the density's gradient is longest (eq. 7), by bisection.

    With x = t v - mu and r = Sigma^-1 v that is the smallest root of (r.x) |Sigma^-1 x|^2 = r . Sigma^-1 x,
    the paper's cubic before it is multiplied out; `_rules` gives its coefficients in standard deviations u.
    """
    t, s = _linear(v, mu, matrix)
    a = v @ matrix @ v
    r, g = matrix @ v, matrix @ (v * t - mu)
    h0, h1 = (g @ g) * a / (r @ r), (g @ r) * jnp.sqrt(a) / (r @ r)

    def f(u: Array, h0: Array, h1: Array) -> Array:
        return u * (u**2 + 2 * h1 * u + h0) - (u + h1)

    # f rises, falls between `top` and `bottom`, and rises again; or rises all the way.
    k0, k1 = jax.lax.stop_gradient((h0, h1))
    spread = jnp.sqrt(jnp.maximum(4 * k1**2 - 3 * (k0 - 1), 0.0))
    top, bottom = (-2 * k1 - spread) / 3, (-2 * k1 + spread) / 3
    reach = 2 + jnp.abs(k1)  # beyond every root
    first = (spread > 0) & (f(top, k0, k1) >= 0)
    low, high = jnp.where(first, -reach, jnp.where(spread > 0, bottom, -reach)), jnp.where(first, top, reach)

    def halve(_: Any, ends: tuple[Array, Array]) -> tuple[Array, Array]:
        low, high = ends
        middle = (low + high) / 2
        above = f(middle, k0, k1) >= 0
        return jnp.where(above, low, middle), jnp.where(above, middle, high)

    low, high = jax.lax.fori_loop(0, 60, halve, (low, high))
    u = jax.lax.stop_gradient((low + high) / 2)
    slope = 3 * u**2 + 4 * k1 * u + k0 - 1
    u = u - f(u, h0, h1) / jnp.maximum(slope, FLAT)  # one step of Newton's method carries the derivative
    return t + u / jnp.sqrt(a), s + u**2


def _front(t: Float[Array, "*p"], a: Float[Array, "*p"]) -> Float[Array, "*p"]:
    r"""The share of a component that counts as in front of the camera.

    0 when its peak along the ray lies behind, 1 from one standard deviation ($t\sqrt a = 1$) in front, and a
    cubic of $t^2 a$ between: free of the unit of length, once continuously differentiable, exactly 0 and 1
    outside.
    """
    near = jnp.where(t > 0, jnp.minimum(t * t * a, 1.0), 0.0)
    front = near * near * (3 - 2 * near)
    return jnp.where(front > 1e-20, front, 0.0)
