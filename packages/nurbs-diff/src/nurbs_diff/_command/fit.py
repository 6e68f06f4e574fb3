"""`nurbs fit`: points in, a surface out."""

from __future__ import annotations

import io
import re
from typing import TYPE_CHECKING

from rich.console import Console
from rich.progress import Progress

from nurbs_diff import files
from nurbs_diff._command import target
from nurbs_diff._fitting.cloud import CloudFit, fit_cloud
from nurbs_diff._fitting.surface import SurfaceFit, fit_surface
from nurbs_diff._splines import Surface
from nurbs_diff.files import _atomic
from nurbs_diff.files._write import WRITERS

if TYPE_CHECKING:
    from torch import Tensor

    from nurbs_diff._command.main import Fit


def fit(command: Fit) -> None:
    """Checks everything first; writes when all is done."""
    size = _size(command.size)
    target.check("--out", command.out, list(WRITERS))
    if command.plot is not None:
        target.check("--plot", command.plot, target.PICTURES)
    if command.unit is not None and command.out.suffix.lower() not in target.WITH_UNITS:
        raise ValueError(
            f"--unit: {command.out.suffix} says nothing of units. Leave it out, or write a .step."
        )
    points = files.read_points(command.file)
    if points.shape[-1] != 3 and command.out.suffix.lower() != ".json":
        raise ValueError(
            f"{command.file}: points with {points.shape[-1]} coordinates go into a .json alone; --out names "
            f"a {command.out.suffix}."
        )
    with Progress(console=Console(stderr=True), transient=True) as bar:
        found = _fitted(command, points, size, bar)
    picture = None if command.plot is None else _drawn(found, command.plot.suffix.lower())
    surface = Surface(found.control_points, found.knots_u, found.knots_v)
    files.write(command.out, surface, unit=command.unit)
    if command.plot is not None and picture is not None:
        _atomic.write_bytes(command.plot, picture)
    console = Console()
    console.print(repr(found), highlight=False, soft_wrap=True)
    console.print(f"{command.out}: 1 surface", highlight=False, soft_wrap=True)


def _size(word: str) -> tuple[int, int]:
    match = re.fullmatch(r"(\d{1,6})[xX](\d{1,6})", word.strip())
    if match is None:
        raise ValueError(f"--size {word}: two numbers of control points must stand there, such as 12x12.")
    return int(match[1]), int(match[2])


def _fitted(command: Fit, points: Tensor, size: tuple[int, int], bar: Progress) -> SurfaceFit | CloudFit:
    task = bar.add_task("fit", total=None)

    def progress(done: int, total: int, _error: float) -> None:
        bar.update(task, completed=done, total=total)

    if points.ndim == 3:
        return fit_surface(points, command.degree, size, knots=command.knots, callback=progress)
    if command.knots == "free":
        raise ValueError("--knots free needs a grid, .npy of shape (r, s, 3). Leave it out for a cloud.")
    return fit_cloud(points, command.degree, size, smoothing=command.smoothing, callback=progress)


def _drawn(found: SurfaceFit | CloudFit, ending: str) -> bytes:
    stream = io.BytesIO()
    found.plot().savefig(stream, format=ending.removeprefix("."), dpi=150)
    return stream.getvalue()
