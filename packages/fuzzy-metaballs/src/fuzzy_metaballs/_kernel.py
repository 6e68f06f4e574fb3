"""The fast path: all pairs of components and rays, in chunks of rays, with a backward pass that recomputes.

A vector of a pair is three planes (N, rays). Whitening multiplies by a triangular factor, term by term: XLA
joins these products into the loops that use them, where a matrix product with three columns is slower. Sums
over components are matrix products with a row of ones, for XLA's own reductions repeat what they sum.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

import jax
import jax.numpy as jnp
from jax.custom_derivatives import SymbolicZero

from fuzzy_metaballs._blend import EMPTY, log_opacity
from fuzzy_metaballs._rules import meet

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

    feet: tuple[Float[Array, " rays"], ...]  # x, y and z: XLA would store (3, rays) with a stride
    directions: tuple[Float[Array, " rays"], ...]
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
    rays = _Rays(tuple((origins + start[:, None] * directions).T), tuple(directions.T), start)

    count = len(start)
    # As many chunks as asked for, of one size: few rays are rendered in vain.
    chunk_size = -(-count // -(-count // chunk_size))
    missing = -count % chunk_size

    def in_chunks(x: Array) -> Array:
        padded = jnp.pad(x, [(0, 0)] * (x.ndim - 1) + [(0, missing)], mode="edge")
        return jnp.moveaxis(padded.reshape(*x.shape[:-1], -1, chunk_size), -2, 0)

    depth, log_mass, blended = _blend_rays(intersection, blend, components, jax.tree.map(in_chunks, rays))
    return (
        depth.reshape(-1)[:count] * unit,
        log_mass.reshape(-1)[:count],
        jnp.swapaxes(blended, 1, 2).reshape(-1, features.shape[1])[:count],
    )


def _all_chunks(
    intersection: Intersection, blend: Blend, components: _Components, rays: _Rays
) -> tuple[Float[Array, "chunks rays"], Float[Array, "chunks rays"], Float[Array, "chunks f rays"]]:
    sums = jax.lax.map(partial(_forward, intersection, blend, components, _columns(components)), rays)
    return sums.depth, sums.log_mass, sums.features


def _all_chunks_forward(intersection: Intersection, blend: Blend, components: Any, rays: Any):
    # What has no tangent needs no cotangent: a pose's gradient leaves those of the components out.
    moving = any(leaf.perturbed for leaf in components)
    components, rays = jax.tree.map(
        lambda leaf: leaf.value, (components, rays), is_leaf=lambda leaf: hasattr(leaf, "perturbed")
    )
    sums = jax.lax.map(partial(_forward, intersection, blend, components, _columns(components)), rays)
    return (sums.depth, sums.log_mass, sums.features), (components, rays, sums, () if moving else None)


def _all_chunks_backward(
    intersection: Intersection, blend: Blend, kept: tuple[Any, ...], cotangents: tuple[Any, ...]
):
    components, rays, sums, moving = kept
    # An output that the loss does not use has no cotangent, and its part of the work is left out.
    given = [None if isinstance(x, SymbolicZero) else x for x in cotangents]
    backward = partial(_backward, intersection, blend, components, _columns(components))
    if moving is None:
        nothing = jax.tree.map(jnp.zeros_like, components)
        return nothing, jax.lax.map(lambda chunk: backward(*chunk)[1], (rays, sums, given))

    def add_chunk(total: _Components, chunk: tuple[_Rays, _Sums, list[Any]]) -> tuple[_Components, _Rays]:
        of_components, of_rays = backward(*chunk)
        return jax.tree.map(jnp.add, total, of_components), of_rays

    return jax.lax.scan(add_chunk, jax.tree.map(jnp.zeros_like, components), (rays, sums, given))


_blend_rays = jax.custom_vjp(_all_chunks, nondiff_argnums=(0, 1))
_blend_rays.defvjp(_all_chunks_forward, _all_chunks_backward, symbolic_zeros=True)


class _Columns(NamedTuple):
    """Factors and offsets entry by entry, each (n, 1): a loop over rays reads them without a stride."""

    factors: tuple[Float[Array, "n 1"], ...]  # the upper triangle of L^T, row by row
    offsets: tuple[Float[Array, "n 1"], ...]


def _columns(components: _Components) -> _Columns:
    upper = ((0, 0), (0, 1), (0, 2), (1, 1), (1, 2), (2, 2))
    return _Columns(
        tuple(components.factors[row, :, column, None] for row, column in upper),
        tuple(offset[:, None] for offset in components.offsets),
    )


def _whiten(
    columns: _Columns, vectors: tuple[Float[Array, " rays"], ...]
) -> tuple[Float[Array, "n rays"], ...]:
    """L^T times every vector."""
    a, b, c, d, e, f = columns.factors
    x, y, z = vectors
    return (a * x + b * y + c * z, d * y + e * z, f * z)


def _whitened(columns: _Columns, rays: _Rays):
    """The planes q and y of every pair."""
    y = tuple(c - f for c, f in zip(columns.offsets, _whiten(columns, rays.feet), strict=True))
    return _whiten(columns, rays.directions), y


def _front(t: Array, a: Array) -> tuple[Array, Array]:
    """How near the camera stands in squared deviations, at most 1, and the share that counts as in front."""
    near = jnp.where(t > 0, jnp.minimum(t * t * a, 1.0), 0.0)
    return near, near * near * (3 - 2 * near)


def _exponents(
    blend: Blend, components: _Components, t: Array, half: Array, front: Array
) -> tuple[Array, Array]:
    """Logarithms of every pair's mass and weight but for the front share; -inf where it is not seen."""
    mass = jnp.where(front > 1e-20, components.log_mass[:, None] - half, -jnp.inf)
    rest = components.log_quality - blend.quality * components.log_mass
    return mass, blend.quality * mass + rest[:, None] - components.depth * t


