"""What a reader can turn: meshes, lines and points in space, given by an experiment, kept as one NPZ file."""

from __future__ import annotations

import io
import zlib
from dataclasses import dataclass
from hashlib import sha256
from typing import TYPE_CHECKING, Any
from zipfile import BadZipFile, ZipFile

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import ArrayLike

LIMIT = 200_000  # vertices, and as many triangles twice: what a phone turns and a page carries
BYTES = 64 * 2**20  # unpacked; more is no scene of ours
_LOW, _HIGH = slice(None, -1), slice(1, None)


@dataclass(frozen=True)
class Part:
    """One body of a scene, as `mesh`, `grid`, `lines` and `points` make it.

    Attributes:
        label: what the reader sees beside its colour.
        vertices: (n, 3) float32.
        cells: (m, 3) int32 of triangles, (m, 2) of edges, or (m, 1) of points: indices into `vertices`.
        values: (n,) float32, shown as colours; None for one colour.
    """

    label: str
    vertices: np.ndarray
    cells: np.ndarray
    values: np.ndarray | None = None


def mesh(label: str, vertices: ArrayLike, faces: ArrayLike, values: ArrayLike | None = None) -> Part:
    """A triangle mesh.

    Args:
        label: what the reader sees beside its colour.
        vertices: (n, 3), finite.
        faces: (m, 3) of whole numbers from 0 to n - 1.
        values: (n,), finite, shown as colours; None for one colour.

    Raises:
        ValueError: a shape, an index or a number that cannot be shown.

    Example:
        >>> corner = mesh("a corner", [[0, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 1]], [[0, 2, 1], [0, 1, 3]])
        >>> corner.vertices.shape, corner.cells.shape
        ((4, 3), (2, 3))
    """
    return _part(label, vertices, faces, values, "faces", 3)


def grid(label: str, points: ArrayLike, values: ArrayLike | None = None) -> Part:
    """A mesh of two triangles for each square of a grid of surface points.

    Args:
        label: what the reader sees beside its colour.
        points: (rows, columns, 3), such as a surface at a grid of parameters.
        values: (rows, columns), shown as colours; None for one colour.

    Raises:
        ValueError: a shape or a number that cannot be shown.

    Example:
        >>> grid("a square", [[[0, 0, 0], [0, 1, 0]], [[1, 0, 0], [1, 1, 0]]]).cells.tolist()
        [[0, 1, 3], [0, 3, 2]]
    """
    array = np.asarray(points)
    if array.ndim != 3 or array.shape[2] != 3 or min(array.shape[:2]) < 2:
        raise ValueError(
            f"`points` must have shape (rows, columns, 3) with 2 or more of each; got {array.shape}."
        )
    rows, columns = array.shape[:2]
    corner = np.arange(rows * columns).reshape(rows, columns)
    a, b, c, d = (
        corner[i, j].ravel() for i, j in ((_LOW, _LOW), (_LOW, _HIGH), (_HIGH, _HIGH), (_HIGH, _LOW))
    )
    faces = np.stack([a, b, c, a, c, d], axis=1).reshape(-1, 3)
    return mesh(label, array.reshape(-1, 3), faces, None if values is None else np.asarray(values).ravel())


def lines(label: str, vertices: ArrayLike, edges: ArrayLike) -> Part:
    """Straight lines, such as a net of control points.

    Args:
        label: what the reader sees beside its colour.
        vertices: (n, 3), finite.
        edges: (m, 2) of whole numbers from 0 to n - 1.

    Raises:
        ValueError: a shape, an index or a number that cannot be shown.

    Example:
        >>> lines("a corner", [[0, 0, 0], [1, 0, 0], [1, 1, 0]], [[0, 1], [1, 2]]).cells.shape
        (2, 2)
    """
    return _part(label, vertices, edges, None, "edges", 2)


def net(label: str, points: ArrayLike) -> Part:
    """The lines along the rows and the columns of a grid of points.

    Args:
        label: what the reader sees beside its colour.
        points: (rows, columns, 3), such as control points.

    Raises:
        ValueError: a shape or a number that cannot be shown.

    Example:
        >>> net("a square", [[[0, 0, 0], [0, 1, 0]], [[1, 0, 0], [1, 1, 0]]]).cells.tolist()
        [[0, 1], [2, 3], [0, 2], [1, 3]]
    """
    array = np.asarray(points)
    if array.ndim != 3 or array.shape[2] != 3:
        raise ValueError(f"`points` must have shape (rows, columns, 3); got {array.shape}.")
    corner = np.arange(array.shape[0] * array.shape[1]).reshape(array.shape[:2])
    along = [np.stack([corner[:, :-1], corner[:, 1:]], -1), np.stack([corner[:-1], corner[1:]], -1)]
    return lines(label, array.reshape(-1, 3), np.concatenate([pairs.reshape(-1, 2) for pairs in along]))


def path(label: str, points: ArrayLike) -> Part:
    """One line through points, (n, 3), in their order; raises `ValueError` as `lines` does.

    Example:
        >>> path("a corner", [[0, 0, 0], [1, 0, 0], [1, 1, 0]]).cells.tolist()
        [[0, 1], [1, 2]]
    """
    first = np.arange(len(np.asarray(points)) - 1)
    return lines(label, points, np.stack([first, first + 1], axis=1))


def points(label: str, vertices: ArrayLike) -> Part:
    """Dots, (n, 3), such as a cloud; raises `ValueError` as `mesh` does.

    Example:
        >>> points("two", [[0, 0, 0], [1, 0, 0]]).cells.tolist()
        [[0], [1]]
    """
    return _part(label, vertices, np.arange(len(np.asarray(vertices)))[:, None], None, "vertices", 1)


