"""Files for ParaView: image data (equal spacing), rectilinear grids, and unstructured grids of simplices."""

from __future__ import annotations

import base64
import os
import struct
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from fem_diff._simplices.mesh import CELLS
from fem_diff._simplices.space import SimplexSpace

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy import ndarray

    from fem_diff._boxes.space import LagrangeSpace
    from fem_diff._field import Field

KINDS = {".vti": "ImageData", ".vtr": "RectilinearGrid"}


def write_vtk(path: str | os.PathLike[str], field: Field, *, name: str = "u") -> None:
    """Writes the nodal values of a function for ParaView, VisIt, pyvista.

    Between the nodes the viewer interpolates linearly, also where the degree is higher (triangles and
    tetrahedra are cut into smaller ones at their nodes): use `Field.on_grid` for finer pictures. A periodic
    direction gets its first nodes again at the end. The file is written beside its place and then renamed, so
    a killed program leaves the old file or the new one.

    Args:
        path: ends in `.vti`, VTK image data, for meshes with equal cells, or `.vtr`, a rectilinear grid, for
            any mesh of a box, or `.vtu`, an unstructured grid, for triangles and tetrahedra.
        field: without batch axes.
        name: of the values in the file.

    Raises:
        ValueError: another ending than the space asks for, batch axes, or a graded mesh for a `.vti`.
        ImportError: a `.vtu` without meshio (the extra `mesh`).

    Example:
        >>> import tempfile, pathlib
        >>> from fem_diff import LagrangeSpace, Poisson, solve, unit_square, write_vtk
        >>> solution = solve(Poisson(LagrangeSpace(unit_square(8), degree=2), source=1.0))
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     write_vtk(pathlib.Path(folder) / "solution.vti", solution)
    """
    path, space = Path(path), field.space
    simplices = isinstance(space, SimplexSpace)
    endings = (".vtu",) if simplices else tuple(KINDS)
    if path.suffix.lower() not in endings:
        raise ValueError(
            f"`path` must end in {' or '.join(endings)} for a {type(space).__name__}; got {path.name!r}."
        )
    if field.u.dim() > space.axes:
        raise ValueError(
            f"write_vtk takes one sample; `u` has batch axes {tuple(field.u.shape[: -space.axes])}. "
            "Write each to a file of its own."
        )
    if simplices:
        _write_unstructured(path, field, space, name)
    else:
        _write(path, _image(path, field, space, name))


def _write_unstructured(path: Path, field: Field, space: SimplexSpace, name: str) -> None:
    try:
        import meshio
    except ImportError:
        raise ImportError(
            'writing a .vtu needs meshio. Install it with: pip install "fem-diff[mesh]"'
        ) from None
    nodes = np.zeros((space.node_shape[0], 3))
    nodes[:, : space.ndim] = np.stack([x.numpy() for x in space.nodes()], 1)
    mesh = meshio.Mesh(
        nodes,
        [meshio.CellBlock(CELLS[space.ndim], space.linear_cells)],
        point_data={name: field.u.detach().cpu().numpy()},
    )
    with _replacing(path) as part:
        mesh.write(part, file_format="vtu")


def _image(path: Path, field: Field, space: LagrangeSpace, name: str) -> str:
    """The file of a box."""
    kind = KINDS[path.suffix.lower()]
    if kind == "ImageData" and space.mesh.is_graded:
        raise ValueError("`path` ends in .vti, which holds equal cells; the mesh is graded. Use .vtr.")
    values = field.u.detach().cpu().numpy()
    values = np.pad(values, [(0, int(ring)) for ring in space.mesh.periodic], mode="wrap")
    axes = [
        np.append(x, ends[1]) if ring else x
        for x, ends, ring in zip(space.node_coordinates, space.mesh.bounds, space.mesh.periodic, strict=True)
    ]
    axes += [np.zeros(1)] * (3 - len(axes))
    extent = " ".join(f"0 {len(x) - 1}" for x in axes)
    spacing = ""
    if kind == "ImageData":
        origin = " ".join(repr(float(x[0])) for x in axes)
        steps = " ".join(repr(float(x[-1] - x[0]) / (len(x) - 1)) if len(x) > 1 else "1.0" for x in axes)
        spacing = f' Origin="{origin}" Spacing="{steps}"'
    coordinates = ""
    if kind == "RectilinearGrid":
        arrays = "".join(_array(letter, x) for letter, x in zip("xyz", axes, strict=True))
        coordinates = f"<Coordinates>\n{arrays}</Coordinates>\n"
    label = _escaped(name)
    return (
        '<?xml version="1.0"?>\n'
        f'<VTKFile type="{kind}" version="1.0" byte_order="LittleEndian" header_type="UInt64">\n'
        f'<{kind} WholeExtent="{extent}"{spacing}>\n<Piece Extent="{extent}">\n'
        f'<PointData Scalars="{label}">\n{_array(label, values)}</PointData>\n<CellData/>\n{coordinates}'
        f"</Piece>\n</{kind}>\n</VTKFile>\n"
    )


def _array(label: str, values: ndarray) -> str:
    """A DataArray element: numbers with the first coordinate running fastest, in base64."""
    size = 4 if values.dtype == np.float32 else 8
    raw = values.ravel(order="F").astype(f"<f{size}").tobytes()
    packed = base64.b64encode(struct.pack("<Q", len(raw)) + raw).decode()
    return f'<DataArray type="Float{8 * size}" Name="{label}" format="binary">{packed}</DataArray>\n'


def _escaped(name: str) -> str:
    # ">" too, which XML would allow: VTK's parser takes it for the end of the tag
    return name.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace('"', "&quot;")


def _write(path: Path, text: str) -> None:
    with _replacing(path) as part:
        part.write_text(text, encoding="ascii", errors="xmlcharrefreplace")


@contextmanager
def _replacing(path: Path) -> Iterator[Path]:
    """A file to write to, which takes the place of `path` when all of it is there."""
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        yield part
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)
