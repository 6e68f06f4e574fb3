"""One chunk of rays: the cotangents of components and rays."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp

from fuzzy_metaballs._exp import exp
from fuzzy_metaballs._kernel.forward import composite
from fuzzy_metaballs._kernel.scene import UPPER, Components, Rays, Sums, dot, exponents, front_share, whitened
from fuzzy_metaballs._rules import closest, displace, inner, meet

if TYPE_CHECKING:
    from jaxtyping import Array, Float

    from fuzzy_metaballs._blend import Blend
    from fuzzy_metaballs._kernel.scene import Columns
    from fuzzy_metaballs._rules import Intersection


def backward(
    intersection: Intersection,
    blend: Blend,
    components: Components,
    columns: Columns,
    rays: Rays,
    sums: Sums,
    cotangents: list[Any],
) -> tuple[Components, Rays]:
    q, y = whitened(columns, rays)
    line = closest(q, y)
    if intersection == "cubic":
        met, pull_back = jax.vjp(partial(meet, intersection), q, y, components.factors)
    else:
        met, pull_back = jax.vjp(partial(displace, intersection), *line)
    t, half, a = met[0] + rays.start, met[1], line[2]
    share = _ordered_share if blend.ordered else partial(_unordered_share, blend, sums)
    of_t, of_half, of_a, of_components = share(components, t, half, a, cotangents)
    if intersection == "cubic":
        of_q, of_y, of_factors = pull_back((of_t, of_half, of_a))
        of_factors, of_offsets, of_rays = _through_planes(components, rays, of_q, of_y, of_factors)
    else:
        of_tau, of_half, of_displaced = pull_back((of_t, of_half))
        of_line = of_tau, of_half, of_a + of_displaced
        of_factors, of_offsets, of_rays = _through_products(components, columns, rays, line, of_line)
    return of_components._replace(factors=of_factors, offsets=of_offsets), of_rays


_Shares = tuple["Float[Array, '3 n 3']", "Float[Array, '3 n']", Rays]


def _through_products(
    components: Components,
    columns: Columns,
    rays: Rays,
    line: tuple[Array, Array, Array],
    of_line: tuple[Array, Array, Array],
) -> _Shares:
    r"""Cotangents of factors, offsets and rays from those of `closest`'s answers.

    These are functions of $c = y^T y$, $b = y^T q$ and $a = q^T q$, so three planes say all:
    $\bar y = h y + u q$ and $\bar q = u y + v q$. With $q = L^T v$ and $y = o - L^T f$ of the foot f, the
    sums over components and over rays are products of these planes with a few columns for each component
    and a few rows for each ray.
    """
    (tau, _, a), (of_tau, h, of_a) = line, of_line
    u = of_tau / a - tau * h
    v = 2 * (of_a - tau * u) - tau * tau * h
    of_c, of_b, of_a = dot(columns.products, h), dot(columns.products, u), dot(columns.products[3:], v)
    of_foot = _add(_times(of_c[3:], rays.feet), _times(-of_b[3:], rays.directions), tuple(-of_c[:3]))
    of_direction = _add(_times(of_a, rays.directions), _times(-of_b[3:], rays.feet), tuple(of_b[:3]))

    feet, directions = jnp.stack(rays.feet), jnp.stack(rays.directions)
    one, both = jnp.ones_like(feet[:1]), _pairs(feet, directions)
    of_mass, of_feet, of_pairs = jnp.split(dot(jnp.concatenate([one, feet, _pairs(feet, feet)]), h.T), (1, 4))
    of_directions, of_both = jnp.split(dot(jnp.concatenate([directions, 2 * both]), u.T), (3,))
    toward = (of_directions - of_feet).T
    symmetric = of_pairs - of_both + dot(_pairs(directions, directions), v.T)
    of_factors = components.offsets[:, :, None] * toward + jnp.stack(
        [jnp.stack(_times(symmetric, row.T), 1) for row in components.factors]
    )
    of_offsets = components.offsets * of_mass + (components.factors * toward).sum(2)
    return of_factors, of_offsets, Rays(of_foot, of_direction, jnp.zeros_like(rays.start))


def _pairs(x: Float[Array, "3 k"], y: Float[Array, "3 k"]) -> Float[Array, "6 k"]:
    """The symmetric part of every matrix x y^T, its upper triangle row by row."""
    return jnp.stack([(x[i] * y[j] + x[j] * y[i]) / 2 for i, j in UPPER])


def _times(symmetric: Float[Array, "6 k"], x: Any) -> tuple[Float[Array, " k"], ...]:
    """Symmetric matrices, given as `_pairs` does, times vectors."""
    xx, xy, xz, yy, yz, zz = symmetric
    return tuple(inner(row, x) for row in ((xx, xy, xz), (xy, yy, yz), (xz, yz, zz)))


def _add(*vectors: tuple[Array, ...]) -> tuple[Array, ...]:
    return tuple(x + y + z for x, y, z in zip(*vectors, strict=True))


def _through_planes(
    components: Components, rays: Rays, of_q: tuple[Array, ...], of_y: tuple[Array, ...], of_factors: Array
) -> _Shares:
    """Cotangents of factors, offsets and rays from those of the planes q and y and of the factors."""
    # y and q are the same rows times minus the feet and times the directions.
    of_rows = jnp.stack(
        [
            dot(q_k, jnp.stack(rays.directions, 1)) - dot(y_k, jnp.stack(rays.feet, 1))
            for q_k, y_k in zip(of_q, of_y, strict=True)
        ]
    )
    of_feet, of_directions = (
        jnp.stack([dot(rows.T, x_k) for rows, x_k in zip(components.factors, x, strict=True)]).sum(0)
        for x in (of_y, of_q)
    )
    return (
        of_factors + of_rows,
        jnp.stack([y_k.sum(1) for y_k in of_y]),
        Rays(tuple(-of_feet), tuple(of_directions), jnp.zeros_like(rays.start)),
    )


def _ordered_share(components: Components, t: Array, half: Array, a: Array, cotangents: list[Any]):
    """Cotangents of t, half, a and the components through `composite`, the chunk's by JAX."""
    sums, pull_back = jax.vjp(composite, components, t, half, a)
    given = [
        jnp.zeros_like(value) if cotangent is None else cotangent
        for value, cotangent in zip(sums, (*cotangents, None), strict=True)
    ]
    of_components, *of_pairs = pull_back(Sums(*given))
    return *of_pairs, of_components


