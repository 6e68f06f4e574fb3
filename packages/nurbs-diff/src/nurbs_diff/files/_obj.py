"""Wavefront OBJ: triangles out, with the surface's parameters as texture coordinates."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nurbs_diff.files._triangles import arrays

if TYPE_CHECKING:
    from nurbs_diff._mesh import TriangleMesh


def write(mesh: TriangleMesh) -> bytes:
    """See `files.write`."""
    vertices, parameters, faces = arrays(mesh)
    lines = [f"v {x!r} {y!r} {z!r}\n" for x, y, z in vertices.tolist()]
    lines += [f"vt {u!r} {v!r}\n" for u, v in parameters.tolist()]
    lines += [f"f {a}/{a} {b}/{b} {c}/{c}\n" for a, b, c in (faces + 1).tolist()]
    return "".join(lines).encode()