def _sum(x: Float[Array, "n rays"]) -> Float[Array, " rays"]:
    return _dot(jnp.ones((1, len(x)), x.dtype), x)[0]


def _forward(
    intersection: Intersection, blend: Blend, components: _Components, columns: _Columns, rays: _Rays
) -> _Sums:
    tau, half, a = meet(intersection, *_whitened(columns, rays), components.factors)
    t = tau + rays.start
    if blend.ordered:
        return _composite(components, t, half, a)
    _, front = _front(t, a)
    mass, weight = _exponents(blend, components, t, half, front)
    # Finite for rays that see nothing, so that -inf - largest stays -inf.
    largest_mass = jnp.maximum(mass.max(0), jnp.finfo(mass.dtype).min)
    largest = jnp.maximum(weight.max(0), jnp.finfo(weight.dtype).min)
    total_mass = _sum(front * jnp.exp(mass - largest_mass))
    w = front * jnp.exp(weight - largest)
    total = _sum(w)
    seen = total > 0
    inverse = 1 / jnp.where(seen, total, 1.0)
    return _Sums(
        depth=_sum(w * t) * inverse,
        log_mass=jnp.where(seen, jnp.log(jnp.where(seen, total_mass, 1.0)) + largest_mass, EMPTY),
        features=_dot(components.features, w) * inverse,
        log_weight=jnp.where(seen, largest - jnp.log(inverse), 0.0),
    )


def _composite(components: _Components, t: Array, half: Array, a: Array) -> _Sums:
    """From front to back: what is kept of a ray by the sorted blend."""
    _, front = _front(t, a)
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
    return _Sums(
        depth=(w * t).sum(0),
        log_mass=jnp.where(some, jnp.log(jnp.where(some, total_mass, 1.0)) + largest_mass, EMPTY),
        features=(components.features[:, order] * w).sum(1),
        log_weight=jnp.zeros_like(t[0]),
    )


