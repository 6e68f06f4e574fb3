"""What the command `nurbs` writes to, looked at before any work is done."""

from __future__ import annotations

import importlib.util
from typing import TYPE_CHECKING

import torch

from nurbs_diff._geometry.tessellation import tessellate_surface
from nurbs_diff._mesh import TriangleMesh
from nurbs_diff.files import _atomic

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from nurbs_diff._splines import Surface

PICTURES = [".png", ".svg", ".pdf"]
WITH_UNITS = {".step", ".stp", ".iges", ".igs"}


def check(option: str, path: Path, endings: Sequence[str]) -> None:
    """Raises unless the ending is one of `endings`, and the folder is there."""
    if path.suffix.lower() not in endings:
        raise ValueError(f"{option} {path}: the name must end in one of {', '.join(endings)}.")
    _atomic.check_folder(path)
    if endings is PICTURES and importlib.util.find_spec("matplotlib") is None:
        raise ImportError(f'{option} needs matplotlib: pip install "nurbs-diff[plot]".')


def tessellated(surfaces: Sequence[Surface], tolerance: float) -> TriangleMesh:
    """The meshes of all surfaces as one."""
    meshes = [tessellate_surface(*s[:3], weights=s.weights, tolerance=tolerance) for s in surfaces]
    offsets = [0]
    for mesh in meshes:
        offsets.append(offsets[-1] + len(mesh.vertices))
    return TriangleMesh(
        torch.cat([mesh.vertices for mesh in meshes]),
        torch.cat([mesh.faces + offset for mesh, offset in zip(meshes, offsets, strict=False)]),
        torch.cat([mesh.parameters for mesh in meshes]),
    )
