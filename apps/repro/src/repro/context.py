"""What an experiment gets from the runner: a seed, a device, a folder, a progress bar, a log, pictures."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from matplotlib.figure import Figure


class Context(Protocol):
    """Everything that reaches an experiment from outside its settings.

    Attributes:
        seed: seeds the experiment's own generators; nothing global is seeded.
        device: "cpu" or "cuda", already checked to exist.
        folder: this seed's folder. Checkpoints are kept here under any name; what lies here after a kill is
            here again when the run is resumed.
        data: a local folder with the paper's data, or None.
    """

    seed: int
    device: str
    folder: Path
    data: Path | None

    def progress(self, description: str) -> Callable[[int, int, float], None]:
        """Opens a progress bar; returns `report(step, total, loss)`, called after each step (1-based)."""
        ...

    def log(self, message: str) -> None:
        """Writes one line, with the time, to `log.txt` of the run (appended, flushed) and to the terminal."""
        ...

    def picture(
        self,
        name: str,
        caption: str,
        draw: Callable[[Figure], None],
        *,
        size: tuple[float, float] = (8.0, 4.5),
    ) -> None:
        """Draws a picture for the report, once in a light and once in a dark scheme.

        `draw` fills an empty matplotlib figure of `size` inches. It leaves the colours of text, axes and
        background to the style in force and takes line colours from the cycle ("C0", "C1", ...). Pictures are
        drawn for the first seed of a run only; for the others the call returns at once.

        Args:
            name: file name without ending, unique within the experiment.
            caption: one or two sentences that say what is seen; also the text for readers who do not see it.
            draw: called twice, so it must not change what it draws from.
            size: width and height in inches at 100 dots an inch.
        """
        ...
