"""What the command `kspline` writes: pictures and tables of pieces."""

from __future__ import annotations

import csv
import importlib.util
import json
import os
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from kspline_core._select import Selection
    from kspline_core._spline import KSpline


class Found(NamedTuple):
    """What there is to be written."""

    y: np.ndarray
    spline: KSpline
    choice: Selection | None


Writer = Callable[[Path, Found], None]


class Target:
    """A file to be written: its writer goes by the ending of its name."""

    def __init__(self, option: str, path: Path, writers: Mapping[str, Writer]) -> None:
        """Sees that the ending is known and the folder there, before any work is done."""
        ending = path.suffix.lower()
        if ending not in writers:
            raise ValueError(f"{option} {path}: the name must end in one of {', '.join(writers)}.")
        if not path.parent.is_dir():
            raise ValueError(f"{option} {path}: there is no folder {path.parent}. Make it first.")
        if ending in PICTURES and importlib.util.find_spec("matplotlib") is None:
            raise ImportError(f'{option} needs matplotlib: pip install "kspline-core[plot]".')
        self._path, self._writer = path, writers[ending]

    def write(self, found: Found) -> None:
        """Writes a file beside its place and then gives it its name: it is there whole or not at all."""
        temporary = self._path.with_name(f".{self._path.stem}.{os.getpid()}{self._path.suffix}")
        try:
            self._writer(temporary, found)
            temporary.replace(self._path)
        finally:
            temporary.unlink(missing_ok=True)


def listed(spline: KSpline) -> Iterator[tuple[int, int, list[float]]]:
    """Of each piece: its first sample, the one after its last, its coefficients."""
    ends = spline.breakpoints.tolist()
    yield from zip(ends[:-1], ends[1:], spline.coefficients.tolist(), strict=True)


def _draw(path: Path, found: Found) -> None:
    from matplotlib.figure import Figure

    if found.choice is None:
        figure = Figure(figsize=(10, 4), layout="constrained")
        ax = figure.add_subplot()
    else:
        figure = Figure(figsize=(14, 4), layout="constrained")
        criterion, ax = figure.subplots(1, 2, width_ratios=(1, 2))
        found.choice.plot(ax=criterion)
    found.spline.plot(found.y, ax=ax)
    ax.legend()
    figure.savefig(path, dpi=150)


def _csv(path: Path, found: Found) -> None:
    spline = found.spline
    with path.open("w", newline="") as file:
        table = csv.writer(file)
        table.writerow(["start", "stop", *(f"c{i}" for i in range(spline.degree + 1))])
        table.writerows([start, stop, *coefficients] for start, stop, coefficients in listed(spline))


def _json(path: Path, found: Found) -> None:
    spline = found.spline
    content = {
        "samples": len(found.y),
        "degree": spline.degree,
        "cost": float(spline.cost),
        "breakpoints": spline.breakpoints.tolist(),
        "coefficients": spline.coefficients.tolist(),
    }
    path.write_text(json.dumps(content, indent=2, allow_nan=False) + "\n")


def _npz(path: Path, found: Found) -> None:
    spline = found.spline
    np.savez_compressed(
        path,
        breakpoints=spline.breakpoints,
        coefficients=spline.coefficients,
        values=spline.values,
        cost=spline.cost,
    )


PICTURES = {".png": _draw, ".svg": _draw, ".pdf": _draw}
TABLES = {".csv": _csv, ".json": _json, ".npz": _npz}
