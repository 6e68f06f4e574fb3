"""Meshes of triangles or tetrahedra."""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping

    from jaxtyping import Float, Int
    from numpy.typing import ArrayLike

CELLS = {1: "line", 2: "triangle", 3: "tetra"}  # the names by which meshio knows them


@dataclass(frozen=True, eq=False)
class SimplexMesh:
    """Triangles in the plane or tetrahedra in space, joined at whole faces.

    Args:
        points: coordinates of the vertices, shape (points, D), D = 2 or 3; each belongs to some cell.
        cells: the D + 1 vertices of each cell, shape (cells, D + 1), in any order.
        sides: parts of the boundary by name, each as the D vertices of its faces, shape (faces, D).

    Raises:
        ValueError: other shapes, no cells, a coordinate that is not finite, a vertex number out of range, a
            vertex that no cell uses, a cell without volume, a face that more than two cells share, a side
            with a face that does not lie on the boundary.
        TypeError: cells that are not integers.

    Example:
        >>> mesh = SimplexMesh([[0, 0], [1, 0], [1, 1], [0, 1]], [[0, 1, 2], [0, 2, 3]])
        >>> mesh
        SimplexMesh(2 triangles, 4 points)
        >>> float(mesh.volumes.sum())
        1.0
    """

    points: Float[np.ndarray, "p ndim"]
    cells: Int[np.ndarray, "c local"]
    sides: Mapping[str, Int[np.ndarray, "f ndim"]]

    def __init__(
        self, points: ArrayLike, cells: ArrayLike, sides: Mapping[str, ArrayLike] | None = None
    ) -> None:
        object.__setattr__(self, "points", np.array(points, dtype=np.float64))
        object.__setattr__(self, "cells", np.array(cells))
        self._check()
        object.__setattr__(self, "cells", self.cells.astype(np.int64))
        named = {name: self._side(name, np.array(faces)) for name, faces in (sides or {}).items()}
        object.__setattr__(self, "sides", MappingProxyType(named))
        for array in (self.points, self.cells, *named.values()):
            array.flags.writeable = False

    def _side(self, name: str, faces: np.ndarray) -> np.ndarray:
        """The faces of a side as they stand in `boundary`: each once, its vertices sorted."""
        ndim = self.ndim
        if faces.ndim != 2 or faces.shape[1] != ndim or faces.dtype.kind not in "iu":
            raise ValueError(
                f"`sides`[{name!r}] must hold the {ndim} vertices of each face, integers of shape "
                f"(faces, {ndim}); got {faces.dtype} of shape {faces.shape}."
            )
        faces = np.unique(np.sort(faces, axis=1).astype(np.int64), axis=0)
        _, numbers = np.unique(np.concatenate([self.boundary, faces]), axis=0, return_inverse=True)
        ends = len(self.boundary)
        strange = ~np.isin(numbers.ravel()[ends:], numbers.ravel()[:ends])
        if strange.any():
            raise ValueError(
                f"`sides`[{name!r}] names the face {faces[int(strange.argmax())]}, which does not lie on the "
                "boundary of the mesh."
            )
        return faces

    def _check(self) -> None:
        points, cells = self.points, self.cells
        if points.ndim != 2 or points.shape[1] not in (2, 3):
            raise ValueError(f"`points` must have the shape (points, 2) or (points, 3); got {points.shape}.")
        if cells.ndim != 2 or cells.shape[1] != points.shape[1] + 1:
            raise ValueError(
                f"`cells` must have the shape (cells, {points.shape[1] + 1}), the vertices of each "
                f"{CELLS[points.shape[1]]}; got {cells.shape}."
            )
        if len(cells) == 0:
            raise ValueError("`cells` is empty. A mesh needs a cell.")
        if cells.dtype.kind not in "iu":
            raise TypeError(f"`cells` must hold integers; its dtype is {cells.dtype}. Use .astype(int).")
        bad = ~np.isfinite(points).all(1)
        if bad.any():
            k = int(bad.argmax())
            raise ValueError(f"`points` must be finite; points[{k}] = {points[k]}.")
        bad = ((cells < 0) | (cells >= len(points))).any(1)
        if bad.any():
            k = int(bad.argmax())
            raise ValueError(f"`cells` holds numbers from 0 to {len(points) - 1}; cells[{k}] = {cells[k]}.")
        unused = np.bincount(cells.ravel(), minlength=len(points)) == 0
        if unused.any():
            k = int(unused.argmax())
            raise ValueError(
                f"no cell uses points[{k}] = {points[k]} ({int(unused.sum())} such points). Remove them: "
                "numpy.unique(cells, return_inverse=True) gives those in use, and the cells renumbered."
            )
        edges = points[cells[:, 1:]] - points[cells[:, :1]]
        size = np.abs(edges).max((1, 2))
        flat = ~(np.abs(np.linalg.det(edges)) > 1e-14 * size ** points.shape[1])
        if flat.any():
            k = int(flat.argmax())
            raise ValueError(f"a cell must have a volume; cells[{k}] = {cells[k]} is flat. Remove it.")
        shared = self._faces[2]
        if (shared > 2).any():
            face = self._faces[0][int((shared > 2).argmax())]
            raise ValueError(f"a face joins two cells at most; the face {face} belongs to {shared.max()}.")

    @classmethod
    def read(cls, path: str | Path) -> SimplexMesh:
        """Reads the triangles or tetrahedra of a file that meshio knows (Gmsh, VTU, XDMF, Abaqus, ...).

        Tetrahedra if there are any, else triangles; points that no cell uses are left out, and so is a third
        coordinate that is the same everywhere. Physical groups of Gmsh on the boundary become `sides`.

        Raises:
            ImportError: meshio is missing (the extra `mesh`).
            ValueError: the file cannot be read, or holds neither.
        """
        try:
            import meshio
        except ImportError:
            raise ImportError(
                'reading meshes needs meshio. Install it with: pip install "fem-diff[mesh]"'
            ) from None
        path = Path(path)
        if not path.is_file():
            raise ValueError(f"there is no file {path}.")
        try:
            mesh = meshio.read(path)
        except (Exception, SystemExit) as error:  # meshio raises whatever it likes about a damaged file
            reason = str(error).partition("\n")[0][:300] or type(error).__name__
            raise ValueError(f"{path} cannot be read as a mesh: {reason}") from error
        try:
            return cls.from_meshio(mesh)
        except ValueError as error:
            raise ValueError(f"{path}: {error}") from error

    @classmethod
    def from_meshio(cls, mesh: Any) -> SimplexMesh:
        """The triangles or tetrahedra of a `meshio.Mesh`, as by `read`.

        Raises:
            ValueError: there are neither, or triangles that do not lie in a plane of constant z.
        """
        for ndim in (3, 2):
            blocks = [block.data for block in mesh.cells if block.type == CELLS[ndim]]
            if blocks:
                cells = np.concatenate(blocks)
                if not cells.size:
                    raise ValueError(f"there are no cells in the mesh, only an empty list of {CELLS[ndim]}.")
                if not 0 <= cells.min() <= cells.max() < len(mesh.points):
                    wrong = cells.min() if cells.min() < 0 else cells.max()
                    raise ValueError(
                        f"a cell has the vertex {wrong}; there are {len(mesh.points)}, counted from 0."
                    )
                used, cells = np.unique(cells, return_inverse=True)
                number = np.full(len(mesh.points), -1)
                number[used] = np.arange(len(used))
                points = np.asarray(mesh.points, dtype=np.float64)[used]
                if ndim == 2 and points.shape[1] == 3:
                    if np.ptp(points[:, 2]) > 0:
                        raise ValueError("the triangles lie on a curved surface; a plane is needed.")
                    points = points[:, :2]
                sides = {name: number[faces] for name, faces in _groups(mesh, ndim - 1).items()}
                return cls(points, cells.reshape(-1, ndim + 1), sides)
        found = sorted({block.type for block in mesh.cells})
        raise ValueError(
            f"there are no triangles or tetrahedra in the mesh, only {', '.join(found) or 'no cells'}."
        )

    @property
    def ndim(self) -> int:
        """The number of directions: 2 for triangles, 3 for tetrahedra."""
        return self.points.shape[1]

    @property
    def bounds(self) -> tuple[tuple[float, float], ...]:
        """The least and the greatest coordinate along each direction."""
        ends = zip(self.points.min(0), self.points.max(0), strict=True)
        return tuple((float(low), float(high)) for low, high in ends)

    @cached_property
    def volumes(self) -> Float[np.ndarray, " c"]:
        """Area or volume of each cell."""
        edges = self.points[self.cells[:, 1:]] - self.points[self.cells[:, :1]]
        return np.abs(np.linalg.det(edges)) / math.factorial(self.ndim)

    @cached_property
    def _faces(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Each face once by its sorted vertices, the cell it was found in, and how many cells share it."""
        corners = list(itertools.combinations(range(self.cells.shape[1]), self.cells.shape[1] - 1))
        faces = np.sort(self.cells[:, corners].reshape(-1, self.cells.shape[1] - 1), axis=1)
        unique, first, counts = np.unique(faces, axis=0, return_index=True, return_counts=True)
        return unique, first // len(corners), counts

    @cached_property
    def boundary(self) -> Int[np.ndarray, "f ndim"]:
        """The vertices of each face that belongs to one cell only."""
        faces, _, counts = self._faces
        return faces[counts == 1]

    def __repr__(self) -> str:
        kind = {2: "triangles", 3: "tetrahedra"}[self.ndim]
        return f"SimplexMesh({len(self.cells)} {kind}, {len(self.points)} points)"


def _groups(mesh: Any, ndim: int) -> dict[str, np.ndarray]:
    """The vertices of the cells in each physical group of some dimension."""
    groups: dict[str, list[np.ndarray]] = {}
    names = {(int(tag), int(dim)): name for name, (tag, dim) in mesh.field_data.items()}
    tags = mesh.cell_data.get("gmsh:physical", [])
    for block, tag in zip(mesh.cells, tags, strict=False):
        if block.type == CELLS[ndim]:
            for number in np.unique(tag):
                name = names.get((int(number), ndim), str(number))
                groups.setdefault(name, []).append(block.data[tag == number])
    return {name: np.concatenate(faces) for name, faces in groups.items()}
