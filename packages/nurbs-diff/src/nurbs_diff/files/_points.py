"""Points to be fitted, by the ending of the name."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch

from nurbs_diff.files import _points_npy, _points_ply, _points_text

if TYPE_CHECKING:
    import os

    from jaxtyping import Float
    from torch import Tensor

READERS = {
    ".ply": _points_ply.read,
    ".obj": _points_text.read_obj,
    ".xyz": _points_text.read,
    ".csv": _points_text.read,
    ".txt": _points_text.read,
    ".npy": _points_npy.read,
}


def read_points(path: str | os.PathLike[str]) -> Float[Tensor, "*grid dim"]:
    r"""The points of a cloud, a mesh or a grid.

    - PLY (text or binary) and OBJ: the vertices; faces and further properties are left aside.
    - XYZ, CSV, TXT: one point a line, three numbers first, separated by blanks, commas, semicolons or tabs;
      lines that begin with # and a first line of names are skipped.
    - NPY: shape (n, dim), or (r, s, dim) for a grid.

    Args:
        path: ends in .ply, .obj, .xyz, .csv, .txt or .npy.

    Returns:
        Float64, shape (n, 3), or that of the array.

    Raises:
        ValueError: the file is malformed, or has no points, or some that are not finite; says where.
        OSError: the file cannot be opened.

    >>> import tempfile
    >>> from pathlib import Path
    >>> from nurbs_diff.files import read_points
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder) / "cloud.xyz"
    ...     _ = path.write_text("0 0 1\n0.5 0 2\n")
    ...     read_points(path).shape
    torch.Size([2, 3])
    """
    path = Path(path)
    reader = READERS.get(path.suffix.lower())
    if reader is None:
        raise ValueError(
            f"{path}: the name of a file of points must end in one of {', '.join(READERS)}; got "
            f"{path.suffix!r}."
        )
    data = path.read_bytes()
    try:
        points = reader(data)
        if points.size == 0:
            raise ValueError("there are no points in it.")
        if not np.isfinite(points).all():
            place = np.argwhere(~np.isfinite(points))[0].tolist()
            raise ValueError(f"point {place[:-1]} has coordinate {points[tuple(place)]}. Drop its row.")
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from error
    return torch.from_numpy(np.ascontiguousarray(points, np.float64))
