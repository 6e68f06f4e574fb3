"""A mesh as arrays, checked for all formats."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from nurbs_diff._mesh import TriangleMesh


def arrays(mesh: TriangleMesh) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Vertices (v, 3) and parameters (v, 2) in float64, faces (f, 3) in int64.

    Raises:
        ValueError: vertices that are not in space or not finite, or faces that name no vertex.
    """
    vertices = mesh.vertices.detach().cpu().double().numpy()
    parameters = mesh.parameters.detach().cpu().double().numpy()
    faces = mesh.faces.cpu().numpy().astype(np.int64)
    if vertices.ndim != 2 or vertices.shape[1] != 3:
        raise ValueError(f"`vertices` of a mesh to be written must have shape (v, 3); got {vertices.shape}.")
    if not np.isfinite(vertices).all():
        place = np.argwhere(~np.isfinite(vertices))[0].tolist()
        raise ValueError(f"`vertices` must be finite; vertices{place} = {vertices[tuple(place)]}.")
    if faces.size and not (faces.min() >= 0 and faces.max() < len(vertices)):
        raise ValueError(
            f"`faces` must name vertices 0 to {len(vertices) - 1}; got {faces.min()} to {faces.max()}."
        )
    return vertices, parameters, faces
