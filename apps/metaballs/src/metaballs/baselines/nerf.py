"""A small radiance field without radiance: density alone, after NeRF (Mildenhall et al. 2020)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import jax
import jax.numpy as jnp
import numpy as np

from metaballs.baselines._images import logit_of_mass

if TYPE_CHECKING:
    from jaxtyping import Array, Float

OCTAVES = 5
"""Frequencies a coordinate is seen at; with sine and cosine of three coordinates, 30 harmonics."""

Layers = list[tuple["Float[Array, 'i o']", "Float[Array, ' o']"]]


def start(key: Array, hidden: int) -> Layers:
    """Weights of a network with two hidden layers, from coordinates and harmonics to log density."""
    sizes = [3 + 6 * OCTAVES, hidden, hidden, 1]
    layers: Layers = []
    for one, i, o in zip(jax.random.split(key, 3), sizes[:-1], sizes[1:], strict=True):
        layers.append((jax.random.normal(one, (i, o)) * np.sqrt(2 / i), jnp.zeros(o)))
    return layers


def alpha_logit(
    layers: Layers,
    origins: Float[Array, "rays 3"],
    directions: Float[Array, "rays 3"],
    key: Array,
    *,
    samples: int,
) -> Float[Array, " rays"]:
    r"""Logit of $\alpha = 1 - \exp(-\sum_j \sigma_j \delta)$ along each ray.

    The object lies in the unit ball: the samples lie, one at random in each of equal pieces, where the ray
    passes through it. A ray that misses the ball has the least alpha.

    Args:
        layers: of the network.
        origins: (R, 3).
        directions: (R, 3), any length.
        key: draws the samples.
        samples: a ray.
    """
    unit = directions / jnp.linalg.norm(directions, axis=1, keepdims=True)
    middle = -(origins * unit).sum(1)
    square = 1.02 - ((origins + middle[:, None] * unit) ** 2).sum(1)
    half = jnp.sqrt(jnp.maximum(square, 1e-6))
    place = (jnp.arange(samples) + jax.random.uniform(key, (len(origins), samples))) / samples
    t = middle[:, None] + half[:, None] * (2 * place - 1)
    points = origins[:, None] + t[..., None] * unit[:, None]
    density = jax.nn.softplus(_network(layers, points.reshape(-1, 3))).reshape(t.shape)
    return logit_of_mass(jnp.where(square > 1e-6, density.sum(1) * 2 * half / samples, 0.0))


def _network(layers: Layers, points: Float[Array, "n 3"]) -> Float[Array, " n"]:
    angles = points[:, None, :] * (np.pi / 2 * 2.0 ** jnp.arange(OCTAVES))[:, None]
    angles = angles.reshape(len(points), -1)
    x = jnp.concatenate([points, jnp.sin(angles), jnp.cos(angles)], axis=1)
    for weights, bias in layers[:-1]:
        x = jax.nn.relu(x @ weights + bias)
    weights, bias = layers[-1]
    return (10 * (x @ weights + bias))[:, 0]
