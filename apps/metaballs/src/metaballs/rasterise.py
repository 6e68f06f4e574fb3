"""Meshes seen by a pinhole camera, independently of the renderer under test: a z-buffer in NumPy."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np


class Raster(NamedTuple):
    """What the camera sees.

    Attributes:
        depth: (H, W), along the camera's z axis; infinite beside the mesh.
        face: (H, W), index of the face seen, -1 beside the mesh.
        weights: (H, W, 3), barycentric coordinates of the point seen within its face.
    """

    depth: np.ndarray
    face: np.ndarray
    weights: np.ndarray

    @property
    def mask(self) -> np.ndarray:
        """(H, W), True where a pixel's centre sees the mesh."""
        return self.face >= 0


def rasterise(
    vertices: np.ndarray,
    faces: np.ndarray,
    intrinsics: np.ndarray,
    pose: np.ndarray,
    width: int,
    height: int,
) -> Raster:
    """Draws a mesh that lies wholly in front of the camera.

    Each pixel's centre, at integer coordinates, is tested against the edges of every face whose bounding box
    holds it; edges belong to both of their faces, so a closed mesh has no cracks.

    Args:
        vertices: (M, 3), world units.
        faces: (K, 3).
        intrinsics: (fx, fy, cx, cy), pixels.
        pose: (4, 4), camera to world, OpenCV convention.
        width: columns.
        height: rows.

    Raises:
        ValueError: a vertex does not lie in front of the camera.
    """
    inside = (vertices - pose[:3, 3]) @ pose[:3, :3]
    if inside[:, 2].min() <= 0:
        raise ValueError(f"`vertices` must lie in front of the camera; one has depth {inside[:, 2].min():g}.")
    fx, fy, cx, cy = intrinsics
    pixels = inside[:, :2] / inside[:, 2:] * [fx, fy] + [cx, cy]
    corners, inverse_depth = pixels[faces], 1 / inside[:, 2][faces]
    low, high = np.ceil(corners.min(1)).astype(int), np.floor(corners.max(1)).astype(int)
    low, high = np.maximum(low, 0), np.minimum(high, [width - 1, height - 1])
    extent = (high - low + 1).max(1)
    visible = (high >= low).all(1)

    depth, face = np.full(height * width, np.inf), np.full(height * width, -1)
    weights = np.zeros((height * width, 3))
    size = 1
    # Faces of like size share one window of pixels: one array operation for each power of two.
    while visible.any():
        group = np.flatnonzero(visible & (extent <= size))
        visible[group] = False
        for part in np.array_split(group, max(1, len(group) * size * size // 1_000_000)):
            _draw(
                part,
                size,
                corners[part],
                inverse_depth[part],
                low[part],
                high[part],
                width,
                depth,
                face,
                weights,
            )
        size *= 2
    return Raster(
        depth.reshape(height, width), face.reshape(height, width), weights.reshape(height, width, 3)
    )


def _draw(
    index: np.ndarray,
    size: int,
    corners: np.ndarray,
    inverse_depth: np.ndarray,
    low: np.ndarray,
    high: np.ndarray,
    width: int,
    depth: np.ndarray,
    face: np.ndarray,
    weights: np.ndarray,
) -> None:
    """Draws the faces `index`, each within the window of `size` pixels from its lower corner."""
    step = np.stack(np.meshgrid(np.arange(size), np.arange(size)), axis=-1).reshape(1, -1, 2)
    pixel = low[:, None] + step
    a, b, c = (corners[:, k, None] - pixel for k in range(3))
    areas = np.stack([_cross(b, c), _cross(c, a), _cross(a, b)], axis=-1)
    total = areas.sum(-1)
    with np.errstate(divide="ignore", invalid="ignore"):
        share = areas / total[..., None]
    inside = (share >= 0).all(-1) & (total != 0) & (pixel <= high[:, None]).all(-1)
    which, where = np.nonzero(inside)
    share = share[which, where] * inverse_depth[which]  # 1 / depth is linear in the image
    z = 1 / share.sum(1)
    x, y = pixel[which, where].T
    place = y * width + x
    # The nearest face of each pixel comes first of its equals in the sorted order.
    order = np.lexsort((z, place))
    first = order[np.unique(place[order], return_index=True)[1]]
    first = first[z[first] < depth[place[first]]]
    depth[place[first]], face[place[first]] = z[first], index[which[first]]
    weights[place[first]] = share[first] * z[first, None]


def _cross(u: np.ndarray, v: np.ndarray) -> np.ndarray:
    return u[..., 0] * v[..., 1] - u[..., 1] * v[..., 0]
