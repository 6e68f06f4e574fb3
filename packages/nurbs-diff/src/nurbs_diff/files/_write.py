"""Writing splines and meshes by the ending of the name."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from nurbs_diff._mesh import TriangleMesh
from nurbs_diff.files import _atomic, _iges_write, _json, _obj, _ply, _smesh, _step_write, _stl
from nurbs_diff.files._given import as_spline

if TYPE_CHECKING:
    import os

    from nurbs_diff._modules.modules import NurbsCurve, NurbsSurface, NurbsVolume
    from nurbs_diff._splines import Curve, Surface, Volume

WRITERS = {
    ".json": _json.write,
    ".smesh": _smesh.write,
    ".dat": _smesh.write,
    ".step": _step_write.write,
    ".stp": _step_write.write,
    ".iges": _iges_write.write,
    ".igs": _iges_write.write,
}
MESH_WRITERS = {".obj": _obj.write, ".ply": _ply.write, ".stl": _stl.write}


def write(
    path: str | os.PathLike[str],
    *shapes: Curve | Surface | Volume | NurbsCurve | NurbsSurface | NurbsVolume | TriangleMesh,
    unit: str | None = None,
) -> None:
    """Writes splines, or one mesh, as the ending of the name says.

    Numbers have as many digits as float64 needs to come back to the last bit. The file is there whole or not
    at all; one that was there before is replaced.

    Args:
        path: .json, .smesh, .step or .iges (or .stp, .igs, .dat) for splines; .obj, .ply (binary,
            float64) or .stl (binary, float32) for a mesh.
        shapes: splines without a batch, of degree 1 or more. STEP and IGES: in space, interior knots at most
            degree times. JSON: one kind a file. Modules are written as they are now.
        unit: of length, for STEP and IGES: "mm" (if None), "cm", "m", "km", "um", "inch", "ft", "mile" or
            "mil". Coordinates are not scaled.

    Raises:
        ValueError: the format cannot hold what is given, or there is no such folder.
        TypeError: it is no spline and no mesh.
        OSError: the disk refuses.

    >>> import tempfile, torch
    >>> from nurbs_diff import NurbsSurface, uniform_knots
    >>> from nurbs_diff.files import write
    >>> knots = uniform_knots(5, degree=2)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     write(f"{folder}/surface.iges", NurbsSurface(torch.rand(5, 5, 3), knots, knots))
    """
    path = Path(path)
    ending = path.suffix.lower()
    if ending not in WRITERS | MESH_WRITERS:
        raise ValueError(
            f"{path}: the name must end in one of {', '.join(WRITERS | MESH_WRITERS)}; got {path.suffix!r}."
        )
    _atomic.check_folder(path)
    if not shapes:
        raise ValueError(f"{path}: there is nothing to write. Name at least one spline or mesh.")
    try:
        data = _encoded(ending, shapes, unit)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from error
    _atomic.write_bytes(path, data)


def _encoded(ending: str, shapes: tuple[object, ...], unit: str | None) -> bytes:
    meshes = [shape for shape in shapes if isinstance(shape, TriangleMesh)]
    if ending in WRITERS and not meshes:
        return WRITERS[ending]([as_spline(shape) for shape in shapes], unit)
    if ending in WRITERS:
        raise ValueError(f"a mesh is written as {', '.join(MESH_WRITERS)}.")
    if len(meshes) != 1 or len(shapes) != 1:
        raise ValueError(
            f"{ending} holds one mesh. Make it with `tessellate_surface`, or write splines as .step, .iges "
            "or .json."
        )
    if unit is not None:
        raise ValueError(f"{ending} says nothing of units. Leave `unit` out.")
    return MESH_WRITERS[ending](meshes[0])
