"""What an experiment gets from the runner: seed, device, folder, progress bar, log, pictures, scenes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from matplotlib.figure import Figure

    from repro.scene import Part

Up = Literal["x", "y", "z"]


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

    def scene(self, name: str, caption: str, parts: Sequence[Part], *, picture: str, up: Up = "z") -> None:
        """Keeps what a picture shows in space, so that a reader of the page can turn it.

        Below the picture stands a button that opens the view, in which each body can be hidden. Of several
        meshes the first is shown at the start. Scenes are kept for the first seed of a run only.

        Args:
            name: file name without ending, unique among the experiment's scenes.
            caption: what it shows, in a few words: the name of the button.
            parts: bodies, from `repro.scene.mesh`, `grid`, `lines`, `net`, `path` and `points`.
            picture: name of the picture it belongs to, drawn before.
            up: the axis that points upwards.

        Raises:
            ValueError: there is nothing to show, too much of it, or no such picture.
        """
        ...
