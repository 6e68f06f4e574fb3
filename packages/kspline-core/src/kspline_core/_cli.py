"""The command `kspline`."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path  # noqa: TC003  # tyro reads the annotations
from typing import TYPE_CHECKING, Literal

import tyro
from rich.console import Console
from rich.progress import Progress
from rich.table import Table as Rows

from kspline_core import KSpline, Selection, fit, fit_penalized, select
from kspline_core._output import PICTURES, TABLES, Found, Target, listed
from kspline_core._signal_file import read_table

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import numpy as np

DESCRIPTION = """\
The best piecewise polynomial of a signal in a file.

examples:
  kspline fit signal.csv --pieces 20 --plot out.png    20 constant pieces, and a picture of them
  kspline fit signal.npy --pieces 8 --degree 1         8 straight pieces, with jumps between them
  kspline fit signal.npy --penalty 30                  as many pieces as pay for themselves
  kspline choose signal.csv --plot out.png             how many pieces there are, by BIC, and a picture
  kspline choose signal.csv --criterion mbic --max-pieces 40
  kspline fit log.csv --column pressure --x time --pieces 5 --missing drop --out pieces.csv

A file is CSV, TSV or TXT (one sample a line, names in a first line if you like), NPY or WAV (PCM).
"""


@dataclass(frozen=True, kw_only=True)
class Task:
    """What every command is told."""

    file: tyro.conf.Positional[Path]
    """The signal: .csv, .tsv, .txt, .npy or .wav."""
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


@dataclass(frozen=True, kw_only=True)
class Fit(Task):
    """Fits pieces to a signal and lists them: a number of them, or as many as a penalty allows."""

    pieces: int | None = None
    """How many pieces."""
    penalty: float | None = None
    """What each breakpoint costs, in units of the squared signal, instead of a number of pieces. For noise of
    standard deviation s, 2 s^2 log(n) is usual."""


@dataclass(frozen=True, kw_only=True)
class Choose(Task):
    """Chooses how many pieces a signal has, fits them and lists them."""

    max_pieces: int | None = None
    """The most pieces looked at. None: 50, or half the number of samples."""
    criterion: Literal["bic", "mbic", "slope"] = "bic"
    """bic: the usual one. mbic: for constant pieces, stricter with short ones. slope: learns the noise
    from the costs of many pieces; --max-pieces must be well past the true number."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs a command; returns the exit code: 0, 2 (refused), 130 (interrupted)."""
    command = tyro.extras.subcommand_cli_from_dict(
        {"fit": Fit, "choose": Choose},
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


def run(command: Fit | Choose) -> None:
    """Fits, writes what was asked for, and lists the pieces."""
    if isinstance(command, Fit) and (command.pieces is None) == (command.penalty is None):
        raise ValueError(
            "say either how many pieces, --pieces K, or what each breakpoint costs, --penalty P: one "
            "of the two. `kspline choose` finds out how many there are."
        )
    picture = None if command.plot is None else Target("--plot", command.plot, PICTURES)
    pieces = None if command.out is None else Target("--out", command.out, TABLES)
    table = read_table(command.file)
    y = table.column(command.column)
    x = None if command.x is None else table.column(command.x)
    console = Console(stderr=True)
    with Progress(console=console, transient=True) as bar:
        task = bar.add_task("fit", total=1.0)
        solved = _solve(command, y, x, lambda fraction: bar.update(task, completed=fraction))
    choice = solved if isinstance(solved, Selection) else None
    found = Found(y, solved.spline if isinstance(solved, Selection) else solved, choice)
    for target in (picture, pieces):
        if target is not None:
            target.write(found)
    if choice is not None:
        _show_choice(choice)
    _show(found.spline)


def _solve(
    command: Fit | Choose, y: np.ndarray, x: np.ndarray | None, progress: Callable[[float], object]
) -> KSpline | Selection:
    degree, missing, min_size = command.degree, command.missing, command.min_size
    if isinstance(command, Choose):
        return select(
            y,
            command.criterion,
            max_pieces=command.max_pieces,
            degree=degree,
            x=x,
            missing=missing,
            min_size=min_size,
            progress=progress,
        )
    if command.pieces is not None:
        return fit(y, command.pieces, degree, x=x, missing=missing, min_size=min_size, progress=progress)
    assert command.penalty is not None  # `run` has seen to it
    return fit_penalized(
        y, command.penalty, degree, x=x, missing=missing, min_size=min_size, progress=progress
    )


def _show_choice(choice: Selection) -> None:
    rows = Rows("pieces", "cost", choice.criterion)
    for column in rows.columns:
        column.justify = "right"
    for pieces, (cost, value) in enumerate(zip(choice.path.costs, choice.values, strict=True), start=1):
        chosen = "bold" if pieces == choice.pieces else None
        rows.add_row(str(pieces), f"{cost:.6g}", f"{value:.6g}", style=chosen)
    console = Console()
    console.print(rows)
    console.print(f"{choice.criterion} chooses {choice.pieces} of at most {choice.path.max_pieces} pieces")


def _show(spline: KSpline) -> None:
    names = ("level", "slope", "2nd power", "3rd power")
    rows = Rows("start", "stop", *names[: spline.degree + 1])
    for column in rows.columns:
        column.justify = "right"
    for start, stop, coefficients in listed(spline):
        rows.add_row(str(start), str(stop), *(f"{c:.6g}" for c in coefficients))
    console = Console()
    console.print(rows)
    console.print(f"cost {float(spline.cost):.6g} over {spline.values.size} samples")
