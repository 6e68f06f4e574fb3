"""The runner's side of `Context`: where an experiment's progress, log lines and pictures go."""

from __future__ import annotations

import io
import json
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from repro import atomic, style

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from matplotlib.figure import Figure

    from repro.display import Display

DENSITY = 2  # image dots per CSS pixel, for the sharp screens of phones
DOTS = 100  # CSS pixels per inch of a figure


def now() -> str:
    """Returns the time as log files and results state it: UTC, to the second."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


@dataclass(frozen=True)
class Picture:
    """A picture in both schemes.

    Attributes:
        name: unique within the experiment.
        caption: one or two sentences.
        width: in CSS pixels.
        height: in CSS pixels.
        light: file for the light scheme, relative to the folder of the run.
        dark: file for the dark scheme.
    """

    name: str
    caption: str
    width: int
    height: int
    light: str
    dark: str


class RunContext:
    """What `Experiment.run` is called with; see `repro.context.Context`."""

    def __init__(self, *, seed: int, device: str, run: Path, data: Path | None, display: Display):
        self.seed = seed
        self.device = device
        self.data = data
        self.folder = run / f"seed-{seed}"
        self.folder.mkdir(exist_ok=True)
        self._run = run
        self._display = display
        self._drawn: set[str] = set()

    def progress(self, description: str) -> Callable[[int, int, float], None]:
        return self._display.bar(description)

    def log(self, message: str) -> None:
        append(self._run / "log.txt", f"seed {self.seed}: {message}")
        self._display.line(f"  {message}")

    def picture(
        self,
        name: str,
        caption: str,
        draw: Callable[[Figure], None],
        *,
        size: tuple[float, float] = (8.0, 4.5),
    ) -> None:
        if not name.replace("_", "").replace("-", "").isalnum():
            raise ValueError(f"`name` must be a file name of letters, digits, `_` and `-`; got {name!r}.")
        if name in self._drawn:
            raise ValueError(
                f"`name`: a picture {name!r} is there already. Names are unique within an experiment."
            )
        self._drawn.add(name)
        if self.seed:
            return
        from matplotlib.figure import Figure

        folder = self.folder / "pictures"
        folder.mkdir(exist_ok=True)
        files: dict[str, str] = {}
        for scheme in style.SCHEMES:
            path = folder / f"{name}.{scheme}.png"
            with style.drawing(scheme):
                figure = Figure(figsize=size, layout="constrained")
                draw(figure)
                image = io.BytesIO()
                figure.savefig(image, format="png", dpi=DENSITY * DOTS)
            atomic.write(path, image.getvalue())
            files[scheme] = path.relative_to(self._run).as_posix()
        width, height = (round(inches * DOTS) for inches in size)
        picture = Picture(name, caption, width, height, files["light"], files["dark"])
        # an index, not a list in memory: what was drawn before a kill is still there when the run is resumed
        kept = [p for p in pictures(self._run) if p.name != name]
        atomic.write_json(folder / "index.json", [asdict(p) for p in (*kept, picture)])


def pictures(run: Path) -> tuple[Picture, ...]:
    """Returns the pictures of a run in the order in which they were drawn."""
    index = run / "seed-0" / "pictures" / "index.json"
    return tuple(Picture(**entry) for entry in json.loads(index.read_text())) if index.is_file() else ()


def append(path: Path, message: str) -> None:
    """Adds one line, with the time, to a log file."""
    with path.open("a", encoding="utf-8") as file:
        file.write(f"{now()}  {message}\n")
