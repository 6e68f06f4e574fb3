"""Voxel carving (Martin and Aggarwal 1983): what no silhouette excludes is the object."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from fuzzy_metaballs import Camera


def carve(
    masks: np.ndarray, camera: Camera, poses: np.ndarray, *, cells: int, reach: float = 1.05
) -> np.ndarray:
    """Which cells of a cube are seen inside every silhouette, judged by their centres.

    Every image shows the whole object, so what falls beside an image is no part of it.

    Args:
        masks: (V, H, W), bool.
        camera: of all views.
        poses: (V, 4, 4), camera to world.
        cells: along each side of the cube [-reach, reach]^3.
        reach: half the side, world units.

    Returns:
        (cells, cells, cells), bool, indices along x, y, z.
    """
    centres = reach * ((np.arange(cells, dtype=np.float32) + 0.5) * (2 / cells) - 1)
    fx, fy, cx, cy = np.asarray(camera.intrinsics, np.float32)
    height, width = masks.shape[1:]
    kept = np.zeros((cells, cells, cells), bool)
    y, z = (a.ravel() for a in np.meshgrid(centres, centres, indexing="ij"))
    for i, x in enumerate(centres):  # a slice at a time bounds the memory
        points = np.stack([np.full_like(y, x), y, z], axis=1)
        left = np.arange(len(points))
        for mask, pose in zip(masks, np.asarray(poses, np.float32), strict=True):
            seen = (points[left] - pose[:3, 3]) @ pose[:3, :3]
            column = np.rint(seen[:, 0] / seen[:, 2] * fx + cx).astype(np.int32)
            row = np.rint(seen[:, 1] / seen[:, 2] * fy + cy).astype(np.int32)
            inside = (column >= 0) & (column < width) & (row >= 0) & (row < height)
            left = left[inside & mask[np.clip(row, 0, height - 1), np.clip(column, 0, width - 1)]]
            if not len(left):
                break
        kept[i].reshape(-1)[left] = True
    return kept


def surface(kept: np.ndarray, *, reach: float = 1.05) -> tuple[np.ndarray, np.ndarray] | None:
    """The carved cells' surface as a closed mesh, vertices and faces; None where no cell is left."""
    from skimage.measure import marching_cubes

    if not kept.any():
        return None
    vertices, faces, _, _ = marching_cubes(np.pad(kept, 1).astype(np.float32), 0.5)
    return (vertices - 0.5) * (2 * reach / len(kept)) - reach, faces.astype(np.int64)