def _unordered_share(
    blend: Blend, sums: Sums, components: Components, t: Array, half: Array, a: Array, cotangents: list[Any]
):
    """Cotangents of t, half, a and the components, from the sums that the forward pass has kept."""
    of_depth, of_log_mass, of_features = cotangents
    near, front = front_share(t, a)
    mass, weight = exponents(blend, components, t, half, front)
    zero = jnp.zeros_like(t)
    of_mass = zero if of_log_mass is None else of_log_mass * exp(mass - sums.log_mass)
    # Each pair pulls the blended values towards its own; `pull` is the derivative with respect to log w_i.
    pull = zero if of_depth is None else of_depth * (t - sums.depth)
    if of_features is not None:
        pull += dot(components.features.T, of_features) - (of_features * sums.features).sum(0)
    if of_depth is None and of_features is None:
        weight = of_weight = zero
    else:
        weight = exp(weight - sums.log_weight)
        of_weight = pull * weight
    # With respect to near = min(t^2 a, 1), the argument of the front share.
    of_near = jnp.where(near < 1, (of_weight + of_mass) * 6 * near * (1 - near), 0.0)
    of_weight, of_mass = front * of_weight, front * of_mass
    w = front * weight
    of_t = of_near * 2 * t * a - components.depth * of_weight
    if of_depth is not None:
        of_t += of_depth * w
    of_components = Components(
        factors=jnp.zeros_like(components.factors),
        offsets=jnp.zeros_like(components.offsets),
        log_mass=of_mass.sum(1),
        log_quality=of_weight.sum(1),
        features=jnp.zeros_like(components.features) if of_features is None else dot(of_features, w.T),
        depth=-(of_weight * t).sum(),
    )
    return of_t, -(of_mass + blend.quality * of_weight), of_near * t * t, of_components
