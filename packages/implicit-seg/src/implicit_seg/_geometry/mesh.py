"""A triangle mesh of the boundary in space."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from implicit_seg._geometry import pointwise

if TYPE_CHECKING:
    from jaxtyping import Float, Int

    from implicit_seg._geometry.frame import Frame


@dataclass(frozen=True)
class SurfaceMesh:
    """Triangles that enclose the inside, closed along the border of the domain.

    Attributes:
        vertices: (k, 3), slice, row and column in units of the spacing.
        faces: (m, 3), indices of vertices; seen from outside, counter-clockwise in the order (column, row,
            slice).
    """

    vertices: Float[np.ndarray, "k 3"]
    faces: Int[np.ndarray, "m 3"]

    @property
    def volume(self) -> float:
        """Enclosed by the triangles, by the divergence theorem."""
        a, b, c = self.vertices[self.faces][..., ::-1].transpose(1, 0, 2)
        return float(np.einsum("ni,ni->", a, np.cross(b, c)) / 6)

    @property
    def area(self) -> float:
        """Of all triangles, those on the border of the domain among them."""
        a, b, c = self.vertices[self.faces].transpose(1, 0, 2)
        return float(np.linalg.norm(np.cross(b - a, c - a), axis=1).sum() / 2)

    def __repr__(self) -> str:
        return f"SurfaceMesh(vertices={len(self.vertices)}, faces={len(self.faces)})"


def march(values: Float[np.ndarray, "a b c"], patches: Float[np.ndarray, "..."], frame: Frame) -> SurfaceMesh:
    """Marching cubes on samples from end to end, closed on the border; then Newton's method on the spline."""
    try:
        from skimage.measure import marching_cubes
    except ImportError as error:
        raise ImportError('a mesh needs scikit-image: pip install "implicit-seg[mesh]".') from error
    if not (values > 0).any():
        return SurfaceMesh(np.zeros((0, 3)), np.zeros((0, 3), np.int64))
    step = frame.extent / (np.array(values.shape) - 1)
    padded = np.pad(values, 1, constant_values=-float(np.abs(values).max()))
    vertices, faces, _, _ = marching_cubes(padded, 0.0, allow_degenerate=False)
    vertices = np.clip((vertices.astype(np.float64) - 1) * step, 0, frame.extent)
    # what lies on the border closes the solid; only the rest lies on the zero set
    inner = ((vertices > 0) & (vertices < frame.extent)).all(1)
    vertices[inner] = pointwise.project(patches, frame, vertices[inner])
    faces = faces.astype(np.int64)
    mesh = SurfaceMesh(vertices, faces)
    return mesh if mesh.volume >= 0 else SurfaceMesh(vertices, np.ascontiguousarray(faces[:, ::-1]))
