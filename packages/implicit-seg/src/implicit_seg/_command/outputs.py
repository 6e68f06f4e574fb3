"""What the command says and writes."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from implicit_seg.files import _atomic

if TYPE_CHECKING:
    from pathlib import Path

    from matplotlib.figure import Figure


def check_folder(option: str, path: Path) -> None:
    """Raises unless a folder is at `path` or can be made there."""
    if path.exists() and not path.is_dir():
        raise ValueError(f"{option} {path}: there is a file of that name. Name a folder.")
    if not path.parent.is_dir():
        raise ValueError(f"{option} {path}: there is no folder {path.parent}. Make it first.")


def write_figure(path: Path, figure: Figure) -> None:
    """Writes a picture of the kind that its name ends in."""
    stream = io.BytesIO()
    figure.savefig(stream, format=path.suffix.lower().removeprefix("."), dpi=150)
    _atomic.write_bytes(path, stream.getvalue())


def say(*lines: str) -> None:
    """Prints lines as they are."""
    for line in lines:
        Console().print(line, highlight=False, soft_wrap=True, markup=False)


class Bar:
    """A progress bar on the standard error, with the value that is followed."""

    def __init__(self, name: str, value: str, *, shown: bool = True) -> None:
        self._progress = Progress(
            TextColumn(name),
            BarColumn(),
            MofNCompleteColumn(),
            TimeRemainingColumn(),
            TextColumn("{task.fields[value]}"),
            console=Console(stderr=True),
            transient=True,
            disable=not shown,
        )
        self._value = value
        self._task = self._progress.add_task(name, total=None, value="")

    def __enter__(self) -> Bar:
        self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._progress.stop()

    def __call__(self, step: int, total: int, value: float) -> None:
        """A callback of the training."""
        self._progress.update(self._task, completed=step, total=total, value=f"{self._value} {value:.4g}")

    def log(self, line: str) -> None:
        """Prints a line above the bar."""
        self._progress.console.print(line, highlight=False, soft_wrap=True, markup=False)
