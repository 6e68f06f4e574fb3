"""A shape from a triangle mesh: points drawn on or inside it, then expectation maximisation."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import jax
import numpy as np

from fuzzy_metaballs._check import choose
from fuzzy_metaballs._fitting.mixture import fit_points

if TYPE_CHECKING:
    from collections.abc import Callable

    from jaxtyping import Array, Float, Int

    from fuzzy_metaballs._check import ArrayLike
    from fuzzy_metaballs._shape import FuzzyMetaballs


def fit_mesh(
    vertices: ArrayLike,
    faces: ArrayLike,
    *,
    components: int,
    key: Array,
    kind: Literal["volume", "surface"] = "volume",
    points: int = 20000,
    floor: float = 1e-6,
    tolerance: float = 1e-4,
    max_steps: int = 200,
    callback: Callable[[int, int, float], None] | None = None,
) -> FuzzyMetaballs:
    """Fits a mixture of Gaussians to a triangle mesh (section 4.3).

    Args:
        vertices: (M, 3), world units.
        faces: (K, 3), indices into `vertices`.
        components: N.
        key: of `jax.random`; draws the points and the start.
        kind: "volume" fits points inside a closed mesh, "surface" points on any mesh.
        points: how many are drawn.
        floor: see `fit_points`, as for the rest.
        tolerance: see `fit_points`.
        max_steps: see `fit_points`.
        callback: see `fit_points`.

    Raises:
        ValueError: an index is out of range, the mesh has no area, or with `kind="volume"` it is not closed.

    Example:
        >>> corners = [[0.0, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 1]]
        >>> faces = [[0, 2, 1], [0, 1, 3], [1, 2, 3], [2, 0, 3]]
        >>> shape = fit_mesh(corners, faces, components=1, key=jax.random.key(0))
        >>> shape.means.round(2).tolist()
        [[0.25, 0.25, 0.25]]
    """
    choose("kind", kind, ("volume", "surface"))
    draw = points_inside if kind == "volume" else points_on_surface
    draw_key, fit_key = jax.random.split(key)
    cloud = draw(vertices, faces, points, key=draw_key)
    return fit_points(
        cloud,
        components=components,
        key=fit_key,
        floor=floor,
        tolerance=tolerance,
        max_steps=max_steps,
        callback=callback,
    )


def points_on_surface(
    vertices: ArrayLike, faces: ArrayLike, count: int, *, key: Array
) -> Float[np.ndarray, "points 3"]:
    """Points drawn evenly by area from the surface of a mesh, (count, 3), float64.

    Args:
        vertices: (M, 3), world units.
        faces: (K, 3), indices into `vertices`.
        count: how many, at least 1.
        key: of `jax.random`.

    Raises:
        ValueError: an index is out of range, or the mesh has no area.
    """
    corners = _corners(vertices, faces, count)[0]
    area = np.linalg.norm(np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]), axis=1)
    if not area.sum() > 0:
        raise ValueError("`faces` have no area; the mesh is a line or a point.")
    rng = _generator(key)
    # One draw in each of `count` equal shares of the area: evener than independent draws.
    place = (np.arange(count) + rng.random(count)) / count * area.sum()
    which = np.minimum(np.searchsorted(np.cumsum(area), place), len(area) - 1)
    u, v = rng.random((2, count, 1))
    u, v = np.where(u + v > 1, 1 - u, u), np.where(u + v > 1, 1 - v, v)
    a, b, c = (corners[which, k] for k in range(3))
    return a + u * (b - a) + v * (c - a)


def points_inside(
    vertices: ArrayLike, faces: ArrayLike, count: int, *, key: Array
) -> Float[np.ndarray, "points 3"]:
    """Points drawn evenly by volume from the inside of a closed mesh, (count, 3), float64.

    Lines parallel to the mesh's shortest side, one in each cell of a grid of about 4 `count` cells, are cut
    with all faces. A place is inside where the faces wind around it a number of times that is not 0, so parts
    that overlap count once and it does not matter which way all faces turn. Points are drawn along the lines
    by length.

    Args:
        vertices: (M, 3), world units.
        faces: (K, 3), indices into `vertices`, all turned outwards or all inwards.
        count: how many, at least 1.
        key: of `jax.random`.

    Raises:
        ValueError: an index is out of range; an edge does not lie between two faces that agree on what is
            outside; the mesh has no volume.

    Complexity: O(M + K + count) for faces of even size; memory likewise.
    """
    corners, indices = _corners(vertices, faces, count)
    _check_closed(indices, len(np.asarray(vertices)))
    rng = _generator(key)
    low, high = corners.min((0, 1)), corners.max((0, 1))
    extent = high - low
    along = int(extent.argmin())
    across = [axis for axis in range(3) if axis != along]
    cells = 2 * np.sqrt(count * extent[across] / extent[across][::-1].clip(1e-300)).clip(1, 1e5)
    cells = np.ceil(cells).astype(int) if (extent[across] > 0).all() else np.ones(2, int)
    size = extent[across] / cells
    lines = low[across] + (np.argwhere(np.ones(cells)) + rng.random((cells.prod(), 2))) * size

    line, place, turn = _cut(corners[:, :, across], corners[:, :, along], lines, low[across], size, cells)
    order = np.lexsort((place, line))
    line, place, turn = line[order], place[order], turn[order]
    # A closed mesh winds 0 times around what lies beyond its last cut, so the sum needs no restart by line.
    winding = np.cumsum(turn)
    inside = (winding[:-1] != 0) & (line[:-1] == line[1:])
    start, length = place[:-1][inside], np.diff(place)[inside]
    if not length.sum() > 0:
        raise ValueError('The mesh has no volume; use `kind="surface"`.')
    chosen = (np.arange(count) + rng.random(count)) / count * length.sum()
    which = np.minimum(np.searchsorted(np.cumsum(length), chosen), len(length) - 1)
    points = np.empty((count, 3))
    points[:, across] = lines[line[:-1][inside][which]]
    points[:, along] = start[which] + rng.random(count) * length[which]
    return points


def _generator(key: Array) -> np.random.Generator:
    return np.random.default_rng(np.asarray(jax.random.key_data(key)).ravel())


def _corners(
    vertices: ArrayLike, faces: ArrayLike, count: int
) -> tuple[Float[np.ndarray, "k 3 3"], Int[np.ndarray, "k 3"]]:
    """The three corners of each face, and the faces, once they have been checked."""
    places, indices = np.asarray(vertices, np.float64), np.asarray(faces)
    if places.ndim != 2 or places.shape[1] != 3:
        raise ValueError(f"`vertices` must have shape ('any', 3); got {places.shape}.")
    if indices.ndim != 2 or indices.shape[1] != 3 or len(indices) == 0:
        raise ValueError(f"`faces` must have shape ('any', 3), triangles, at least one; got {indices.shape}.")
    if not np.issubdtype(indices.dtype, np.integer):
        raise TypeError(f"`faces` must be integers; got {indices.dtype}.")
    if not np.isfinite(places).all():
        vertex = int(np.argwhere(~np.isfinite(places))[0, 0])
        raise ValueError(f"`vertices` must be finite; vertices[{vertex}] = {places[vertex].tolist()}.")
    if indices.min() < 0 or indices.max() >= len(places):
        face = int(np.argwhere((indices < 0) | (indices >= len(places)))[0, 0])
        raise ValueError(
            f"`faces` must lie in [0, {len(places)}), the vertices' count; faces[{face}] = "
            f"{indices[face].tolist()}."
        )
    if count < 1:
        raise ValueError(f"the count of points must be at least 1; got {count}.")
    return places[indices], indices


def _check_closed(faces: Int[np.ndarray, "k 3"], vertices: int) -> None:
    """Every edge must be walked as often one way as the other."""
    start, end = faces[:, [0, 1, 2]].ravel().astype(np.int64), faces[:, [1, 2, 0]].ravel().astype(np.int64)
    edges, inverse = np.unique(
        np.minimum(start, end) * vertices + np.maximum(start, end), return_inverse=True
    )
    balance = np.bincount(inverse, np.where(start < end, 1, -1), len(edges))
    open_edges = np.flatnonzero(balance)
    if len(open_edges):
        first, second = divmod(int(edges[open_edges[0]]), vertices)
        raise ValueError(
            f"The mesh must be watertight for its inside to be known; {len(open_edges)} of {len(edges)} "
            "edges do not lie between two faces that agree on what is outside, the first between vertices "
            f"{first} and {second}. Merge double vertices and fill the holes (trimesh: "
            "`mesh.merge_vertices()`, `mesh.fill_holes()`, `mesh.fix_normals()`), or use "
            '`kind="surface"`.'
        )


def _cut(
    corners: Float[np.ndarray, "k 3 2"],
    heights: Float[np.ndarray, "k 3"],
    lines: Float[np.ndarray, "l 2"],
    low: Float[np.ndarray, "2"],
    size: Float[np.ndarray, "2"],
    cells: Int[np.ndarray, "2"],
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Where lines meet faces: the line, the height, and +1 or -1 for the side from which the face is met."""
    size = np.where(size > 0, size, 1.0)
    first = np.clip(((corners.min(1) - low) / size).astype(int) - 1, 0, cells - 1)
    last = np.clip(((corners.max(1) - low) / size).astype(int) + 1, 0, cells - 1)
    span = last - first + 1
    many = span.prod(1)
    found = []
    # Pairs of a face and a cell of its box, about a million at a time.
    for part in np.split(np.arange(len(many)), np.flatnonzero(np.diff(np.cumsum(many) // 1_000_000)) + 1):
        face = np.repeat(part, many[part])
        rank = np.arange(len(face)) - np.repeat(np.cumsum(many[part]) - many[part], many[part])
        row, column = np.divmod(rank, span[face, 1])
        line = (first[face, 0] + row) * cells[1] + first[face, 1] + column
        a, b, c = (corners[face, k] - lines[line] for k in range(3))
        # Two faces compute the area over a shared edge from the same numbers, so a line passes one of them.
        areas = np.stack([_cross(b, c), _cross(c, a), _cross(a, b)], axis=1)
        hit = (areas > 0).all(1) | (areas < 0).all(1)
        share = areas[hit] / areas[hit].sum(1, keepdims=True)
        found.append((line[hit], (share * heights[face[hit]]).sum(1), np.sign(areas[hit, 0]).astype(int)))
    line, place, turn = (np.concatenate(column) for column in zip(*found, strict=True))
    return line, place, turn


def _cross(u: np.ndarray, v: np.ndarray) -> np.ndarray:
    return u[:, 0] * v[:, 1] - u[:, 1] * v[:, 0]
