"""A soft rasteriser of triangle meshes, after Liu et al. (ICCV 2019)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import jax
import jax.numpy as jnp
import numpy as np

from metaballs.baselines._images import SoftImage, logit_of_mass, project

if TYPE_CHECKING:
    from jaxtyping import Array, Float, Int

    from fuzzy_metaballs import Camera


TILE = 8
"""Pixels along each side of the tiles that the image is cut into."""

FACES = 48
"""Faces that a tile looks at, the nearest; PyTorch3D takes the nearest 50 or so for a pixel."""


def soft_mesh(
    vertices: Float[Array, "m 3"],
    faces: Int[Array, "k 3"],
    camera: Camera,
    pose: Float[Array, "4 4"],
    *,
    sigma: float = 1e-4,
    sharpness: float = 50.0,
) -> SoftImage:
    r"""Every face covers a pixel with probability $D = \mathrm{sigmoid}(\pm d^2 / \sigma)$.

    d is the distance from the pixel to the face's border in units of half the image's height, positive
    inside; $\alpha = 1 - \prod (1 - D_i)$. Depth is blended by $D e^{-kz}$. Where PyTorch3D cuts D off at a
    small blur radius, this does not.

    Args:
        vertices: (M, 3), world units.
        faces: (K, 3).
        camera: the pinhole camera.
        pose: (4, 4), camera to world.
        sigma: softness of the border; the default is PyTorch3D's.
        sharpness: k, 1 / world units.
    """
    places, depth = project(vertices, camera, pose)
    rows, columns = -(-camera.height // TILE), -(-camera.width // TILE)
    tile = jnp.stack(jnp.meshgrid(jnp.arange(columns), jnp.arange(rows)), axis=-1).reshape(-1, 2) * TILE
    nearest = _nearest_faces(jax.lax.stop_gradient(places[faces]), tile)
    # Planes of x and of y, (3 corners, tiles, 1, faces) against pixels (tiles, pixels, 1): a trailing axis of
    # two would keep the compiler from vectorising.
    unit = camera.height / 2
    near = jnp.moveaxis(places[faces][nearest], 2, 0)[:, :, None] / unit
    ax, ay = near[..., 0], near[..., 1]
    bx, by = jnp.roll(ax, -1, axis=0), jnp.roll(ay, -1, axis=0)
    step = jnp.stack(jnp.meshgrid(jnp.arange(TILE), jnp.arange(TILE)), axis=-1).reshape(-1, 2)
    px, py = ((tile[:, None, k] + step[None, :, k])[..., None] / unit for k in range(2))

    dx, dy, ux, uy = bx - ax, by - ay, px - ax, py - ay
    share = jnp.clip((ux * dx + uy * dy) / jnp.maximum(dx**2 + dy**2, 1e-12), 0.0, 1.0)
    square = ((ux - share * dx) ** 2 + (uy - share * dy) ** 2).min(0)
    areas = dx * uy - dy * ux  # of the pixel with each edge, twice; that of a corner is its opposite edge's
    total = areas.sum(0)
    inside = (areas * total >= 0).all(0)
    logit = jnp.where(inside, square, -square) / sigma
    mass = jax.nn.softplus(logit).sum(2)

    flat = jnp.abs(total) < 1e-9
    of_corners = jnp.moveaxis(depth[faces][nearest], 2, 0)[:, :, None]
    parts = jnp.where(flat, 1 / 3, jnp.roll(areas, -1, axis=0) / jnp.where(flat, 1.0, total))
    plane = jnp.clip((parts * of_corners).sum(0), of_corners.min(0), of_corners.max(0))
    weights = jax.nn.softmax(jax.nn.log_sigmoid(logit) - plane * sharpness, axis=2)
    blended = (weights * plane).sum(2)

    def image(values: Float[Array, "tiles pixels"]) -> Float[Array, "h w"]:
        whole = values.reshape(rows, columns, TILE, TILE).swapaxes(1, 2).reshape(rows * TILE, columns * TILE)
        return whole[: camera.height, : camera.width]

    return SoftImage(image(logit_of_mass(mass)), image(blended))


def _nearest_faces(corners: Float[Array, "k 3 2"], tile: Int[Array, "tiles 2"]) -> Int[Array, "tiles n"]:
    """The faces whose bounding boxes lie nearest to each tile."""
    low, high = corners.min(1), corners.max(1)
    gap = jnp.maximum(jnp.maximum(low[None] - (tile[:, None] + TILE - 1), tile[:, None] - high[None]), 0.0)
    return jax.lax.top_k(-(gap**2).sum(-1), min(FACES, len(corners)))[1]


def icosphere(subdivisions: int, radius: float) -> tuple[np.ndarray, np.ndarray]:
    """An icosahedron whose faces are cut in four so many times, on a sphere: vertices and faces."""
    golden = (1 + 5**0.5) / 2
    corners = [(-1, golden, 0), (1, golden, 0), (-1, -golden, 0), (1, -golden, 0)]
    vertices = np.array([np.roll(corner, turn) for turn in range(3) for corner in corners], float)
    length = np.linalg.norm(vertices[:, None] - vertices[None], axis=2)
    near = np.isclose(length, 2.0)
    faces = np.array(
        [
            (i, j, k)
            for i in range(12)
            for j in range(i + 1, 12)
            for k in range(j + 1, 12)
            if near[i, j] and near[j, k] and near[k, i]
        ]
    )
    for _ in range(subdivisions):
        edges = np.sort(np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]]), axis=1)
        unique, index = np.unique(edges, axis=0, return_inverse=True)
        middle = len(vertices) + index.reshape(3, -1).T
        vertices = np.concatenate([vertices, vertices[unique].mean(1)])
        a, b, c = faces.T
        ab, bc, ca = middle.T
        faces = np.concatenate(
            [np.stack(t, axis=1) for t in ((a, ab, ca), (ab, b, bc), (ca, bc, c), (ab, bc, ca))]
        )
    vertices /= np.linalg.norm(vertices, axis=1, keepdims=True)
    p, q, r = (vertices[faces[:, k]] for k in range(3))
    inwards = (p * np.cross(q, r)).sum(1) < 0
    faces[inwards] = faces[inwards][:, ::-1]
    return vertices * radius, faces
