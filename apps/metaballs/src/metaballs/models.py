"""Which meshes an experiment runs on: the user's folder, or those generated in code."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from metaballs._open3d import read_mesh
from metaballs.generated import NAMES, generate

if TYPE_CHECKING:
    from pathlib import Path

TEN = ("armadillo", "buddha", "dragon", "lucy", "bunny", "gear", "eiffel", "yoga1", "plane", "spot")
"""Stand for the paper's ten: arma, buddha, dragon, lucy, bunny, gear, eiffel, yoga, plane; spot for its
rebel, which is not to be had."""

SEVEN = ("armadillo", "buddha", "dragon", "lucy", "bunny", "yoga1", "plane")
"""Those used for pose. The paper takes seven of its ten and does not name them; these have no symmetry."""

_ENDINGS = {".ply", ".obj", ".off", ".stl"}


class Model(NamedTuple):
    """A closed mesh in canonical size: its bounding box centred, its farthest vertex at distance 1.

    Attributes:
        name: of the file or of the generated mesh.
        vertices: (M, 3).
        faces: (K, 3).
    """

    name: str
    vertices: np.ndarray
    faces: np.ndarray

    @property
    def extent(self) -> float:
        """Mean side of the bounding box: the paper's model scale."""
        return float(np.ptp(self.vertices, axis=0).mean())


def load(data: Path | None, count: int, *, resolution: int, wanted: tuple[str, ...] = TEN) -> list[Model]:
    """The first `count` models.

    Args:
        data: a folder of meshes (PLY, OBJ, OFF, STL), or None for the generated ones.
        count: how many at most.
        resolution: cells of marching cubes for the generated ones.
        wanted: names that come first and, where the folder has one of them, alone.

    Raises:
        ValueError: the folder has no mesh.
    """
    if data is None:
        return [_canonical(name, *generate(name, resolution)) for name in NAMES[:count]]
    files = {path.stem: path for path in sorted(data.iterdir()) if path.suffix.lower() in _ENDINGS}
    if not files:
        raise ValueError(f"`--data` {data} has no mesh ({', '.join(sorted(_ENDINGS))}).")
    names = [name for name in wanted if name in files] or list(files)
    return [_canonical(name, *read_mesh(files[name])) for name in names[:count]]


def _canonical(name: str, vertices: np.ndarray, faces: np.ndarray) -> Model:
    vertices = vertices - (vertices.max(0) + vertices.min(0)) / 2
    return Model(name, vertices / np.linalg.norm(vertices, axis=1).max(), faces)
