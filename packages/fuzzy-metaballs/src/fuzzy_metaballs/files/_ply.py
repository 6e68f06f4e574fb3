"""PLY, the format of scanners: tables of named columns. Written binary, read binary and text."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from fuzzy_metaballs.files._bytes import Bytes

if TYPE_CHECKING:
    from pathlib import Path

# Both families of names that writers use.
_TYPES = {
    "char": "i1", "uchar": "u1", "short": "i2", "ushort": "u2", "int": "i4", "uint": "u4", "float": "f4",
    "double": "f8", "int8": "i1", "uint8": "u1", "int16": "i2", "uint16": "u2", "int32": "i4", "uint32": "u4",
    "float32": "f4", "float64": "f8",
}  # fmt: skip
_NAMES = {"f4": "float", "f8": "double", "u1": "uchar", "i4": "int"}


def ply_bytes(vertices: np.ndarray, faces: np.ndarray | None = None) -> bytes:
    """A structured array of vertices, and triangles, as a binary file."""
    lines = ["ply", "format binary_little_endian 1.0", f"element vertex {len(vertices)}"]
    fields = [(name, vertices.dtype[name].str[1:]) for name in vertices.dtype.names or ()]
    lines += [f"property {_NAMES[kind]} {name}" for name, kind in fields]
    data = vertices.astype([(name, f"<{kind}") for name, kind in fields]).tobytes()
    if faces is not None:
        lines += [f"element face {len(faces)}", "property list uchar int vertex_indices"]
        table = np.empty(len(faces), [("count", "u1"), ("corners", "<i4", 3)])
        table["count"], table["corners"] = 3, faces
        data += table.tobytes()
    return "\n".join([*lines, "end_header", ""]).encode() + data


def read_ply_vertices(path: Path) -> dict[str, np.ndarray]:
    """The columns of the vertices, by name, as float64.

    Raises:
        ValueError: the file is no PLY, is cut short, or its vertices do not come first.
    """
    data = Bytes(path)
    end = data.data.find(b"end_header")
    end = data.data.find(b"\n", end) + 1 if end >= 0 else 0
    lines = [line.split() for line in data.data[:end].decode("ascii", "replace").splitlines()]
    if not lines or lines[0] != ["ply"]:
        raise ValueError(f"{path}: is no PLY file: it must begin with `ply` and have an `end_header`.")
    layout = next((line[1] for line in lines if line[0] == "format"), "none")
    orders = {"binary_little_endian": "<", "binary_big_endian": ">", "ascii": ""}
    if layout not in orders:
        raise ValueError(f"{path}: the format must be one of {', '.join(orders)}; got {layout}.")
    first = next((i for i, line in enumerate(lines) if line[0] == "element"), len(lines))
    if first == len(lines) or lines[first][1] != "vertex":
        raise ValueError(f"{path}: the first element must be `vertex`. Write it again with another program.")
    columns = []
    for line in lines[first + 1 :]:
        if line[0] == "element":
            break
        if line[0] == "property":
            if line[1] not in _TYPES:
                raise ValueError(f"{path}: a vertex must have numbers alone; got {' '.join(line)!r}.")
            columns.append((line[2], _TYPES[line[1]]))
    count = int(lines[first][2])
    if layout == "ascii":
        rows = data.data[end:].split()[: count * len(columns)]
        if len(rows) < count * len(columns):
            raise ValueError(
                f"{path}: ends after {len(rows)} of {count * len(columns)} numbers. It is cut short."
            )
        values = np.array(rows, float).reshape(count, -1)
        return {name: values[:, i] for i, (name, _) in enumerate(columns)}
    data.position = end
    table = data.array(np.dtype([(name, orders[layout] + kind) for name, kind in columns]), count)
    return {name: table[name].astype(np.float64) for name, _ in columns}
