"""What both passes know: components, rays and sums, and the planes of every pair.

A vector of a pair is three planes (N, rays). Whitening multiplies by a triangular factor, term by term: XLA
joins these products into the loops that use them, where a matrix product with three columns is slower. Sums
over components are matrix products with a row of ones, for XLA's own reductions repeat what they sum.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, NamedTuple

import jax
import jax.numpy as jnp

if TYPE_CHECKING:
    from jaxtyping import Array, Float

    from fuzzy_metaballs._blend import Blend

dot = partial(jnp.dot, precision=jax.lax.Precision.HIGHEST)
UPPER = ((0, 0), (0, 1), (0, 2), (1, 1), (1, 2), (2, 2))


class Components(NamedTuple):
    """What the kernel needs to know of the shape, in units of the object's size."""

    factors: Float[Array, "3 n 3"]  # L^T, its rows first
    offsets: Float[Array, "3 n"]  # L^T (mean - center)
    log_mass: Float[Array, " n"]
    log_quality: Float[Array, " n"]  # times the blend's quality
    features: Float[Array, "f n"]
    depth: Float[Array, ""]  # the blend's depth / eta


class Rays(NamedTuple):
    """Rays measured from their point nearest to the object's centre, at depth `start`."""

    feet: tuple[Float[Array, " rays"], ...]  # x, y and z: XLA would store (3, rays) with a stride
    directions: tuple[Float[Array, " rays"], ...]
    start: Float[Array, " rays"]


class Sums(NamedTuple):
    """All that is kept of a ray between the two passes."""

    depth: Float[Array, " rays"]
    log_mass: Float[Array, " rays"]
    features: Float[Array, "f rays"]
    log_weight: Float[Array, " rays"]  # of the sum of the blending weights


class Columns(NamedTuple):
    """Factors and offsets entry by entry, each (n, 1): a loop over rays reads them without a stride."""

    factors: tuple[Float[Array, "n 1"], ...]  # the upper triangle of L^T, row by row
    offsets: tuple[Float[Array, "n 1"], ...]
    products: Float[Array, "9 n"]  # L L^T (mean - center), then the upper triangle of L L^T


def columns_of(components: Components) -> Columns:
    factors = components.factors
    return Columns(
        tuple(factors[row, :, column, None] for row, column in UPPER),
        tuple(offset[:, None] for offset in components.offsets),
        jnp.concatenate(
            [
                (factors * components.offsets[:, :, None]).sum(0).T,
                jnp.stack([(factors[:, :, i] * factors[:, :, j]).sum(0) for i, j in UPPER]),
            ]
        ),
    )


def _whiten(
    columns: Columns, vectors: tuple[Float[Array, " rays"], ...]
) -> tuple[Float[Array, "n rays"], ...]:
    """L^T times every vector."""
    a, b, c, d, e, f = columns.factors
    x, y, z = vectors
    return (a * x + b * y + c * z, d * y + e * z, f * z)


def whitened(columns: Columns, rays: Rays):
    """The planes q and y of every pair."""
    y = tuple(c - f for c, f in zip(columns.offsets, _whiten(columns, rays.feet), strict=True))
    return _whiten(columns, rays.directions), y


def front_share(t: Array, a: Array) -> tuple[Array, Array]:
    """How near the camera stands in squared deviations, at most 1, and the share that counts as in front."""
    near = jnp.where(t > 0, jnp.minimum(t * t * a, 1.0), 0.0)
    return near, near * near * (3 - 2 * near)


def exponents(
    blend: Blend, components: Components, t: Array, half: Array, front: Array
) -> tuple[Array, Array]:
    """Logarithms of every pair's mass and weight but for the front share; -inf where it is not seen."""
    mass = jnp.where(front > 1e-20, components.log_mass[:, None] - half, -jnp.inf)
    rest = components.log_quality - blend.quality * components.log_mass
    return mass, blend.quality * mass + rest[:, None] - components.depth * t
