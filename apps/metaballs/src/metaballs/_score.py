"""How silhouettes are scored, and the true ones drawn."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from metaballs.rasterise import rasterise

if TYPE_CHECKING:
    from fuzzy_metaballs import Camera
    from metaballs.rasterise import Raster


def views_of(vertices: np.ndarray, faces: np.ndarray, camera: Camera, poses: np.ndarray) -> list[Raster]:
    """What each view sees of a mesh, drawn by the app's own rasteriser."""
    intrinsics = np.asarray(camera.intrinsics, np.float64)
    return [
        rasterise(vertices, faces, intrinsics, pose, camera.width, camera.height)
        for pose in np.asarray(poses, np.float64)
    ]


def masks_of(vertices: np.ndarray, faces: np.ndarray, camera: Camera, poses: np.ndarray) -> np.ndarray:
    """Silhouettes (V, H, W) of a mesh."""
    return np.array([view.mask for view in views_of(vertices, faces, camera, poses)])


def cross_entropy(truth: np.ndarray, alpha: np.ndarray) -> float:
    """Mean over pixels of eq. 11, negated, with alpha clipped to [1e-6, 1 - 1e-6] as the paper does."""
    clipped = np.clip(alpha, 1e-6, 1 - 1e-6)
    return float(-np.where(truth, np.log(clipped), np.log1p(-clipped)).mean())


def overlap(truth: np.ndarray, other: np.ndarray) -> float:
    """Pixels in both masks over pixels in either, all views together."""
    return float((truth & other).sum() / (truth | other).sum())
