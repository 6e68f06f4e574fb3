"""Binary STL: triangles out, in float32 as the format has it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from nurbs_diff.files._triangles import arrays

if TYPE_CHECKING:
    from nurbs_diff._mesh import TriangleMesh


def write(mesh: TriangleMesh) -> bytes:
    """See `files.write`."""
    vertices, _, faces = arrays(mesh)
    corners = vertices[faces]
    normals = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    lengths = np.linalg.norm(normals, axis=-1, keepdims=True)
    normals = np.divide(normals, lengths, out=np.zeros_like(normals), where=lengths > 0)
    rows = np.zeros(
        len(faces), np.dtype([("normal", "<f4", 3), ("corners", "<f4", (3, 3)), ("attribute", "<u2")])
    )
    rows["normal"], rows["corners"] = normals, corners
    return b"nurbs-diff".ljust(80) + np.uint32(len(faces)).astype("<u4").tobytes() + rows.tobytes()
