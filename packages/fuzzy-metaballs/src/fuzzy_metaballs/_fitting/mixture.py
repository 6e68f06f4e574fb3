"""A shape from points: expectation maximisation for a mixture of Gaussians with full covariances."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from fuzzy_metaballs._check import as_floats
from fuzzy_metaballs._shape import FuzzyMetaballs

if TYPE_CHECKING:
    from collections.abc import Callable

    from jaxtyping import Array, Float, Int

    from fuzzy_metaballs._check import ArrayLike

_CHUNK = 512
"""Points at a time: with 40 components the planes of pairs stay in a CPU's cache."""

_PAIRS = ((0, 0), (0, 1), (0, 2), (1, 1), (1, 2), (2, 2))
"""Entries of a symmetric matrix that are added up."""

_LLOYD_STEPS = 10
"""Of k-means before expectation maximisation; what it has not settled by then, the latter does better."""

_MASS = 2.0
"""Sum of the weights divided by N: the authors' later blend takes a mixture's weights times 80 for N = 40."""


def fit_points(
    points: ArrayLike,
    *,
    components: int,
    key: Array,
    floor: float = 1e-6,
    tolerance: float = 1e-4,
    max_steps: int = 200,
    callback: Callable[[int, int, float], None] | None = None,
) -> FuzzyMetaballs:
    r"""Fits a mixture of Gaussians to points by expectation maximisation (section 4.3).

    It starts from k-means++ and ten steps of k-means. The E-step weighs each point's components by
    $r_{pi} \propto \lambda_i\,\mathcal N(x_p; \mu_i, \Sigma_i)$; the M-step takes the weighted moments,
    measured from the old means in the old components' own units, where they are of order 1 and nothing
    cancels. Memory is bounded by chunks of points.

    The answer moves, turns and scales with the points.

    Args:
        points: (P, 3), in world units; P at least `components`.
        components: N, at least 1.
        key: of `jax.random`; draws the centres of k-means++.
        floor: $\epsilon$: $\epsilon v I$ is added to each covariance, v being the points' variance per axis,
            so a flat patch keeps a thickness of $\sqrt\epsilon$ of the object's size.
        tolerance: ends when the mean log-likelihood of a point grows by less in a step.
        max_steps: ends then in any case.
        callback: called after each step as `callback(step, max_steps, log_likelihood)`: the mean over points
            of the logarithm of the density before the step, points measured in units of $\sqrt v$.

    Returns:
        The mixture, in the points' precision. Its weights sum to 2 N, so that both blends of `render` see an
        opaque object.

    Raises:
        ValueError: there are fewer distinct points than components, a value is not finite, or a number is out
            of its range.

    Complexity: O(P N) a step. Equivalent to `sklearn.mixture.GaussianMixture` with `reg_covar` = `floor` on
    points of unit variance from the same start. Dempster, Laird & Rubin (1977); Arthur & Vassilvitskii
    (2007).

    Example:
        >>> points = np.random.default_rng(0).normal(size=(500, 3)) + [[9.0, 0.0, 0.0]]
        >>> shape = fit_points(points, components=1, key=jax.random.key(0))
        >>> bool(np.allclose(shape.means[0], points.mean(0), atol=1e-4))
        True
    """
    points = as_floats("points", points, (None, 3))
    if components < 1:
        raise ValueError(f"`components` must be at least 1; got {components}.")
    for name, value in (("floor", floor), ("tolerance", tolerance)):
        if not value > 0:
            raise ValueError(f"`{name}` must be positive; got {value:g}.")
    if max_steps < 1:
        raise ValueError(f"`max_steps` must be at least 1; got {max_steps}.")
    # In double precision: the object may be far from the origin of the world.
    world = np.asarray(points, np.float64)
    if len(world) < components:
        raise ValueError(
            f"`points` must be at least as many as `components`, {components}; got {len(world)}."
        )
    center = world.mean(0)
    scale = np.sqrt(((world - center) ** 2).mean())
    if not scale > 0:
        raise ValueError("`points` all lie in one place; a shape needs an extent.")
    cloud = jnp.asarray((world - center) / scale, points.dtype)

    centers, distance = _spread(cloud, key, components)
    if components > 1 and not float(distance) > 0:
        raise ValueError(f"`points` hold fewer distinct places than `components`, {components}; lower it.")
    thickness = jnp.asarray(floor, cloud.dtype)
    mixture = _from_centers(cloud, centers, thickness)
    chunks, valid = _in_chunks(cloud)
    before = -np.inf
    for step in range(1, max_steps + 1):
        mixture, value = _step(mixture, chunks, valid, thickness)
        value = float(value)
        if callback is not None:
            callback(step, max_steps, value)
        if value - before < tolerance:
            break
        before = value
    return FuzzyMetaballs.from_precision_cholesky(
        jnp.asarray(np.asarray(mixture.means, np.float64) * scale + center, points.dtype),
        mixture.factors / scale,
        jnp.exp(mixture.log_weights) * (_MASS * components),
    )


class Mixture(NamedTuple):
    """Gaussians with precisions L L^T; `log_weights` of sum 1."""

    means: Float[Array, "n 3"]
    factors: Float[Array, "n 3 3"]
    log_weights: Float[Array, " n"]