def joined(label: str, parts: Sequence[Part]) -> Part:
    """One body of several of a kind, such as the outlines of many slices.

    Raises:
        ValueError: there is none, or they are not of one kind.

    Example:
        >>> joined("both", [points("a", [[0, 0, 0]]), points("b", [[1, 0, 0]])]).cells.tolist()
        [[0], [1]]
    """
    if len({(part.cells.shape[1], part.values is None) for part in parts}) != 1:
        raise ValueError("`parts` must be one or more of one kind, all with values or all without.")
    offsets = np.cumsum([0, *(len(part.vertices) for part in parts[:-1])])
    values = [part.values for part in parts if part.values is not None]
    return _part(
        label,
        np.concatenate([part.vertices for part in parts]),
        np.concatenate([part.cells + offset for part, offset in zip(parts, offsets, strict=True)]),
        np.concatenate(values) if values else None,
        "parts",
        parts[0].cells.shape[1],
    )


def check_size(parts: Sequence[Part]) -> None:
    """Sees that a scene is neither empty nor too large for a page.

    Raises:
        ValueError: it is.
    """
    if not parts:
        raise ValueError("`parts` is empty: a scene needs a mesh, lines or points.")
    vertices, cells = (sum(len(getattr(part, name)) for part in parts) for name in ("vertices", "cells"))
    if vertices > LIMIT or cells > 2 * LIMIT:
        raise ValueError(
            f"`parts` has {vertices:,} vertices and {cells:,} cells; a page carries {LIMIT:,} and "
            f"{2 * LIMIT:,} for each scene. Make the mesh coarser."
        )


def pack(parts: Sequence[Part]) -> bytes:
    """Writes a scene as NPZ: `label-0`, `vertices-0`, `cells-0`, where it has them `values-0`, and so on."""
    arrays: dict[str, Any] = {}
    for i, part in enumerate(parts):
        arrays |= {
            f"label-{i}": np.array(part.label),
            f"vertices-{i}": part.vertices,
            f"cells-{i}": part.cells,
        }
        if part.values is not None:
            arrays[f"values-{i}"] = part.values
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **arrays)
    return buffer.getvalue()


def read(file: Path, checksum: str) -> list[Part]:
    """Reads a scene that may come from a stranger: nothing in it is executed, and all of it is checked again.

    Args:
        file: that `pack` made.
        checksum: SHA-256 that it must have.

    Raises:
        ValueError: it is damaged, or no scene; the message says how.
    """
    try:
        content = file.read_bytes()
    except OSError as error:
        raise ValueError(f"it cannot be read ({error.strerror})") from error
    if sha256(content).hexdigest() != checksum:
        raise ValueError("its checksum is not the one that result.json holds")
    try:
        with ZipFile(io.BytesIO(content)) as archive:
            unpacked = sum(entry.file_size for entry in archive.infolist())
        if unpacked > BYTES:
            raise ValueError(f"it unpacks to {unpacked:,} bytes, more than {BYTES:,}")
        with np.load(io.BytesIO(content), allow_pickle=False) as arrays:
            found = dict(arrays)
        parts = [
            _part(
                str(found[f"label-{i}"]),
                found[f"vertices-{i}"],
                found[f"cells-{i}"],
                found.get(f"values-{i}"),
                "cells",
                found[f"cells-{i}"].shape[-1],
            )
            for i in range(sum(name.startswith("label-") for name in found))
        ]
        check_size(parts)
    except (BadZipFile, KeyError, IndexError, EOFError, OSError, NotImplementedError, zlib.error) as error:
        raise ValueError(f"it holds no scene ({error})") from error
    return parts


def _part(
    label: str, vertices: ArrayLike, cells: ArrayLike, values: ArrayLike | None, name: str, corners: int
) -> Part:
    if corners not in (1, 2, 3):
        raise ValueError(f"`{name}` must have 1, 2 or 3 corners each; got {corners}.")
    places, indices = np.asarray(vertices), np.asarray(cells)
    if places.ndim != 2 or places.shape[1] != 3 or not len(places):
        raise ValueError(f"`vertices` must have shape (n, 3) with n > 0; got {places.shape}.")
    if indices.ndim != 2 or indices.shape[1] != corners or not len(indices):
        raise ValueError(f"`{name}` must have shape (m, {corners}) with m > 0; got {indices.shape}.")
    if indices.dtype.kind not in "iu":
        raise ValueError(f"`{name}` must hold whole numbers; got {indices.dtype}. Convert it to int32.")
    if indices.min() < 0 or indices.max() >= len(places):
        k = int(np.flatnonzero(((indices < 0) | (indices >= len(places))).any(1))[0])
        raise ValueError(
            f"`{name}` must point at vertices 0 to {len(places) - 1}; {name}[{k}] = {indices[k].tolist()}."
        )
    kept = _finite("vertices", places)
    colours = None
    if values is not None:
        colours = _finite("values", np.asarray(values))
        if colours.shape != (len(places),):
            raise ValueError(
                f"`values` must have one number for each of the {len(places)} vertices; got {colours.shape}."
            )
    return Part(label, kept, indices.astype(np.int32), colours)


def _finite(name: str, array: np.ndarray) -> np.ndarray:
    if array.dtype.kind not in "fiu":
        raise ValueError(f"`{name}` must hold real numbers; got {array.dtype}.")
    with np.errstate(over="ignore"):  # too large for float32 is an infinity, and refused as one
        single = array.astype(np.float32)
    if not np.isfinite(single).all():
        place = tuple(int(k) for k in np.argwhere(~np.isfinite(single))[0])
        raise ValueError(f"`{name}` must be finite; {name}{list(place)} = {array[place]}. Leave it out.")
    return single
