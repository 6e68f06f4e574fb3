"""Triangle meshes as STL."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from implicit_seg.files import _atomic

if TYPE_CHECKING:
    import os

    from implicit_seg._geometry.mesh import SurfaceMesh

_TRIANGLE = np.dtype([("normal", "<f4", 3), ("vertices", "<f4", (3, 3)), ("attribute", "<u2")])


def write_stl(path: str | os.PathLike[str], mesh: SurfaceMesh) -> None:
    """Writes a mesh as binary STL: coordinates (column, row, slice), float32, normals to the outside.

    Args:
        path: ends in .stl.
        mesh: of `ImplicitSpline.mesh`.

    Raises:
        ValueError: another ending, or there is no such folder.
    """
    target = _atomic.target(path, [".stl"])
    triangles = np.zeros(len(mesh.faces), _TRIANGLE)
    corners = mesh.vertices[mesh.faces][..., ::-1]
    normals = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    length = np.linalg.norm(normals, axis=1, keepdims=True)
    triangles["normal"] = normals / np.where(length > 0, length, 1)
    triangles["vertices"] = corners
    header = b"implicit-seg".ljust(80) + np.uint32(len(triangles)).tobytes()
    _atomic.write_bytes(target, header + triangles.tobytes())
