"""For the tests of an app: a context that keeps what an experiment tells it, and can break a run off."""

from __future__ import annotations

from typing import TYPE_CHECKING

from repro import style
from repro._context import check_scene

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from matplotlib.figure import Figure

    from repro.context import Up
    from repro.scene import Part


class Broken(Exception):  # noqa: N818  (it stands for a kill, not for an error)
    """Stands for the death of the process."""


class RecordingContext:
    """A `repro.context.Context` for seed 0 on the CPU without a terminal, a log file or a report.

    Args:
        folder: for checkpoints; made where it is missing.
        breaks_at_line: the log line, counted from 1, after which `Broken` is raised.
        breaks_at_step: the number of the step at whose report `Broken` is raised.
        draws: whether pictures are drawn; without, they are only counted.

    Attributes:
        lines: what was logged.
        steps: what was reported: description, step, total.
        pictures: captions by name. Every picture has been drawn in both schemes.
        scenes: what can be turned, by name.
    """

    def __init__(
        self,
        folder: Path,
        *,
        breaks_at_line: int | None = None,
        breaks_at_step: int | None = None,
        draws: bool = True,
    ):
        self.seed = 0
        self.device = "cpu"
        self.data: Path | None = None
        self.folder = folder
        self.lines: list[str] = []
        self.steps: list[tuple[str, int, int]] = []
        self.pictures: dict[str, str] = {}
        self.scenes: dict[str, list[Part]] = {}
        self._breaks_at_line = breaks_at_line
        self._breaks_at_step = breaks_at_step
        self._schemes = style.SCHEMES if draws else ()
        folder.mkdir(exist_ok=True)

    def progress(self, description: str) -> Callable[[int, int, float], None]:
        """See `repro.context.Context`."""

        def report(step: int, total: int, loss: float) -> None:
            if step == self._breaks_at_step:
                raise Broken
            self.steps.append((description, step, total))

        return report

    def log(self, message: str) -> None:
        """See `repro.context.Context`."""
        self.lines.append(message)
        if len(self.lines) == self._breaks_at_line:
            raise Broken

    def picture(
        self,
        name: str,
        caption: str,
        draw: Callable[[Figure], None],
        *,
        size: tuple[float, float] = (8.0, 4.5),
    ) -> None:
        """See `repro.context.Context`; raises `ValueError` for a name used twice or an empty picture."""
        from matplotlib.figure import Figure

        if name in self.pictures:
            raise ValueError(f"`name`: a picture {name!r} is there already.")
        self.pictures[name] = caption
        for scheme in self._schemes:
            with style.drawing(scheme):
                figure = Figure(figsize=size, layout="constrained", dpi=40)
                draw(figure)
                figure.canvas.draw()
            if not figure.axes:
                raise ValueError(f"`draw`: the picture {name!r} is empty.")

    def scene(self, name: str, caption: str, parts: Sequence[Part], *, picture: str, up: Up = "z") -> None:
        """See `repro.context.Context`."""
        check_scene(name, parts, picture, up, kept=set(self.scenes), drawn=self.pictures)
        self.scenes[name] = list(parts)
