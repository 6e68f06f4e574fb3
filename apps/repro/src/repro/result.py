"""`result.json`: what a finished run leaves behind, all that the report reads."""

from __future__ import annotations

import math
import statistics
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from repro import atomic, schema
from repro._context import Picture, Scene  # noqa: TC001  (`schema.decode` reads the annotations, here and below)
from repro.environment import Environment  # noqa: TC001
from repro.errors import ExperimentError, UserError
from repro.experiment import Paper  # noqa: TC001
from repro.identity import Identity  # noqa: TC001

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from repro.experiment import Experiment, Figure

SCHEMA = 2
READ = (1, 2)
"""Schema 1 has no `scenes`."""
NAME = "result.json"


@dataclass(frozen=True, kw_only=True)
class Published:
    """The paper's figure, as `repro.experiment.Figure` gives it."""

    value: float
    deviation: float | None
    source: str


@dataclass(frozen=True, kw_only=True)
class Measured:
    """Our figure beside the paper's.

    Attributes:
        key: as in `repro.experiment.Figure`.
        label: as there.
        unit: as there.
        values: one for each seed.
        mean: over the seeds.
        deviation: sample standard deviation (n - 1), None for one seed.
        n: number of seeds.
        paper: None where the paper has no such figure.
        comparable: False where ours is measured on other data.
        cause: of a difference.
    """

    key: str
    label: str
    unit: str
    values: tuple[float, ...]
    mean: float
    deviation: float | None
    n: int
    paper: Published | None
    comparable: bool
    cause: str


@dataclass(frozen=True, kw_only=True)
class Seed:
    """How one seed went.

    Attributes:
        seed: its number.
        started: UTC.
        finished: UTC.
        seconds: wall time; of the last stretch where the seed was resumed.
        resumed: whether it was.
        values: what the experiment returned.
    """

    seed: int
    started: str
    finished: str
    seconds: float
    resumed: bool
    values: dict[str, float]


@dataclass(frozen=True, kw_only=True)
class Result:
    """A finished run.

    Attributes:
        schema: version of this structure.
        title: of the experiment.
        about: of the experiment.
        paper: it belongs to.
        figures: in the experiment's order.
        pictures: of the first seed.
        identity: of the run.
        sha256: of the identity.
        changed: names of the settings that differ from the preset's.
        environment: of the process that finished the run.
        seeds: how each went.
        started: UTC.
        finished: UTC.
        scenes: of the first seed; what can be turned.
    """

    schema: int
    title: str
    about: str
    paper: Paper
    figures: tuple[Measured, ...]
    pictures: tuple[Picture, ...]
    identity: Identity
    sha256: str
    changed: tuple[str, ...]
    environment: Environment
    seeds: tuple[Seed, ...]
    started: str
    finished: str
    scenes: tuple[Scene, ...] = ()


def check(experiment: Experiment[Any], values: Mapping[str, Any]) -> dict[str, float]:
    """Returns what an experiment measured as plain floats.

    Raises:
        ExperimentError: a figure is missing, unknown, no number or not finite, so there is no result.
    """
    known = {figure.key for figure in experiment.figures}
    for problem, keys in (
        ("no value for", known - values.keys()),
        ("the unknown figure", values.keys() - known),
    ):
        if keys:
            raise ExperimentError(
                f"{experiment.name} returned {problem} {', '.join(f'`{key}`' for key in sorted(keys))}."
            )
    checked: dict[str, float] = {}
    for figure in experiment.figures:
        value = values[figure.key]
        try:
            checked[figure.key] = float(value)
        except (TypeError, ValueError) as error:
            raise ExperimentError(
                f"{experiment.name} returned {value!r} for `{figure.key}`, which is no number."
            ) from error
        if not math.isfinite(checked[figure.key]):
            raise ExperimentError(
                f"{experiment.name} returned {value} for `{figure.key}`, which is not finite."
            )
    return checked


def measure(figure: Figure, values: tuple[float, ...]) -> Measured:
    """Puts the values of all seeds beside the paper's figure."""
    published = None
    if figure.published is not None:
        published = Published(value=figure.published, deviation=figure.deviation, source=figure.source)
    return Measured(
        key=figure.key,
        label=figure.label,
        unit=figure.unit,
        values=values,
        mean=statistics.fmean(values),
        deviation=statistics.stdev(values) if len(values) > 1 else None,
        n=len(values),
        paper=published,
        comparable=figure.comparable,
        cause=figure.cause,
    )


def write(folder: Path, result: Result) -> None:
    """Writes `result.json`; with it, the run is finished."""
    atomic.write_json(folder / NAME, asdict(result))


def read(folder: Path) -> Result:
    """Reads the `result.json` of a run and sees that its pictures are there.

    Raises:
        UserError: it cannot be read, or is none of ours; the message names the file and the remedy.
    """
    path = folder / NAME
    try:
        result = schema.decode(path.read_text(encoding="utf-8"), Result)
        if result.schema not in READ:
            raise ValueError(
                f"its schema is {result.schema}, this version reads {' and '.join(map(str, READ))}"
            )
        if not result.figures:
            raise ValueError("it has no figures")
        files = [("picture", file) for picture in result.pictures for file in (picture.light, picture.dark)]
        for kind, file in (*files, *(("scene", scene.file) for scene in result.scenes)):
            if not (folder / file).resolve().is_relative_to(folder.resolve()):  # a stranger's, or altered
                raise ValueError(f"its {kind} {file} lies outside its folder")
            if not (folder / file).is_file():
                raise ValueError(f"its {kind} {file} is missing")
    except (OSError, ValueError) as error:
        raise UserError(
            f"{path} is no result that can be read: {error}. Move {folder} away and run again."
        ) from error
    return result
