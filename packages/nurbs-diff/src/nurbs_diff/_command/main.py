"""The command `nurbs`."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path  # noqa: TC003  # tyro reads the annotations
from typing import TYPE_CHECKING, Literal

import tyro
from rich.console import Console
from rich.table import Table

from nurbs_diff import files
from nurbs_diff._command import fit, target
from nurbs_diff.files._contents import Contents, Spline, listed
from nurbs_diff.files._given import counts_of, degrees_of, knots_of
from nurbs_diff.files._points import READERS as POINT_READERS
from nurbs_diff.files._write import MESH_WRITERS, WRITERS

if TYPE_CHECKING:
    from collections.abc import Sequence

DESCRIPTION = """\
B-spline and NURBS files: fit a surface to points, look into files, convert them, mesh them.

examples:
  nurbs fit cloud.ply --size 12x12 --out surface.step --plot fit.png    a scan becomes a CAD surface
  nurbs fit grid.npy --size 8x8 --knots free --out surface.json         a grid (r, s, 3); knots move too
  nurbs info part.step                                                  what is in it, and what is not read
  nurbs convert part.step part.iges                                     the same numbers, to the last bit
  nurbs convert part.step wing.json --keep surfaces                     for geomdl and Python
  nurbs mesh surface.step surface.stl --tolerance 0.05                  triangles within 0.05 units

Splines: .step .stp .iges .igs .json .smesh .dat. Points: .ply .obj .xyz .txt .csv .npy.
Meshes: .obj .ply .stl.
"""
Unit = Literal["mm", "cm", "m", "km", "um", "inch", "ft", "mile", "mil"]


@dataclass(frozen=True, kw_only=True)
class Fit:
    """Fits a B-spline surface to points and writes it."""

    file: tyro.conf.Positional[Path]
    """The points: .ply, .obj, .xyz, .txt, .csv, or .npy of shape (n, 3), or (r, s, 3) for a grid."""
    size: str
    """Control points in each direction, such as 12x12."""
    out: Path
    """Writes the surface: .step, .iges, .json or .smesh."""
    degree: int = 3
    """Of both directions."""
    smoothing: float = 1e-9
    """Of clouds: how much bending costs. 1e-6 and more flattens noise, 0 needs points everywhere."""
    knots: Literal["uniform", "free"] = "uniform"
    """Of grids: free moves the knots to where the surface bends."""
    unit: Unit | None = None
    """What the coordinates are in, for .step and .iges. None: mm."""
    plot: Path | None = None
    """Draws the surface and its errors: .png, .svg or .pdf."""


@dataclass(frozen=True, kw_only=True)
class Info:
    """Lists what a file of splines or points holds."""

    file: tyro.conf.Positional[Path]
    """Splines or points."""


@dataclass(frozen=True, kw_only=True)
class Convert:
    """Writes the splines of one file to another, coordinates unchanged."""

    source: tyro.conf.Positional[Path]
    """The splines: .step, .stp, .iges, .igs, .json, .smesh or .dat."""
    target: tyro.conf.Positional[Path]
    """Where they go, likewise."""
    keep: Literal["all", "curves", "surfaces", "volumes"] = "all"
    """Only these. The curves of a STEP file are often the edges of its faces."""
    unit: Unit | None = None
    """What the coordinates are in, for .step and .iges. None: as the source says, or else mm."""


@dataclass(frozen=True, kw_only=True)
class Mesh:
    """Writes triangles on the surfaces of a file."""

    source: tyro.conf.Positional[Path]
    """The splines: .step, .stp, .iges, .igs, .json, .smesh or .dat."""
    target: tyro.conf.Positional[Path]
    """The triangles: .obj, .ply or .stl."""
    tolerance: float
    """How far the triangles may be from the surface, in the unit of the file."""


Command = Fit | Info | Convert | Mesh


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs a command; returns the exit code: 0, 2 (refused), 130 (interrupted)."""
    command: Command = tyro.extras.subcommand_cli_from_dict(
        {"fit": Fit, "info": Info, "convert": Convert, "mesh": Mesh},
        args=list(sys.argv[1:] if arguments is None else arguments) or ["--help"],
        prog="nurbs",
        description=DESCRIPTION,
    )
    try:
        run(command)
    except (ValueError, ImportError, OSError) as error:
        print(f"nurbs: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("Interrupted. Nothing was written.", file=sys.stderr)
        return 130
    return 0


def run(command: Command) -> None:
    """Does what is asked, and says what was done."""
    if isinstance(command, Fit):
        fit.fit(command)
    elif isinstance(command, Info):
        _info(command.file)
    elif isinstance(command, Convert):
        _convert(command)
    else:
        _mesh(command)


def _info(path: Path) -> None:
    if path.suffix.lower() in POINT_READERS:
        points = files.read_points(path)
        low, high = points.flatten(0, -2).amin(0).tolist(), points.flatten(0, -2).amax(0).tolist()
        shape = " x ".join(map(str, points.shape[:-1]))
        Console().print(f"{shape} points from {_place(low)} to {_place(high)}", highlight=False)
        return
    contents = files.read(path)
    table = Table("", "degree", "points", "rational", "domain", "points from", "to")
    for spline in contents.splines:
        table.add_row(*_described(spline))
    console = Console()
    console.print(table)
    console.print(repr(contents), highlight=False, soft_wrap=True)


def _described(spline: Spline) -> list[str]:
    net = spline.control_points.reshape(-1, spline.control_points.shape[-1])
    domains = [
        f"[{float(t[p]):g}, {float(t[-p - 1]):g}]"
        for t, p in zip(knots_of(spline).values(), degrees_of(spline), strict=True)
    ]
    return [
        type(spline).__name__.lower(),
        ", ".join(map(str, degrees_of(spline))),
        " x ".join(map(str, counts_of(spline))),
        "no" if spline.weights is None else "yes",
        " x ".join(domains),
        _place(net.amin(0).tolist()),
        _place(net.amax(0).tolist()),
    ]


def _place(point: list[float]) -> str:
    return f"({', '.join(f'{x:.6g}' for x in point)})"


def _convert(command: Convert) -> None:
    target.check("target", command.target, list(WRITERS))
    contents = files.read(command.source)
    splines = contents.splines if command.keep == "all" else getattr(contents, command.keep)
    if not splines:
        raise ValueError(f"{command.source}: {contents!r} has no {command.keep}. Leave --keep out.")
    unit = command.unit
    if unit is None and command.target.suffix.lower() in target.WITH_UNITS:
        unit = contents.unit
    files.write(command.target, *splines, unit=unit)
    _say_written(command.target, f"{len(splines)} of {len(contents.splines)} splines", contents)


def _mesh(command: Mesh) -> None:
    target.check("target", command.target, list(MESH_WRITERS))
    contents = files.read(command.source)
    if not contents.surfaces:
        raise ValueError(f"{command.source}: {contents!r} has no surface to be meshed.")
    mesh = target.tessellated(contents.surfaces, command.tolerance)
    files.write(command.target, mesh)
    made = (
        f"{len(mesh.faces)} triangles with {len(mesh.vertices)} vertices on {len(contents.surfaces)} surfaces"
    )
    _say_written(command.target, made, contents)


def _say_written(path: Path, what: str, contents: Contents) -> None:
    console = Console()
    console.print(f"{path}: {what}", highlight=False, soft_wrap=True)
    if contents.unread:
        console.print(f"not read: {listed(contents.unread)}", highlight=False, soft_wrap=True)
