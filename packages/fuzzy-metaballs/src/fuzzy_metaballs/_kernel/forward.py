"""One chunk of rays: what they see."""

from __future__ import annotations

from typing import TYPE_CHECKING

import jax
import jax.numpy as jnp

from fuzzy_metaballs._blend import EMPTY, log_opacity
from fuzzy_metaballs._exp import exp
from fuzzy_metaballs._kernel.scene import Sums, dot, exponents, front_share, whitened
from fuzzy_metaballs._rules import meet

if TYPE_CHECKING:
    from jaxtyping import Array, Float

    from fuzzy_metaballs._blend import Blend
    from fuzzy_metaballs._kernel.scene import Columns, Components, Rays
    from fuzzy_metaballs._rules import Intersection


def forward(
    intersection: Intersection, blend: Blend, components: Components, columns: Columns, rays: Rays
) -> Sums:
    tau, half, a = meet(intersection, *whitened(columns, rays), components.factors)
    t = tau + rays.start
    if blend.ordered:
        return composite(components, t, half, a)
    _, front = front_share(t, a)
    mass, weight = exponents(blend, components, t, half, front)
    # Finite for rays that see nothing, so that -inf - largest stays -inf.
    largest_mass = jnp.maximum(mass.max(0), jnp.finfo(mass.dtype).min)
    largest = jnp.maximum(weight.max(0), jnp.finfo(weight.dtype).min)
    total_mass = total_of(front * exp(mass - largest_mass))
    w = front * exp(weight - largest)
    blended = dot(jnp.concatenate([jnp.ones_like(components.features[:1]), components.features]), w)
    total = blended[0]
    seen = total > 0
    inverse = 1 / jnp.where(seen, total, 1.0)
    return Sums(
        depth=total_of(w * t) * inverse,
        log_mass=jnp.where(seen, jnp.log(jnp.where(seen, total_mass, 1.0)) + largest_mass, EMPTY),
        features=blended[1:] * inverse,
        log_weight=jnp.where(seen, largest - jnp.log(inverse), 0.0),
    )


def composite(components: Components, t: Array, half: Array, a: Array) -> Sums:
    """From front to back: what is kept of a ray by the sorted blend."""
    _, front = front_share(t, a)
    seen = front > 1e-20
    log_mass = components.log_mass[:, None] - half + jnp.log(jnp.where(seen, front, 1.0))
    order = jnp.argsort(jax.lax.stop_gradient(jnp.where(seen, t, jnp.inf)), axis=0)
    seen, t, log_mass = (jnp.take_along_axis(x, order, axis=0) for x in (seen, t, log_mass))
    mass = jnp.where(seen, jnp.exp(jnp.minimum(log_mass, 30.0)), 0.0)
    before = jnp.concatenate([jnp.zeros_like(mass[:1]), jnp.cumsum(mass, axis=0)[:-1]])
    weight = jnp.where(seen, log_opacity(log_mass) - before, -jnp.inf)
    some = seen[0]
    largest, largest_mass = (
        jax.lax.stop_gradient(jnp.where(some, x.max(0), 0.0))
        for x in (weight, jnp.where(seen, log_mass, -jnp.inf))
    )
    w = jnp.exp(jnp.where(seen, weight, -jnp.inf) - largest)
    w = w / jnp.where(some, w.sum(0), 1.0)
    total_mass = jnp.exp(jnp.where(seen, log_mass, -jnp.inf) - largest_mass).sum(0)
    return Sums(
        depth=(w * t).sum(0),
        log_mass=jnp.where(some, jnp.log(jnp.where(some, total_mass, 1.0)) + largest_mass, EMPTY),
        features=(components.features[:, order] * w).sum(1),
        log_weight=jnp.zeros_like(t[0]),
    )


def total_of(x: Float[Array, "n rays"]) -> Float[Array, " rays"]:
    return dot(jnp.ones((1, len(x)), x.dtype), x)[0]
