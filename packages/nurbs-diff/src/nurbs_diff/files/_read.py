"""Reading splines by the ending of the name."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from nurbs_diff.files import _iges_read, _json, _smesh, _step_read

if TYPE_CHECKING:
    import os

    from nurbs_diff.files._contents import Contents

READERS = {
    ".json": _json.read,
    ".smesh": _smesh.read,
    ".dat": _smesh.read,
    ".step": _step_read.read,
    ".stp": _step_read.read,
    ".iges": _iges_read.read,
    ".igs": _iges_read.read,
}


def read(path: str | os.PathLike[str]) -> Contents:
    """The B-spline curves, surfaces and volumes of a file, whatever their number.

    - STEP: every B-spline curve and surface (with knots, uniform, quasi-uniform, Bezier; rational or not), in
      the order of the file. Faces are not trimmed, placements in an assembly are not followed.
    - IGES: entities 126 and 128, moved by their matrices 124.
    - geomdl's JSON: curves, surfaces or volumes; trims are left aside.
    - geomdl's surface mesh: one surface.

    What is left aside is counted in `Contents.unread`. Weights come as the file has them; None where it says
    that a spline is polynomial (the surface mesh: where all are 1).

    Args:
        path: ends in .json, .smesh, .dat, .step, .stp, .iges or .igs.

    Returns:
        Float64 splines, with the unit of length where the file names one. Time and memory grow with the size
        of the file; no count in it is trusted before as many numbers are there.

    Raises:
        ValueError: the file is malformed, or holds no B-spline; says where.
        OSError: the file cannot be opened.

    ISO 10303-21 and -42; IGES 5.3, sections 4.23 and 4.24.

    >>> import tempfile, torch
    >>> from nurbs_diff import Surface, uniform_knots
    >>> from nurbs_diff.files import read, write
    >>> knots = uniform_knots(4, degree=3)
    >>> surface = Surface(torch.rand(4, 4, 3, dtype=torch.float64), knots, knots)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     write(f"{folder}/surface.step", surface, unit="inch")
    ...     contents = read(f"{folder}/surface.step")
    >>> contents, torch.equal(contents.only().control_points, surface.control_points)
    (Contents(1 surface in inch), True)
    """
    path = Path(path)
    reader = READERS.get(path.suffix.lower())
    if reader is None:
        raise ValueError(
            f"{path}: the name of a file of splines must end in one of {', '.join(READERS)}; got "
            f"{path.suffix!r}."
        )
    data = path.read_bytes()
    try:
        return reader(data)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from error
