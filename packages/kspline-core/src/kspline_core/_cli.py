"""The command `kspline`."""

from __future__ import annotations

import csv
import importlib.util
import json
import os
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np
import tyro
from rich.console import Console
from rich.progress import Progress
from rich.table import Table as Rows

from kspline_core import KSpline, fit
from kspline_core._signal_file import read_table

if TYPE_CHECKING:
    from collections.abc import Sequence

DESCRIPTION = """\
The best piecewise polynomial of a signal in a file.

examples:
  kspline fit signal.csv --pieces 20 --plot out.png    20 constant pieces, and a picture of them
  kspline fit signal.npy --pieces 8 --degree 1         8 straight pieces, with jumps between them
  kspline fit log.csv --column pressure --x time --pieces 5 --missing drop --out pieces.csv

A file is CSV, TSV or TXT (one sample a line, names in a first line if you like), NPY or WAV (PCM).
"""


@dataclass(frozen=True, kw_only=True)
class Fit:
    """Fits pieces to a signal and lists them."""

    file: tyro.conf.Positional[Path]
    """The signal: .csv, .tsv, .txt, .npy or .wav."""
    pieces: int
    """How many pieces."""
    degree: Literal[0, 1, 2, 3] = 0
    """0: constant pieces. 1: straight. 2: parabolas. 3: cubics. Nothing joins them."""
    column: str | None = None
    """Which column of a table or channel of a recording, by name or by number from 0."""
    x: str | None = None
    """The column that says where the samples lie, if they are not equally spaced."""
    min_size: int | None = None
    """Fewest samples in a piece."""
    missing: Literal["error", "drop"] = "error"
    """What to do where a value is missing."""
    plot: Path | None = None
    """Draws the signal and its pieces: .png, .svg or .pdf."""
    out: Path | None = None
    """Writes the pieces: .csv (a line a piece), .json, or .npz (with the fitted values)."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs a command; returns the exit code: 0, 2 (refused), 130 (interrupted)."""
    command = tyro.extras.subcommand_cli_from_dict(
        {"fit": Fit},
        args=list(sys.argv[1:] if arguments is None else arguments) or ["--help"],
        prog="kspline",
        description=DESCRIPTION,
    )
    try:
        run(command)
    except (ValueError, ImportError, OSError) as error:
        print(f"kspline: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("Interrupted. Nothing was written.", file=sys.stderr)
        return 130
    return 0


def run(command: Fit) -> None:
    """Fits, writes what was asked for, and lists the pieces."""
    draw = _writer("--plot", command.plot, {".png": _draw, ".svg": _draw, ".pdf": _draw})
    write = _writer("--out", command.out, {".csv": _csv, ".json": _json, ".npz": _npz})
    table = read_table(command.file)
    y = table.column(command.column)
    x = None if command.x is None else table.column(command.x)
    console = Console(stderr=True)
    with Progress(console=console, transient=True) as bar:
        task = bar.add_task("fit", total=1.0)
        spline = fit(
            y,
            command.pieces,
            command.degree,
            x=x,
            missing=command.missing,
            min_size=command.min_size,
            progress=lambda fraction: bar.update(task, completed=fraction),
        )
    for path, writer in ((command.plot, draw), (command.out, write)):
        if path is not None and writer is not None:
            _whole(path, lambda target, writer=writer: writer(target, spline, y))
    _show(spline)


Writer = Callable[[Path, KSpline, np.ndarray], None]


def _writer(option: str, path: Path | None, writers: dict[str, Writer]) -> Writer | None:
    """Chooses by the ending of the name, and sees that the folder is there, before any work is done."""
    if path is None:
        return None
    if path.suffix.lower() not in writers:
        raise ValueError(f"{option} {path}: the name must end in one of {', '.join(writers)}.")
    if not path.parent.is_dir():
        raise ValueError(f"{option} {path}: there is no folder {path.parent}. Make it first.")
    if path.suffix.lower() in (".png", ".svg", ".pdf") and importlib.util.find_spec("matplotlib") is None:
        raise ImportError('--plot needs matplotlib: pip install "kspline-core[plot]".')
    return writers[path.suffix.lower()]


def _whole(path: Path, write: Callable[[Path], None]) -> None:
    """Writes a file beside its place and then gives it its name: it is there whole or not at all."""
    temporary = path.with_name(f".{path.stem}.{os.getpid()}{path.suffix}")
    try:
        write(temporary)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def _draw(path: Path, spline: KSpline, y: np.ndarray) -> None:
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, ax = pyplot.subplots(figsize=(10, 4), layout="constrained")
    spline.plot(y, ax=ax)
    ax.legend()
    figure.savefig(path, dpi=150)


def _rows(spline: KSpline) -> Iterator[tuple[int, int, list[float]]]:
    """Of each piece: its first sample, the one after its last, its coefficients."""
    ends = spline.breakpoints.tolist()
    yield from zip(ends[:-1], ends[1:], spline.coefficients.tolist(), strict=True)


def _csv(path: Path, spline: KSpline, y: np.ndarray) -> None:
    with path.open("w", newline="") as file:
        table = csv.writer(file)
        table.writerow(["start", "stop", *(f"c{i}" for i in range(spline.degree + 1))])
        table.writerows([start, stop, *coefficients] for start, stop, coefficients in _rows(spline))


def _json(path: Path, spline: KSpline, y: np.ndarray) -> None:
    content = {
        "samples": len(y),
        "degree": spline.degree,
        "cost": float(spline.cost),
        "breakpoints": spline.breakpoints.tolist(),
        "coefficients": spline.coefficients.tolist(),
    }
    path.write_text(json.dumps(content, indent=2, allow_nan=False) + "\n")


def _npz(path: Path, spline: KSpline, y: np.ndarray) -> None:
    np.savez_compressed(
        path,
        breakpoints=spline.breakpoints,
        coefficients=spline.coefficients,
        values=spline.values,
        cost=spline.cost,
    )


def _show(spline: KSpline) -> None:
    names = ("level", "slope", "2nd power", "3rd power")
    rows = Rows("start", "stop", *names[: spline.degree + 1])
    for column in rows.columns:
        column.justify = "right"
    for start, stop, coefficients in _rows(spline):
        rows.add_row(str(start), str(stop), *(f"{c:.6g}" for c in coefficients))
    console = Console()
    console.print(rows)
    console.print(f"cost {float(spline.cost):.6g} over {spline.values.size} samples")
