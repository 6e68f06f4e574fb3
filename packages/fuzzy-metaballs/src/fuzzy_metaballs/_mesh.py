"""A triangle mesh of a shape by marching cubes."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from fuzzy_metaballs._blend import BLENDS
from fuzzy_metaballs._check import choose

if TYPE_CHECKING:
    from jaxtyping import Float, Int

    from fuzzy_metaballs._render import BlendName
    from fuzzy_metaballs._shape import FuzzyMetaballs


class Mesh(NamedTuple):
    """Triangles, counterclockwise seen from outside.

    Attributes:
        vertices: (M, 3), float64, in world units.
        faces: (K, 3), indices into `vertices`.
        normals: (M, 3), unit vectors out of the shape: minus the density's gradient at the vertices.
    """

    vertices: Float[np.ndarray, "m 3"]
    faces: Int[np.ndarray, "k 3"]
    normals: Float[np.ndarray, "m 3"]


def to_mesh(
    shape: FuzzyMetaballs, *, blend: BlendName = "paper", level: float | None = None, resolution: int = 96
) -> Mesh:
    r"""Extracts the surface $F(x) = \sum_i \lambda_i \exp(-s_i(x) / 2) = T$ (eq. 2) as a closed mesh.

    The grid encloses the whole surface: a component adds no more than T / N outside its own box. After
    marching cubes each vertex takes one step of Newton's method along the gradient, which squares its
    relative error in F.

    Args:
        shape: the mixture.
        blend: whose weights $\lambda_i$ are meant, as in `render`: those the shape was fitted with.
        level: T; by default the mass at which the blend's alpha is 1/2, so that the mesh's silhouette is that
            of the rendered image wherever one component rules the ray (elsewhere the mesh lies inside it).
        resolution: cells along the longest side of the grid, at least 8.

    Raises:
        ValueError: `level` is not positive or nowhere reached, or `resolution` is too low.
        ImportError: scikit-image is missing (`pip install "fuzzy-metaballs[mesh]"`).
    """
    try:
        from skimage.measure import marching_cubes
    except ImportError as error:
        raise ImportError('Meshes need scikit-image: pip install "fuzzy-metaballs[mesh]"') from error
    choose("blend", blend, tuple(BLENDS))
    law = BLENDS[blend]
    level = law.half_mass if level is None else level
    if not level > 0:
        raise ValueError(f"`level` must be positive; got {level:g}.")
    if resolution < 8:
        raise ValueError(f"`resolution` must be at least 8; got {resolution}.")
    means, factors, log_mass = (
        np.asarray(x, np.float64) for x in (shape.means, shape.precision_cholesky, law.log_mass(shape))
    )
    # N lambda exp(-r^2 / 2) = T: beyond r standard deviations the component adds less than T / N.
    reach = 2 * (log_mass + np.log(len(means) / level))
    near = reach > 0
    if not near.any():
        raise ValueError(
            f"`level` = {level:g} is nowhere reached; the weights sum to {np.exp(log_mass).sum():g}."
        )
    deviations = np.sqrt(np.linalg.inv(factors[near] @ factors[near].transpose(0, 2, 1)).diagonal(0, 1, 2))
    extent = np.sqrt(reach[near])[:, None] * deviations
    low, high = (means[near] - extent).min(0), (means[near] + extent).max(0)
    cell = (high - low).max() / resolution
    low, counts = low - cell, np.ceil((high - low) / cell).astype(int) + 3
    x, y, z = (start + cell * np.arange(count) for start, count in zip(low, counts, strict=True))

    values = np.empty(counts)
    for i in range(counts[0]):  # a slice at a time bounds the memory
        points = np.stack(np.broadcast_arrays(x[i], y[:, None], z[None, :]), axis=-1).reshape(-1, 3)
        values[i] = _field(points, means, factors, log_mass)[0].reshape(counts[1:])
    if values.max() <= level:
        raise ValueError(
            f"`level` = {level:g} is nowhere reached on the grid; its largest value is {values.max():g}."
        )
    vertices, faces, _, _ = marching_cubes(values, level, gradient_direction="ascent")
    vertices = low + cell * vertices.astype(np.float64)
    value, gradient = _field(vertices, means, factors, log_mass)
    square = np.maximum((gradient**2).sum(1), np.finfo(float).tiny)
    step = ((level - value) / square)[:, None] * gradient
    # A cell is the most marching cubes can be wrong by; a longer step comes from a vanishing gradient.
    vertices = vertices + np.where(np.linalg.norm(step, axis=1, keepdims=True) < cell, step, 0.0)
    _, gradient = _field(vertices, means, factors, log_mass)
    length = np.maximum(np.linalg.norm(gradient, axis=1, keepdims=True), np.finfo(float).tiny)
    return Mesh(vertices, faces.astype(np.int64), -gradient / length)


def _field(
    points: np.ndarray, means: np.ndarray, factors: np.ndarray, log_mass: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """F and its gradient, component by component."""
    value, gradient = np.zeros(len(points)), np.zeros_like(points)
    for mean, factor, mass in zip(means, factors, log_mass, strict=True):
        y = (points - mean) @ factor
        term = np.exp(mass - (y**2).sum(1) / 2)
        value += term
        gradient -= term[:, None] * (y @ factor.T)
    return value, gradient
