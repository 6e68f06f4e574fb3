"""The fast path: whitened rays by one matrix product, in chunks, with a backward pass that recomputes."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

import jax
import jax.numpy as jnp

from fuzzy_metaballs._blend import EMPTY

if TYPE_CHECKING:
    from jaxtyping import Array, Float

    from fuzzy_metaballs._blend import Blend
    from fuzzy_metaballs._rules import Intersection
    from fuzzy_metaballs._shape import FuzzyMetaballs

_dot = partial(jnp.dot, precision=jax.lax.Precision.HIGHEST)


class _Components(NamedTuple):
    """What the kernel needs to know of the shape, in units of the object's size."""

    factors: Float[Array, "3 n 3"]  # L^T, its rows first
    offsets: Float[Array, "3 n"]  # L^T (mean - center)
    log_mass: Float[Array, " n"]
    log_quality: Float[Array, " n"]  # times the blend's quality
    features: Float[Array, "f n"]
    depth: Float[Array, ""]  # the blend's depth / eta


class _Rays(NamedTuple):
    """Rays measured from their point nearest to the object's centre, at depth `start`."""

    feet: Float[Array, "3 rays"]
    directions: Float[Array, "3 rays"]
    start: Float[Array, " rays"]


class _Sums(NamedTuple):
    """All that is kept of a ray between the two passes."""

    depth: Float[Array, " rays"]
    log_mass: Float[Array, " rays"]
    features: Float[Array, "f rays"]
    log_weight: Float[Array, " rays"]  # of the sum of the blending weights


def trace(
    shape: FuzzyMetaballs,
    origins: Float[Array, "rays 3"],
    directions: Float[Array, "rays 3"],
    features: Float[Array, "n f"],
    intersection: Intersection,
    blend: Blend,
    chunk_size: int,
) -> tuple[Float[Array, " rays"], Float[Array, " rays"], Float[Array, "rays f"]]:
    r"""The same as `_reference.trace`, values and gradients, in bounded memory.

    Lengths are in units of the object's size and rays start at the foot of the perpendicular from its centre.
    With $q = L^T v$ and $y = L^T(\mu - o)$, both linear in the ray, the depth is $t = y^T q / q^T q$
    and the distance $s = |y - t q|^2$: a sum of squares, so nothing cancels, however thin the component.
    """
    unit = jax.lax.stop_gradient(shape.eta)
    center = jax.lax.stop_gradient(shape.means.mean(0))
    factors = jnp.moveaxis(shape.precision_cholesky, 2, 0) * unit
    components = _Components(
        factors=factors,
        offsets=(factors * ((shape.means - center) / unit)).sum(2),
        log_mass=blend.log_mass(shape),
        log_quality=blend.quality * blend.log_quality(shape),
        features=features.T,
        depth=blend.depth * unit / shape.eta,
    )
    origins = (origins - center) / unit
    # Any start gives the same answer, so no gradient needs to pass through the choice of this one.
    start = jax.lax.stop_gradient(-(origins * directions).sum(1) / (directions**2).sum(1))
    rays = _Rays((origins + start[:, None] * directions).T, directions.T, start)

    count = len(start)
    chunk_size = min(chunk_size, count)
    missing = -count % chunk_size

    def in_chunks(x: Array) -> Array:
        padded = jnp.pad(x, [(0, 0)] * (x.ndim - 1) + [(0, missing)], mode="edge")
        return jnp.moveaxis(padded.reshape(*x.shape[:-1], -1, chunk_size), -2, 0)

    depth, log_mass, blended = _blend_rays(blend.quality, components, _Rays(*map(in_chunks, rays)))
    return (
        depth.reshape(-1)[:count] * unit,
        log_mass.reshape(-1)[:count],
        jnp.swapaxes(blended, 1, 2).reshape(-1, features.shape[1])[:count],
    )


def _all_chunks(
    quality: float, components: _Components, rays: _Rays
) -> tuple[Float[Array, "chunks rays"], Float[Array, "chunks rays"], Float[Array, "chunks f rays"]]:
    sums = jax.lax.map(partial(_forward, quality, components), rays)
    return sums.depth, sums.log_mass, sums.features


def _blend_rays_forward(quality: float, components: _Components, rays: _Rays):
    sums = jax.lax.map(partial(_forward, quality, components), rays)
    return (sums.depth, sums.log_mass, sums.features), (components, rays, sums)


def _blend_rays_backward(
    quality: float, kept: tuple[_Components, _Rays, _Sums], cotangents: tuple[Array, ...]
):
    components, rays, sums = kept

    def add_chunk(
        total: _Components, chunk: tuple[_Rays, _Sums, tuple[Array, ...]]
    ) -> tuple[_Components, _Rays]:
        of_components, of_rays = _backward(quality, components, *chunk)
        return jax.tree.map(jnp.add, total, of_components), of_rays

    return jax.lax.scan(add_chunk, jax.tree.map(jnp.zeros_like, components), (rays, sums, cotangents))


