"""What a sweep computes: experiments x settings x seeds, as data."""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import io
import shlex
from dataclasses import dataclass
from itertools import product
from typing import TYPE_CHECKING, Any, get_type_hints

import tyro

from repro import registry
from repro.errors import UserError
from repro.runner import Job

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

    from repro.experiment import Experiment, Preset
    from repro.identity import Identity
    from repro.result import Result


@dataclass(frozen=True)
class Axis:
    """A setting with the values it takes, as written after --set.

    Attributes:
        asked: the words as they were given, for messages.
        setting: its name.
        values: each still a text.
        only: the experiment whose setting it is, None where it is every experiment's.
    """

    asked: str
    setting: str
    values: tuple[str, ...]
    only: str | None


@dataclass(frozen=True, kw_only=True)
class Point:
    """One run of a sweep.

    Attributes:
        job: what `repro run` would do.
        varied: the settings that the sweep varies, with this run's values.
        identity: of the run.
    """

    job: Job
    varied: dict[str, Any]
    identity: Identity

    @property
    def name(self) -> str:
        """The experiment and the settings that vary, for messages."""
        return ", ".join((self.job.experiment.name, *(f"{k} {written(v)}" for k, v in self.varied.items())))

    def command(self, runs: Path) -> str:
        """Returns the command that does this run alone, or goes on with it."""
        job = self.job
        words: list[object] = ["repro", "run", job.experiment.name, "--preset", job.preset]
        words += ["--seeds", job.seeds, "--device", job.device, "--runs", runs]
        if job.data is not None:
            words += ["--data", job.data]
        preset = job.experiment.presets[job.preset]
        for setting, value in self.varied.items():
            option = setting.replace("_", "-")
            if value == getattr(preset, setting):
                continue
            if isinstance(value, bool):
                words.append(f"--settings.{'' if value else 'no-'}{option}")
            else:
                words += [f"--settings.{option}", *_words(value)]
        return shlex.join(map(str, words))


@dataclass(frozen=True, kw_only=True)
class Entry:
    """One run of a sweep as it stands in the table.

    Attributes:
        point: of the grid.
        folder: of the run.
        result: None where a seed failed.
    """

    point: Point
    folder: Path
    result: Result | None


def axis(asked: str, names: Sequence[str]) -> Axis:
    """Reads `setting=value,value`, with `experiment.` before it where it is for that one alone.

    Args:
        asked: the words after --set.
        names: of the experiments of the sweep.

    Raises:
        UserError: it is written otherwise, or names an experiment that is not in the sweep.
    """
    name, equals, values = asked.partition("=")
    only, _, setting = name.strip().rpartition(".")
    texts = tuple(text.strip() for text in values.split(","))
    if not equals or not setting or "" in texts:
        raise UserError(f"--set {asked}: write it as NAME=VALUE,VALUE, such as --set epochs=2,4.")
    if only and only not in names:
        raise UserError(
            f"--set {asked}: {only} is not in this sweep. {registry.suggestion(only, names, names)}"
        )
    return Axis(asked, setting.replace("-", "_"), texts, only or None)


def expand(
    experiments: Iterable[Experiment[Any]],
    sets: Iterable[str],
    *,
    preset: Preset,
    seeds: int,
    device: str,
    data: Path | None,
) -> list[Point]:
    """Returns every run of a sweep, experiment by experiment, the last setting varying fastest.

    Raises:
        UserError: a setting that an experiment does not have, is named twice or has a value twice, or a value
            that it cannot take; nothing has been touched.
        ExperimentError: the data of an experiment cannot be read.
    """
    experiments = list(experiments)
    names = [experiment.name for experiment in experiments]
    axes = [axis(asked, names) for asked in sets]
    grids: list[tuple[Experiment[Any], list[dict[str, Any]]]] = []
    for experiment in experiments:
        own = [a for a in axes if a.only in (None, experiment.name)]
        values = {a.setting: _values(experiment, preset, a) for a in own}
        if len(values) < len(own):
            again = next(a for i, a in enumerate(own) if a.setting in [b.setting for b in own[:i]])
            raise UserError(
                f"--set {again.asked}: {again.setting} of {experiment.name} is there already. "
                f"Give all its values after one --set."
            )
        grids.append(
            (experiment, [dict(zip(values, chosen, strict=True)) for chosen in product(*values.values())])
        )
    points = []
    for experiment, grid in grids:
        for varied in grid:
            job = Job(
                experiment=experiment,
                settings=changed(experiment, preset, varied),
                preset=preset,
                seeds=seeds if experiment.seeded else 1,
                device=device,
                data=data,
            )
            points.append(Point(job=job, varied=varied, identity=job.identify()))
    return points


def changed(experiment: Experiment[Any], preset: Preset, varied: Mapping[str, Any]) -> Any:
    """Returns the settings of a preset with those that vary in their place.

    Raises:
        UserError: the experiment's settings refuse a value.
    """
    try:
        return dataclasses.replace(experiment.presets[preset], **varied)
    except (TypeError, ValueError) as error:
        given = ", ".join(f"{name}={written(value)}" for name, value in varied.items())
        raise UserError(f"--set {given}: the settings of {experiment.name} refuse it: {error}") from error


def checksum(points: Iterable[Point]) -> str:
    """Returns what a sweep without a name is known by: ten digits that follow from all its runs."""
    together = "\n".join(point.identity.sha256 for point in points)
    return hashlib.sha256(together.encode()).hexdigest()[:10]


def written(value: Any) -> str:
    """Writes the value of a setting as --set reads it.

    >>> written(0.1), written((1, 2)), written(True)
    ('0.1', '1 2', 'True')
    """
    return " ".join(map(str, _words(value)))


def _words(value: Any) -> list[Any]:
    """The words of a value on the command line; a tuple takes one for each part."""
    if not isinstance(value, tuple):
        return [value]
    return [word for part in value for word in _words(part)]


def _values(experiment: Experiment[Any], preset: Preset, axis: Axis) -> list[Any]:
    """Reads the values of a setting as the type that the experiment's settings declare."""
    settings = experiment.presets[preset]
    kinds = {field.name: get_type_hints(type(settings))[field.name] for field in dataclasses.fields(settings)}
    shown = ", ".join(f"{name} ({_kind(kind)})" for name, kind in kinds.items())
    name = axis.setting
    if name not in kinds:
        hint = f" To vary it in one experiment alone, write --set EXPERIMENT.{axis.asked}."
        raise UserError(
            f"--set {axis.asked}: {experiment.name} has no setting `{name}`. It has: {shown}."
            f"{'' if axis.only else hint}"
        )
    values: list[Any] = []
    for text in axis.values:
        value = _parse(kinds[name], text, f"--set {axis.asked}", f"`{name}` of {experiment.name}", shown)
        if value in values:
            raise UserError(f"--set {axis.asked}: {written(value)} stands there twice. Leave one out.")
        values.append(value)
    return values


def _parse(kind: Any, text: str, asked: str, what: str, shown: str) -> Any:
    words = [text.capitalize()] if kind is bool else text.split()
    try:
        with contextlib.redirect_stderr(io.StringIO()), contextlib.redirect_stdout(io.StringIO()):
            return tyro.cli(kind, args=words, console_outputs=False)
    except SystemExit as refused:
        raise UserError(
            f"{asked}: {text!r} is no value for {what}, which is {_kind(kind)}. Its settings: {shown}. "
            f"Commas separate values, spaces the parts of one."
        ) from refused


def _kind(kind: Any) -> str:
    return (
        kind.__name__
        if isinstance(kind, type) and not hasattr(kind, "__args__")
        else str(kind).replace("typing.", "")
    )