def _backward(
    intersection: Intersection,
    blend: Blend,
    components: _Components,
    columns: _Columns,
    rays: _Rays,
    sums: _Sums,
    cotangents: list[Any],
) -> tuple[_Components, _Rays]:
    q, y = _whitened(columns, rays)
    (tau, half, a), pull_back = jax.vjp(partial(meet, intersection), q, y, components.factors)
    t = tau + rays.start
    share = _ordered_share if blend.ordered else partial(_unordered_share, blend, sums)
    of_t, of_half, of_a, of_components = share(components, t, half, a, cotangents)
    of_q, of_y, of_factors = pull_back((of_t, of_half, of_a))
    # y and q are the same rows times minus the feet and times the directions.
    of_rows = jnp.stack(
        [
            _dot(q_k, jnp.stack(rays.directions, 1)) - _dot(y_k, jnp.stack(rays.feet, 1))
            for q_k, y_k in zip(of_q, of_y, strict=True)
        ]
    )
    of_feet, of_directions = (
        jnp.stack([_dot(rows.T, x_k) for rows, x_k in zip(components.factors, x, strict=True)]).sum(0)
        for x in (of_y, of_q)
    )
    of_components = of_components._replace(
        factors=of_factors + of_rows, offsets=jnp.stack([y_k.sum(1) for y_k in of_y])
    )
    return of_components, _Rays(tuple(-of_feet), tuple(of_directions), jnp.zeros_like(rays.start))


def _ordered_share(components: _Components, t: Array, half: Array, a: Array, cotangents: list[Any]):
    """Cotangents of t, half, a and the components through `_composite`, the chunk's by JAX."""
    sums, pull_back = jax.vjp(_composite, components, t, half, a)
    given = [
        jnp.zeros_like(value) if cotangent is None else cotangent
        for value, cotangent in zip(sums, (*cotangents, None), strict=True)
    ]
    of_components, *of_pairs = pull_back(_Sums(*given))
    return *of_pairs, of_components


def _unordered_share(
    blend: Blend, sums: _Sums, components: _Components, t: Array, half: Array, a: Array, cotangents: list[Any]
):
    """Cotangents of t, half, a and the components, from the sums that the forward pass has kept."""
    of_depth, of_log_mass, of_features = cotangents
    near, front = _front(t, a)
    mass, weight = _exponents(blend, components, t, half, front)
    zero = jnp.zeros_like(t)
    of_mass = zero if of_log_mass is None else of_log_mass * jnp.exp(mass - sums.log_mass)
    # Each pair pulls the blended values towards its own; `pull` is the derivative with respect to log w_i.
    pull = zero if of_depth is None else of_depth * (t - sums.depth)
    if of_features is not None:
        pull += _dot(components.features.T, of_features) - (of_features * sums.features).sum(0)
    if of_depth is None and of_features is None:
        weight = of_weight = zero
    else:
        weight = jnp.exp(weight - sums.log_weight)
        of_weight = pull * weight
    # With respect to near = min(t^2 a, 1), the argument of the front share.
    of_near = jnp.where(near < 1, (of_weight + of_mass) * 6 * near * (1 - near), 0.0)
    of_weight, of_mass = front * of_weight, front * of_mass
    w = front * weight
    of_t = of_near * 2 * t * a - components.depth * of_weight
    if of_depth is not None:
        of_t += of_depth * w
    of_components = _Components(
        factors=jnp.zeros_like(components.factors),
        offsets=jnp.zeros_like(components.offsets),
        log_mass=of_mass.sum(1),
        log_quality=of_weight.sum(1),
        features=jnp.zeros_like(components.features) if of_features is None else _dot(of_features, w.T),
        depth=-(of_weight * t).sum(),
    )
    return of_t, -(of_mass + blend.quality * of_weight), of_near * t * t, of_components
