"""Stanford PLY: triangles out (binary, float64, the surface's parameters as s and t)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from nurbs_diff.files._triangles import arrays

if TYPE_CHECKING:
    from nurbs_diff._mesh import TriangleMesh


def write(mesh: TriangleMesh) -> bytes:
    """See `files.write`."""
    vertices, parameters, faces = arrays(mesh)
    header = [
        "ply",
        "format binary_little_endian 1.0",
        f"element vertex {len(vertices)}",
        *(f"property double {name}" for name in "xyzst"),
        f"element face {len(faces)}",
        "property list uchar int vertex_indices",
        "end_header\n",
    ]
    rows = np.zeros(len(faces), np.dtype([("count", "u1"), ("vertices", "<i4", 3)]))
    rows["count"], rows["vertices"] = 3, faces
    points = np.concatenate([vertices, parameters], 1).astype("<f8")
    return "\n".join(header).encode() + points.tobytes() + rows.tobytes()
