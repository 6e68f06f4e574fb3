"""Triangle meshes and clouds of points out."""

from __future__ import annotations

import json
import struct
from typing import TYPE_CHECKING

import numpy as np

from fuzzy_metaballs.files._atomic import target, write_bytes
from fuzzy_metaballs.files._ply import ply_bytes

if TYPE_CHECKING:
    import os

    from jaxtyping import Array, Float

    from fuzzy_metaballs._mesh import Mesh


def write_mesh(path: str | os.PathLike[str], mesh: Mesh) -> None:
    """Writes vertices, normals and triangles as the ending says: .ply, .glb, .obj or .stl.

    GLB and binary PLY and STL hold single precision; OBJ is text with nine digits. GLB's axes are as in the
    mesh: y counts as up.

    Args:
        path: where to.
        mesh: as `to_mesh` returns it.

    Raises:
        ValueError: the name has another ending or its folder is missing, or a vertex is not finite.
    """
    formats = {".ply": _ply, ".glb": _glb, ".obj": _obj, ".stl": _stl}
    path = target(path, list(formats))
    finite = np.isfinite(mesh.vertices).all(1)
    if not finite.all():
        place = int(np.argmin(finite))
        raise ValueError(
            f"`mesh.vertices` must be finite; vertices[{place}] = {mesh.vertices[place]}. "
            f"{path} is not written."
        )
    write_bytes(path, formats[path.suffix.lower()](mesh))


def write_points(path: str | os.PathLike[str], points: Float[Array | np.ndarray, "m 3"]) -> None:
    """Writes a cloud of points, in single precision, as a binary .ply.

    Args:
        path: where to.
        points: (M, 3), such as those of `sample_points`.

    Raises:
        ValueError: the name has another ending or its folder is missing, or `points` has another shape.
    """
    path = target(path, [".ply"])
    points = np.asarray(points)
    if points.ndim != 2 or points.shape[1] != 3 or not np.isfinite(points).all():
        raise ValueError(f"`points` must be finite with shape (M, 3); got shape {points.shape}.")
    write_bytes(path, ply_bytes(_table({"x": points[:, 0], "y": points[:, 1], "z": points[:, 2]})))


def _table(columns: dict[str, np.ndarray]) -> np.ndarray:
    table = np.empty(len(next(iter(columns.values()))), [(name, "f4") for name in columns])
    for name, values in columns.items():
        table[name] = values
    return table


def _ply(mesh: Mesh) -> bytes:
    names = ("x", "y", "z", "nx", "ny", "nz")
    return ply_bytes(
        _table(dict(zip(names, np.hstack([mesh.vertices, mesh.normals]).T, strict=True))), mesh.faces
    )


def _obj(mesh: Mesh) -> bytes:
    lines = ["v {:.9g} {:.9g} {:.9g}".format(*vertex) for vertex in mesh.vertices]
    lines += ["vn {:.9g} {:.9g} {:.9g}".format(*normal) for normal in mesh.normals]
    lines += ["f {0}//{0} {1}//{1} {2}//{2}".format(*face) for face in mesh.faces + 1]
    return ("\n".join(lines) + "\n").encode()


def _stl(mesh: Mesh) -> bytes:
    corners = mesh.vertices[mesh.faces]
    normals = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    normals /= np.maximum(np.linalg.norm(normals, axis=1, keepdims=True), np.finfo(float).tiny)
    table = np.zeros(len(corners), [("normal", "<f4", 3), ("corners", "<f4", (3, 3)), ("attribute", "<u2")])
    table["normal"], table["corners"] = normals, corners
    return b"fuzzy-metaballs".ljust(80) + struct.pack("<I", len(corners)) + table.tobytes()


def _glb(mesh: Mesh) -> bytes:
    """A glTF 2.0 file in one piece: a JSON chunk that describes one chunk of numbers."""
    parts = [mesh.vertices.astype("<f4"), mesh.normals.astype("<f4"), mesh.faces.astype("<u4")]
    starts = np.cumsum([0] + [part.nbytes for part in parts]).tolist()
    numbers, whole = 5126, 5125  # glTF's names of float and unsigned int
    box = {"min": parts[0].min(0).tolist(), "max": parts[0].max(0).tolist()} if len(parts[0]) else {}
    count = len(mesh.vertices)
    description = {
        "asset": {"version": "2.0", "generator": "fuzzy-metaballs"},
        "scene": 0,
        "scenes": [{"nodes": [0]}],
        "nodes": [{"mesh": 0}],
        "meshes": [{"primitives": [{"attributes": {"POSITION": 0, "NORMAL": 1}, "indices": 2}]}],
        "accessors": [
            {"bufferView": 0, "componentType": numbers, "count": count, "type": "VEC3", **box},
            {"bufferView": 1, "componentType": numbers, "count": count, "type": "VEC3"},
            {"bufferView": 2, "componentType": whole, "count": mesh.faces.size, "type": "SCALAR"},
        ],
        "bufferViews": [
            {
                "buffer": 0,
                "byteOffset": start,
                "byteLength": part.nbytes,
                "target": 34963 if i == 2 else 34962,
            }
            for i, (start, part) in enumerate(zip(starts, parts, strict=False))
        ],
        "buffers": [{"byteLength": starts[-1]}],
    }
    text = json.dumps(description).encode()
    text += b" " * (-len(text) % 4)
    data = b"".join(part.tobytes() for part in parts)
    chunks = struct.pack("<I4s", len(text), b"JSON") + text + struct.pack("<I4s", len(data), b"BIN\0") + data
    return struct.pack("<4sII", b"glTF", 2, 12 + len(chunks)) + chunks
