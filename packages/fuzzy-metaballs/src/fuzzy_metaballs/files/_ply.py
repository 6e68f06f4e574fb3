"""PLY, the format of scanners: tables of named columns. Written binary, read binary and text."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from fuzzy_metaballs.files._arrays import shown
from fuzzy_metaballs.files._bytes import Bytes

if TYPE_CHECKING:
    from pathlib import Path

# Both families of names that writers use.
_TYPES = {
    "char": "i1", "uchar": "u1", "short": "i2", "ushort": "u2", "int": "i4", "uint": "u4", "float": "f4",
    "double": "f8", "int8": "i1", "uint8": "u1", "int16": "i2", "uint16": "u2", "int32": "i4", "uint32": "u4",
    "float32": "f4", "float64": "f8",
}  # fmt: skip
_ORDERS = {"binary_little_endian": "<", "binary_big_endian": ">", "ascii": ""}
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
    lines = [line for line in lines if line]
    if not lines or lines[0] != ["ply"]:
        raise ValueError(f"{path}: is no PLY file: it must begin with `ply` and have an `end_header`.")
    layout, count, columns = _header(path, lines)
    if layout == "ascii":
        rows = data.data[end:].split()[: count * len(columns)]
        if len(rows) < count * len(columns):
            raise ValueError(
                f"{path}: ends after {len(rows)} of {count * len(columns)} numbers. It is cut short."
            )
        try:
            values = np.array([float(word) for word in rows]).reshape(count, len(columns))
        except ValueError as error:
            raise ValueError(f"{path}: a vertex must have numbers alone: {shown(str(error))}.") from error
        return {name: values[:, i] for i, name in enumerate(columns)}
    data.position = end
    table = data.array(np.dtype([(name, _ORDERS[layout] + kind) for name, kind in columns.items()]), count)
    return {name: table[name].astype(np.float64) for name in columns}


def _header(path: Path, lines: list[list[str]]) -> tuple[str, int, dict[str, str]]:
    """The format, and of the vertices, which come first, their number and the types of their columns."""
    layout, count, columns = "none", -1, {}
    for line in lines:
        match line:
            case ["format", name, _]:
                layout = name
            case ["element", "vertex", number] if count < 0 and number.isdecimal() and len(number) < 16:
                count = int(number)
            case ["element", *_] if count < 0:
                raise ValueError(
                    f"{path}: the first element must be `vertex`, with its number. Write it again with "
                    "another program."
                )
            case ["element", *_]:
                break
            case ["property", kind, name] if kind in _TYPES and name not in columns:
                columns[name] = _TYPES[kind]
            case ["property", *_]:
                raise ValueError(
                    f"{path}: a vertex must have numbers alone; got {shown(' '.join(line))!r}. Each has a "
                    "name of its own."
                )
    if layout not in _ORDERS:
        raise ValueError(f"{path}: the format must be one of {', '.join(_ORDERS)}; got {shown(layout)}.")
    if count < 0 or not columns:
        raise ValueError(f"{path}: has no vertices with numbers. Write it again with another program.")
    return layout, count, columns
