"""All rays, in chunks, with a backward pass that recomputes."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp
from jax.custom_derivatives import SymbolicZero

from fuzzy_metaballs._kernel.backward import backward
from fuzzy_metaballs._kernel.forward import forward
from fuzzy_metaballs._kernel.scene import Components, Rays, Sums, columns_of
from fuzzy_metaballs._rules import inner

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
    components = Components(
        factors=factors,
        offsets=(factors * ((shape.means - center) / unit)).sum(2),
        log_mass=blend.log_mass(shape),
        log_quality=blend.quality * blend.log_quality(shape),
        features=features.T,
        depth=blend.depth * unit / shape.eta,
    )
    # Coordinate by coordinate: a sum over the last three is slow.
    o, v = tuple(((origins - center) / unit).T), tuple(directions.T)
    # Any start gives the same answer, so no gradient needs to pass through the choice of this one.
    start = jax.lax.stop_gradient(-inner(o, v) / inner(v, v))
    rays = Rays(tuple(o_k + start * v_k for o_k, v_k in zip(o, v, strict=True)), v, start)

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
    intersection: Intersection, blend: Blend, components: Components, rays: Rays
) -> tuple[Float[Array, "chunks rays"], Float[Array, "chunks rays"], Float[Array, "chunks f rays"]]:
    sums = jax.lax.map(partial(forward, intersection, blend, components, columns_of(components)), rays)
    return sums.depth, sums.log_mass, sums.features


def _all_chunks_forward(intersection: Intersection, blend: Blend, components: Any, rays: Any):
    # What has no tangent needs no cotangent: a pose's gradient leaves those of the components out. It moves
    # the features, for normals are features, but those matter only to a loss that looks at them.
    moving = any(leaf.perturbed for leaf in components._replace(features=components.offsets))
    components, rays = jax.tree.map(
        lambda leaf: leaf.value, (components, rays), is_leaf=lambda leaf: hasattr(leaf, "perturbed")
    )
    sums = jax.lax.map(partial(forward, intersection, blend, components, columns_of(components)), rays)
    return (sums.depth, sums.log_mass, sums.features), (components, rays, sums, () if moving else None)


def _all_chunks_backward(
    intersection: Intersection, blend: Blend, kept: tuple[Any, ...], cotangents: tuple[Any, ...]
):
    components, rays, sums, moving = kept
    # An output that the loss does not use has no cotangent, and its part of the work is left out.
    given = [None if isinstance(x, SymbolicZero) else x for x in cotangents]
    of_chunk = partial(backward, intersection, blend, components, columns_of(components))
    if moving is None and given[2] is None:
        nothing = jax.tree.map(jnp.zeros_like, components)
        return nothing, jax.lax.map(lambda chunk: of_chunk(*chunk)[1], (rays, sums, given))

    def add_chunk(total: Components, chunk: tuple[Rays, Sums, list[Any]]) -> tuple[Components, Rays]:
        of_components, of_rays = of_chunk(*chunk)
        return jax.tree.map(jnp.add, total, of_components), of_rays

    return jax.lax.scan(add_chunk, jax.tree.map(jnp.zeros_like, components), (rays, sums, given))


_blend_rays = jax.custom_vjp(_all_chunks, nondiff_argnums=(0, 1))
_blend_rays.defvjp(_all_chunks_forward, _all_chunks_backward, symbolic_zeros=True)
