"""The vertices of Stanford PLY, as text or binary."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from nurbs_diff.files import _text

_TYPES = {
    "char": "i1", "int8": "i1", "uchar": "u1", "uint8": "u1", "short": "i2", "int16": "i2", "ushort": "u2",
    "uint16": "u2", "int": "i4", "int32": "i4", "uint": "u4", "uint32": "u4", "float": "f4", "float32": "f4",
    "double": "f8", "float64": "f8",
}  # fmt: skip
_FORMATS = {"ascii": "", "binary_little_endian": "<", "binary_big_endian": ">"}
_LONGEST_HEADER = 1 << 20


class _Element(NamedTuple):
    name: str
    size: int
    properties: list[tuple[str, str]]  # name, type; a list has the type ""


def read(data: bytes) -> np.ndarray:
    """x, y and z of each vertex, shape (n, 3)."""
    order, elements, body = _header(data)
    before: list[_Element] = []
    for element in elements:
        if element.name == "vertex":
            break
        before.append(element)
    else:
        raise ValueError("its header names no element vertex. This is no cloud or mesh.")
    names = [name for name, _ in element.properties]
    missing = [axis for axis in "xyz" if axis not in names]
    if missing or len(set(names)) < len(names):
        raise ValueError(
            f"its vertices must have properties x, y and z, each once; got {_text.shown(' '.join(names))}."
        )
    for other in [*before, element]:
        if any(not kind for _, kind in other.properties):
            raise ValueError(
                f"the element {_text.shown(other.name)} has a list, which is not read before or in vertices. "
                "Save it anew."
            )
    if order == "":
        return _from_text(body, sum(other.size for other in before), element)
    skipped = sum(other.size * np.dtype(kind).itemsize for other in before for _, kind in other.properties)
    row = np.dtype([(name, order + kind) for name, kind in element.properties])
    needed = skipped + element.size * row.itemsize
    if len(body) < needed:
        raise ValueError(
            f"its header promises {needed} bytes of vertices, {len(body)} are there. Fetch it again."
        )
    vertices = np.frombuffer(body, row, element.size, skipped)
    return np.stack([vertices[axis].astype(np.float64) for axis in "xyz"], -1)


def _from_text(body: bytes, skipped: int, element: _Element) -> np.ndarray:
    lines = [line for line in _text.decoded(body).splitlines() if line.strip()]
    lines = lines[skipped : skipped + element.size]
    if len(lines) < element.size:
        raise ValueError(
            f"its header promises {element.size} vertices, {len(lines)} are there. Fetch it again."
        )
    names = [name for name, _ in element.properties]
    places = [names.index(axis) for axis in "xyz"]
    rows = np.empty((len(lines), 3))
    for i, line in enumerate(lines):
        words = line.split()
        if len(words) != len(names):
            raise ValueError(f"vertex {i} has {len(words)} of {len(names)} numbers. Repair the file.")
        rows[i] = [_text.real(words[place], f"vertex {i}") for place in places]
    return rows


def _header(data: bytes) -> tuple[str, list[_Element], bytes]:
    end = data.find(b"end_header", 0, _LONGEST_HEADER)
    newline = data.find(b"\n", end)
    if not data.startswith(b"ply") or end < 0 or newline < 0:
        raise ValueError("it must begin with ply and have a line end_header. This is no whole PLY file.")
    order: str | None = None
    elements: list[_Element] = []
    for number, line in enumerate(data[:end].decode("latin-1").splitlines(), 1):
        match line.split():
            case ["format", name, _] if name in _FORMATS:
                order = _FORMATS[name]
            case ["element", name, count]:
                elements.append(_Element(name, _text.integer(count, f"line {number}"), []))
                if elements[-1].size < 0:
                    raise ValueError(
                        f"line {number}: a count must not be negative; got {count}. Repair the file."
                    )
            case ["property", "list", first, second, name] if elements and {first, second} <= _TYPES.keys():
                elements[-1].properties.append((name, ""))
            case ["property", kind, name] if elements and kind in _TYPES:
                elements[-1].properties.append((name, _TYPES[kind]))
            case [] | ["ply"] | ["comment" | "obj_info", *_]:
                pass
            case _:
                raise ValueError(
                    f"line {number}: {_text.shown(line)} is no line of a PLY header. Repair the file."
                )
    if order is None:
        raise ValueError(f"its header must name a format, one of {', '.join(_FORMATS)}. Repair the file.")
    return order, elements, data[newline + 1 :]