@partial(jax.jit, static_argnames="count")
def _spread(
    points: Float[Array, "p 3"], key: Array, count: int
) -> tuple[Float[Array, "n 3"], Float[Array, ""]]:
    """k-means++: each centre a point drawn with probability as its squared distance to those before.

    Also returns the smallest of the distances drawn: 0 where the points hold too few places.
    """
    first_key, *keys = jax.random.split(key, count)
    first = points[jax.random.randint(first_key, (), 0, len(points))]
    if count == 1:
        return first[None], jnp.ones((), points.dtype)

    def draw(nearest: Float[Array, " p"], key: Array):
        chosen = jax.random.categorical(key, jnp.log(nearest))
        center, distance = points[chosen], nearest[chosen]
        return jnp.minimum(nearest, ((points - center) ** 2).sum(1)), (center, distance)

    _, (others, distances) = jax.lax.scan(draw, ((points - first) ** 2).sum(1), jnp.stack(keys))
    return jnp.concatenate([first[None], others]), distances.min()


@jax.jit
def _from_centers(
    points: Float[Array, "p 3"], centers: Float[Array, "n 3"], floor: Float[Array, ""]
) -> Mixture:
    """Some steps of k-means, then the moments of the clusters."""
    n = len(centers)

    def assign(centers: Float[Array, "n 3"]) -> tuple[Array, Float[Array, " n"]]:
        which = jax.lax.map(
            lambda point: jnp.argmin(((centers - point) ** 2).sum(1)), points, batch_size=_CHUNK
        )
        return which, jnp.zeros(n, points.dtype).at[which].add(1)

    def lloyd(_: Int[Array, ""], centers: Float[Array, "n 3"]) -> Float[Array, "n 3"]:
        which, counts = assign(centers)
        sums = jnp.zeros_like(centers).at[which].add(points)
        # An empty cluster keeps its centre.
        return jnp.where(counts[:, None] > 0, sums / jnp.maximum(counts, 1)[:, None], centers)

    centers = jax.lax.fori_loop(0, _LLOYD_STEPS, lloyd, centers)
    which, counts = assign(centers)
    offsets = points - centers[which]
    moments = jnp.zeros((n, 3, 3), points.dtype).at[which].add(offsets[:, :, None] * offsets[:, None, :])
    covariances = moments / jnp.maximum(counts, 1)[:, None, None]
    return Mixture(centers, _factors(covariances, floor), jnp.log(jnp.maximum(counts, 1) / len(points)))


def _factors(covariances: Float[Array, "n 3 3"], floor: Float[Array, ""]) -> Float[Array, "n 3 3"]:
    covariances = covariances + floor * jnp.eye(3, dtype=covariances.dtype)
    return jnp.linalg.cholesky(jnp.linalg.inv(covariances))


def _in_chunks(points: Float[Array, "p 3"]) -> tuple[Float[Array, "k 3 c"], Float[Array, "k c"]]:
    """Points as planes, padded to whole chunks, and 1 where a point is real."""
    count = len(points)
    chunk = min(_CHUNK, count)
    missing = -count % chunk
    padded = jnp.pad(points, ((0, missing), (0, 0)), mode="edge")
    valid = (jnp.arange(count + missing) < count).astype(points.dtype)
    return jnp.swapaxes(padded.reshape(-1, chunk, 3), 1, 2), valid.reshape(-1, chunk)


@jax.jit
def _step(
    mixture: Mixture, chunks: Float[Array, "k 3 c"], valid: Float[Array, "k c"], floor: Float[Array, ""]
) -> tuple[Mixture, Float[Array, ""]]:
    """One step of expectation maximisation; also the mean log-likelihood before it."""
    rows = jnp.moveaxis(mixture.factors, 2, 0)  # L^T, its rows first
    offsets = (rows * mixture.means).sum(2)
    diagonal = jnp.diagonal(mixture.factors, axis1=1, axis2=2)
    constant = mixture.log_weights + jnp.log(diagonal).sum(1) - 1.5 * jnp.log(2 * jnp.pi)
    n = len(constant)

    def add(total: tuple[Array, Array], chunk: tuple[Array, Array]) -> tuple[tuple[Array, Array], None]:
        x, real = chunk
        product = jnp.dot(rows.reshape(-1, 3), x, precision=jax.lax.Precision.HIGHEST)
        y = product.reshape(3, n, -1) - offsets[:, :, None]
        joint = constant[:, None] - (y[0] ** 2 + y[1] ** 2 + y[2] ** 2) / 2
        largest = joint.max(0)
        share = jnp.exp(joint - largest)
        density = share.sum(0)
        share = share * (real / density)
        planes = [share, *(share * y), *(share * y[a] * y[b] for a, b in _PAIRS)]
        # A product with ones: XLA's own sums along the last axis are several times slower on a CPU.
        moments = jnp.concatenate(planes) @ jnp.ones_like(real)
        return (total[0] + moments, total[1] + real @ (largest + jnp.log(density))), None

    nothing = jnp.zeros(10 * n, chunks.dtype), jnp.zeros((), chunks.dtype)
    (moments, density), _ = jax.lax.scan(add, nothing, (chunks, valid))
    mass, *rest = moments.reshape(10, n)
    # A component that lost all its points keeps its place with a weight of next to nothing.
    safe = jnp.maximum(mass, 10 * jnp.finfo(mass.dtype).eps)
    shift = jnp.stack(rest[:3], axis=1) / safe[:, None]
    second = jnp.stack(
        [rest[3 + _PAIRS.index((min(a, b), max(a, b)))] for a in range(3) for b in range(3)], 1
    )
    spread = (second / safe[:, None]).reshape(n, 3, 3) - shift[:, :, None] * shift[:, None, :]
    # Back from the old component's units: x - mu = L^-T y.
    back = jnp.linalg.inv(jnp.swapaxes(mixture.factors, 1, 2))
    means = mixture.means + jnp.einsum("nij,nj->ni", back, shift)
    covariances = back @ spread @ jnp.swapaxes(back, 1, 2)
    points = valid.sum()
    return Mixture(means, _factors(covariances, floor), jnp.log(safe / points)), density / points
