"""Closed meshes made in code: what the experiments run on when the user brings none."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
from skimage.measure import marching_cubes

from metaballs.rabbit import rabbit

if TYPE_CHECKING:
    from collections.abc import Callable

NAMES = ("rabbit", "gear", "torus", "superquadric", "letter_r", "letter_k", "knot")

_LETTERS: dict[str, tuple[tuple[tuple[float, float], ...], ...]] = {
    # strokes as polylines in a square of side 2
    "letter_r": (
        ((-0.55, -0.8), (-0.55, 0.8), (0.15, 0.8), (0.45, 0.65), (0.55, 0.4), (0.45, 0.15), (0.15, 0.0)),
        ((0.15, 0.0), (-0.55, 0.0)),
        ((0.05, 0.0), (0.6, -0.8)),
    ),
    "letter_k": (((-0.5, -0.8), (-0.5, 0.8)), ((0.55, 0.8), (-0.5, 0.0)), ((-0.2, 0.23), (0.6, -0.8))),
}


def generate(name: str, resolution: int) -> tuple[np.ndarray, np.ndarray]:
    """A watertight triangle mesh, turned outwards, y upwards.

    Args:
        name: one of `NAMES`.
        resolution: cells of marching cubes along each side.

    Returns:
        Vertices (M, 3) and faces (K, 3).

    Raises:
        ValueError: no such mesh.
    """
    if name == "rabbit":
        return rabbit(resolution)
    levels: dict[str, Callable[[np.ndarray], np.ndarray]] = {
        "gear": _gear,
        "torus": _torus,
        "superquadric": _superquadric,
        "knot": _knot,
    }
    if name in _LETTERS:
        return _surface(lambda points: _letter(points, _LETTERS[name]), resolution)
    if name not in levels:
        raise ValueError(f"`name`: no generated mesh {name!r}; there are {', '.join(NAMES)}.")
    return _surface(levels[name], resolution)


def _surface(level: Callable[[np.ndarray], np.ndarray], resolution: int) -> tuple[np.ndarray, np.ndarray]:
    """The zero level of a function that is negative inside, within the cube of side 2.4."""
    axis = np.linspace(-1.2, 1.2, resolution + 1)
    points = np.stack(np.meshgrid(axis, axis, axis, indexing="ij"), axis=-1)
    values = level(points.reshape(-1, 3)).reshape(points.shape[:3])
    vertices, faces, _, _ = marching_cubes(values, 0.0, gradient_direction="ascent")
    return -1.2 + vertices.astype(np.float64) * (axis[1] - axis[0]), faces[:, ::-1].astype(np.int64)


def _torus(points: np.ndarray) -> np.ndarray:
    x, y, z = points.T
    return np.hypot(np.hypot(x, z) - 0.7, y) - 0.28


def _superquadric(points: np.ndarray) -> np.ndarray:
    x, y, z = np.abs(points.T) / [[1.0], [0.55], [0.75]]
    return ((x**3 + z**3) ** (4 / 3) + y**4) ** 0.25 - 1


def _gear(points: np.ndarray) -> np.ndarray:
    """Twelve teeth around a bore."""
    x, y, z = points.T
    radius = np.hypot(x, z)
    rim = 0.85 + 0.12 * np.tanh(3 * np.cos(12 * np.arctan2(z, x)))
    return np.maximum.reduce([radius - rim, 0.35 - radius, np.abs(y) - 0.22])


def _letter(points: np.ndarray, strokes: tuple[tuple[tuple[float, float], ...], ...]) -> np.ndarray:
    near = np.full(len(points), np.inf)
    for stroke in strokes:
        for start, end in pairwise(stroke):
            near = np.minimum(near, _to_segment(points[:, :2], np.array(start), np.array(end)))
    return np.maximum(near - 0.18, np.abs(points[:, 2]) - 0.22)


def _knot(points: np.ndarray) -> np.ndarray:
    """A tube along the trefoil on a torus."""
    u = np.linspace(0, 2 * np.pi, 97)
    ring = 0.62 + 0.26 * np.cos(3 * u)
    line = np.stack([ring * np.cos(2 * u), 0.26 * np.sin(3 * u), ring * np.sin(2 * u)], axis=1)
    near = np.full(len(points), np.inf)
    for start, end in pairwise(line):
        near = np.minimum(near, _to_segment(points, start, end))
    return near - 0.15


def _to_segment(points: np.ndarray, start: np.ndarray, end: np.ndarray) -> np.ndarray:
    axis = end - start
    share = np.clip((points - start) @ axis / (axis @ axis), 0, 1)
    return np.linalg.norm(points - start - share[:, None] * axis, axis=1)
