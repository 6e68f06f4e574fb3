"""A closed mesh to reconstruct, made in code: a sitting rabbit."""

from __future__ import annotations

import numpy as np
from skimage.measure import marching_cubes

# Each part is a capsule that tapers, from a point with a radius to another; what stands beside the plane x =
# 0 is there on both sides. Lengths in body lengths, y upwards, the rabbit looks along +z.
_PARTS = (
    # start, end, radius at the start and at the end
    ((0.00, -0.10, -0.18), (0.00, 0.10, 0.12), 0.40, 0.30),  # body
    ((0.00, 0.42, 0.34), (0.00, 0.38, 0.50), 0.22, 0.15),  # head and muzzle
    ((0.10, 0.58, 0.28), (0.22, 1.02, 0.10), 0.06, 0.085),  # ears
    ((0.26, -0.32, -0.10), (0.28, -0.44, 0.18), 0.18, 0.09),  # hind legs
    ((0.13, -0.05, 0.34), (0.13, -0.46, 0.42), 0.10, 0.075),  # forelegs
    ((0.00, -0.22, -0.60), (0.00, -0.20, -0.66), 0.11, 0.11),  # tail
)
_BLEND = 0.05
"""Width of the fillet where parts meet."""


def rabbit(resolution: int) -> tuple[np.ndarray, np.ndarray]:
    """A watertight triangle mesh of about unit size around the origin, turned outwards.

    Args:
        resolution: cells of marching cubes along each side.

    Returns:
        Vertices (M, 3) and faces (K, 3).
    """
    axis = np.linspace(-1.25, 1.25, resolution + 1)
    points = np.stack(np.meshgrid(axis, axis, axis, indexing="ij"), axis=-1)
    distance = _distance(points.reshape(-1, 3)).reshape(points.shape[:3])
    vertices, faces, _, _ = marching_cubes(distance, 0.0, gradient_direction="ascent")
    vertices = -1.25 + vertices.astype(np.float64) * (axis[1] - axis[0])
    middle = (vertices.max(0) + vertices.min(0)) / 2
    return vertices - middle, faces[:, ::-1].astype(np.int64)


def _distance(points: np.ndarray) -> np.ndarray:
    """About the signed distance, negative inside: a smooth minimum over the parts, with a little fur."""
    mirrored = np.abs(points) * [1, 0, 0] + points * [0, 1, 1]
    parts = np.stack([_capsule(mirrored, *part) for part in _PARTS])
    smooth = -_BLEND * np.log(np.exp(-parts / _BLEND).sum(0))
    fur = np.sin(14 * points[:, 0]) * np.sin(14 * points[:, 1]) * np.sin(14 * points[:, 2])
    return smooth + 0.008 * fur


def _capsule(
    points: np.ndarray, start: tuple[float, ...], end: tuple[float, ...], first: float, last: float
) -> np.ndarray:
    axis = np.subtract(end, start)
    share = np.clip((points - start) @ axis / (axis @ axis), 0, 1)
    nearest = start + share[:, None] * axis
    return np.linalg.norm(points - nearest, axis=1) - (first + share * (last - first))