_blend_rays = jax.custom_vjp(_all_chunks, nondiff_argnums=(0,))
_blend_rays.defvjp(_blend_rays_forward, _blend_rays_backward)


def _intersect(components: _Components, rays: _Rays):
    """The linear rule for all pairs: q, the residual r, a, tau and t; a vector is three planes (N, rays)."""
    rows = components.factors.reshape(-1, 3)
    q = _dot(rows, rays.directions).reshape(3, -1, len(rays.start))
    y = (components.offsets.reshape(-1, 1) - _dot(rows, rays.feet)).reshape(q.shape)
    a = _inner(q, q)
    tau = _inner(y, q) / a
    r = tuple(y_k - tau * q_k for y_k, q_k in zip(y, q, strict=True))
    return q, r, a, tau, tau + rays.start


def _inner(u: Any, v: Any) -> Array:
    return u[0] * v[0] + u[1] * v[1] + u[2] * v[2]


def _exponents(quality: float, components: _Components, r: Any, t: Array, a: Array):
    """The front share and the two exponents of every pair, -inf where the component is not seen."""
    half = _inner(r, r) / 2
    near = jnp.where(t > 0, jnp.minimum(t * t * a, 1.0), 0.0)
    front = near * near * (3 - 2 * near)
    seen = front > 1e-20
    mass = jnp.where(seen, components.log_mass[:, None] - half, -jnp.inf)
    weight = jnp.where(
        seen, components.log_quality[:, None] - quality * half - components.depth * t, -jnp.inf
    )
    return near, front, mass, weight


def _forward(quality: float, components: _Components, rays: _Rays) -> _Sums:
    _, r, a, _, t = _intersect(components, rays)
    _, front, mass, weight = _exponents(quality, components, r, t, a)
    # Finite for rays that see nothing, so that -inf - largest stays -inf.
    largest_mass = jnp.maximum(mass.max(0), jnp.finfo(mass.dtype).min)
    largest = jnp.maximum(weight.max(0), jnp.finfo(weight.dtype).min)
    total_mass = (front * jnp.exp(mass - largest_mass)).sum(0)
    w = front * jnp.exp(weight - largest)
    total = w.sum(0)
    seen = total > 0
    inverse = 1 / jnp.where(seen, total, 1.0)
    return _Sums(
        depth=(w * t).sum(0) * inverse,
        log_mass=jnp.where(seen, jnp.log(jnp.where(seen, total_mass, 1.0)) + largest_mass, EMPTY),
        features=_dot(components.features, w) * inverse,
        log_weight=jnp.where(seen, largest - jnp.log(inverse), 0.0),
    )


def _backward(
    quality: float, components: _Components, rays: _Rays, sums: _Sums, cotangents: tuple[Array, ...]
) -> tuple[_Components, _Rays]:
    n = len(components.log_mass)
    of_depth, of_log_mass, of_features = cotangents
    q, r, a, tau, t = _intersect(components, rays)
    near, front, mass, weight = _exponents(quality, components, r, t, a)
    mass = jnp.exp(mass - sums.log_mass)
    weight = jnp.exp(weight - sums.log_weight)
    w = front * weight
    # Each pair pulls the blended values towards its own; `pull` is the derivative with respect to log w_i.
    pull = (
        of_depth * (t - sums.depth)
        + _dot(components.features.T, of_features)
        - (of_features * sums.features).sum(0)
    )
    of_weight = w * pull
    of_mass = of_log_mass * front * mass
    # With respect to near = min(t^2 a, 1), the argument of the front share.
    of_near = jnp.where(near < 1, (pull * weight + of_log_mass * mass) * 6 * near * (1 - near), 0.0)
    of_t = of_depth * w - components.depth * of_weight + of_near * 2 * t * a
    of_s = -(of_mass + quality * of_weight) / 2
    # ds = 2 r . (dy - tau dq), for r . q = 0, and a dtau = q . dy + (r - tau q) . dq.
    of_tau = of_t / a
    r = jnp.stack(r)
    of_y = 2 * of_s * r + of_tau * q
    of_q = of_tau * r - tau * of_y + 2 * of_near * t * t * q
    # y and q are the same rows times minus the feet and times the directions: one product serves both.
    both = jnp.concatenate([of_y, of_q], axis=2).reshape(3 * n, -1)
    sources = jnp.concatenate([-rays.feet, rays.directions], axis=1)
    of_feet, of_directions = jnp.split(_dot(components.factors.reshape(3 * n, 3).T, both), 2, axis=1)
    of_components = _Components(
        factors=_dot(both, sources.T).reshape(3, n, 3),
        offsets=of_y.sum(2),
        log_mass=of_mass.sum(1),
        log_quality=of_weight.sum(1),
        features=_dot(of_features, w.T),
        depth=-(of_weight * t).sum(),
    )
    return of_components, _Rays(-of_feet, of_directions, jnp.zeros_like(rays.start))
