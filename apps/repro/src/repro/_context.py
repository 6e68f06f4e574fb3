"""The runner's side of `Context`: where an experiment's progress, log lines and pictures go."""

from __future__ import annotations

import io
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from hashlib import sha256
from typing import TYPE_CHECKING, Any

from repro import atomic, schema, style
from repro.context import Up  # noqa: TC001  (`schema.decode` reads the annotation)
from repro.errors import UserError

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence
    from pathlib import Path

    from matplotlib.figure import Figure

    from repro.display import Display
    from repro.scene import Part

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


@dataclass(frozen=True)
class Scene:
    """What a picture shows, in space.

    Attributes:
        name: unique within the experiment.
        caption: what it shows, in a few words.
        picture: name of the picture it belongs to.
        up: the axis that points upwards.
        file: of `repro.scene.pack`, relative to the folder of the run.
        sha256: checksum of that file.
    """

    name: str
    caption: str
    picture: str
    up: Up
    file: str
    sha256: str


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
        self._kept: set[str] = set()

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
        _new_name(name, self._drawn, "picture")
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

    def scene(self, name: str, caption: str, parts: Sequence[Part], *, picture: str, up: Up = "z") -> None:
        check_scene(name, parts, picture, up, kept=self._kept, drawn=self._drawn)
        if self.seed:
            return
        from repro.scene import pack

        folder = self.folder / "scenes"
        folder.mkdir(exist_ok=True)
        path = folder / f"{name}.npz"
        content = pack(parts)
        atomic.write(path, content)
        file = path.relative_to(self._run).as_posix()
        scene = Scene(name, caption, picture, up, file, sha256(content).hexdigest())
        kept = [s for s in scenes(self._run) if s.name != name]
        atomic.write_json(folder / "index.json", [asdict(s) for s in (*kept, scene)])


def check_scene(
    name: str, parts: Sequence[Part], picture: str, up: str, *, kept: set[str], drawn: Collection[str]
) -> None:
    """Checks what `Context.scene` is called with, and adds its name to the `kept` ones.

    Raises:
        ValueError: it cannot be shown.
    """
    from repro.scene import check_size  # it needs NumPy, which the command does not

    _new_name(name, kept, "scene")
    if picture not in drawn:
        raise ValueError(f"`picture`: no picture {picture!r} has been drawn. Draw it before its scene.")
    if up not in ("x", "y", "z"):
        raise ValueError(f"`up` must be x, y or z; got {up!r}.")
    check_size(parts)


def _new_name(name: str, known: set[str], kind: str) -> None:
    if not name.replace("_", "").replace("-", "").isalnum():
        raise ValueError(f"`name` must be a file name of letters, digits, `_` and `-`; got {name!r}.")
    if name in known:
        raise ValueError(
            f"`name`: a {kind} {name!r} is there already. Names are unique within an experiment."
        )
    known.add(name)


def scenes(run: Path) -> tuple[Scene, ...]:
    """Returns the scenes of a run in the order in which they were kept.

    Raises:
        UserError: their index is damaged.
    """
    return _index(run / "seed-0" / "scenes" / "index.json", tuple[Scene, ...])


def pictures(run: Path) -> tuple[Picture, ...]:
    """Returns the pictures of a run in the order in which they were drawn.

    Raises:
        UserError: their index is damaged.
    """
    return _index(run / "seed-0" / "pictures" / "index.json", tuple[Picture, ...])


def _index(path: Path, kind: Any) -> Any:
    if not path.is_file():
        return ()
    try:
        return schema.decode(path.read_text(encoding="utf-8"), kind)
    except (OSError, ValueError) as error:
        raise UserError(
            f"{path} is damaged: {error}. Delete its folder and the seed's outcome.json, and the seed is run "
            "again."
        ) from error


def append(path: Path, message: str) -> None:
    """Adds one line, with the time, to a log file."""
    with path.open("a", encoding="utf-8") as file:
        file.write(f"{now()}  {message}\n")
