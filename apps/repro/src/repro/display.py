"""Progress and log lines on a terminal, or plain lines where there is none."""

from __future__ import annotations

import math
import time
from itertools import accumulate
from typing import TYPE_CHECKING, Self

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TaskProgressColumn, TextColumn, TimeRemainingColumn

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence


class Display:
    """Writes to the terminal while experiments run; used as a context manager."""

    def __init__(self, console: Console | None = None):
        self._console = console or Console(stderr=True)
        self._bars: list[TaskID] = []
        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            TaskProgressColumn(),
            TextColumn("{task.fields[note]}"),
            TimeRemainingColumn(),
            console=self._console,
            disable=not self._console.is_terminal,
        )

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._progress.stop()

    def line(self, text: str) -> None:
        """Writes one line, above the bars where there are any."""
        self._console.print(text, markup=False, highlight=False, soft_wrap=True)

    def overall(self, description: str, minutes: Sequence[float]) -> Callable[[str], None]:
        """Opens the bar of a command over several pieces of work; returns `advance(name)`.

        `advance` is called as each piece begins and once more at the end. A single piece needs no such bar.
        """
        if len(minutes) < 2:
            return lambda name: None
        ends = accumulate((0.0, *minutes))
        task = self._progress.add_task(description, total=sum(minutes), note="")

        def advance(name: str) -> None:
            done = next(ends)
            self._progress.update(task, completed=done, note=name)
            if not self._console.is_terminal:
                self.line(f"{description}: {done / sum(minutes):.0%}, {name}")

        return advance

    def shares(self, description: str, total: float) -> Callable[[float, str], None]:
        """Opens the bar of pieces of work that end in any order; returns `advance(share, note)`.

        Where there is no terminal, who calls `advance` writes a line of his own.
        """
        task = self._progress.add_task(description, total=total, note="")
        return lambda share, note: self._progress.update(task, advance=share, note=note)

    def bar(self, description: str) -> Callable[[int, int, float], None]:
        """Opens a bar; returns `report(step, total, loss)`."""
        if not self._console.is_terminal:
            return self._plain(description)
        task = self._progress.add_task(description, total=None, note="")
        self._bars.append(task)
        drawn = -math.inf

        def report(step: int, total: int, loss: float) -> None:
            nonlocal drawn
            now = time.monotonic()
            if (
                now - drawn > 0.1 or step >= total
            ):  # as often as the bar is drawn; some loops report every millisecond
                drawn = now
                note = f"loss {loss:.4g}"
                self._progress.update(task, completed=step, total=total, note=note, refresh=step >= total)

        return report

    def clear(self) -> None:
        """Takes the bars away, all but the overall one."""
        for task in self._bars:
            self._progress.remove_task(task)
        self._bars.clear()

    def _plain(self, description: str) -> Callable[[int, int, float], None]:
        """A line at each tenth of the way or, where that takes long, whenever the time has grown by a tenth.

        The first such line comes after ten seconds, so a night makes some tens of lines, not thousands.
        """
        start = last = time.monotonic()
        tenth = 0

        def report(step: int, total: int, loss: float) -> None:
            nonlocal last, tenth
            now = time.monotonic()
            if 10 * step // total > tenth or now - last > max(10.0, 0.1 * (now - start)):
                last, tenth = now, 10 * step // total
                done = f"{step}/{total} ({step / total:.0%})"
                self.line(f"  {description}: {done}, loss {loss:.4g}, {now - start:.0f} s")

        return report
