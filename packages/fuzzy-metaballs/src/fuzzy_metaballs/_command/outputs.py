"""What the command writes: looked at before any work is done, and written whole or not at all."""

from __future__ import annotations

import importlib.util
import io
from typing import TYPE_CHECKING

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from fuzzy_metaballs.files import _atomic

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

PICTURES = (".png", ".svg", ".pdf")


def check(option: str, path: Path | None, endings: Sequence[str]) -> None:
    """Raises unless the ending is one of `endings` and the folder is there; None passes."""
    if path is None:
        return
    try:
        _atomic.target(path, endings)
    except ValueError as error:
        raise ValueError(f"{option} {error}") from error
    if path.suffix.lower() in PICTURES and importlib.util.find_spec("matplotlib") is None:
        raise ImportError(f'{option} needs matplotlib: pip install "fuzzy-metaballs[plot]"')


def write_figure(path: Path, figure: Figure) -> None:
    """Writes a picture of the kind that its name ends in."""
    stream = io.BytesIO()
    figure.savefig(stream, format=path.suffix.lower().removeprefix("."), dpi=150)
    _atomic.write_bytes(path, stream.getvalue())


def write_plot(path: Path, draw: Callable[[Axes], object]) -> None:
    """Writes a picture of one plot."""
    from matplotlib.figure import Figure

    figure = Figure(layout="constrained")
    draw(figure.add_subplot())
    write_figure(path, figure)


def say(*lines: str) -> None:
    """Prints lines as they are."""
    for line in lines:
        Console().print(line, highlight=False, soft_wrap=True, markup=False)


class Bar:
    """A progress bar on the standard error, with the value that is followed."""

    def __init__(self, name: str, value: str) -> None:
        self._progress = Progress(
            TextColumn(name),
            BarColumn(),
            MofNCompleteColumn(),
            TimeRemainingColumn(),
            TextColumn("{task.fields[value]}"),
            console=Console(stderr=True),
            transient=True,
        )
        self._value = value
        self._task = self._progress.add_task(name, total=None, value="")

    def __enter__(self) -> Bar:
        self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._progress.stop()

    def __call__(self, step: int, total: int, value: float) -> None:
        """A callback of a fit."""
        self._progress.update(self._task, completed=step, total=total, value=f"{self._value} {value:.4g}")
