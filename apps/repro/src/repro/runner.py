"""Runs one experiment: every seed once, however often the process is killed in between."""

from __future__ import annotations

import time
import traceback
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from repro import atomic, disk, environment, markdown, result, schema, store
from repro._context import RunContext, append, now, pictures, scenes
from repro.errors import ExperimentError, UserError
from repro.identity import identify
from repro.result import Result, Seed

if TYPE_CHECKING:
    from pathlib import Path

    from repro.display import Display
    from repro.experiment import Experiment, Preset
    from repro.identity import Identity

OUTCOME = "outcome.json"


@dataclass(frozen=True, kw_only=True)
class Job:
    """An experiment with everything that was asked for.

    Attributes:
        experiment: to run.
        settings: the preset's, or changed ones.
        preset: they started from.
        seeds: how many, from 0 on.
        device: "cpu" or "cuda", known to exist.
        data: a local folder, or None.
    """

    experiment: Experiment[Any]
    settings: Any
    preset: Preset
    seeds: int
    device: str
    data: Path | None

    @property
    def minutes(self) -> float:
        """How long it is expected to take."""
        return self.experiment.minutes[self.preset] * self.seeds


@dataclass(frozen=True)
class Done:
    """A finished run.

    Attributes:
        experiment: that was run.
        folder: it lies in.
        result: it has.
    """

    experiment: Experiment[Any]
    folder: Path
    result: Result


def run(job: Job, runs: Path, *, fresh: bool, display: Display) -> Done:
    """Runs an experiment, resumes it, or reads its result where it is finished.

    Raises:
        ExperimentError: the experiment raised, or returned what is no result; the log has the traceback.
        UserError: another process is at work in the run, or one of its files is damaged.
    """
    try:
        return _run(job, runs, fresh=fresh, display=display)
    except OSError as error:
        if not disk.refuses(error):
            raise
        raise ExperimentError(
            f"{job.experiment.name} was stopped: {disk.reason(error, runs)}. Finished seeds and checkpoints "
            "are kept. Make room or take another --runs; the same command goes on where it stopped."
        ) from error


def _run(job: Job, runs: Path, *, fresh: bool, display: Display) -> Done:
    experiment = job.experiment
    identity = identify(
        experiment,
        preset=job.preset,
        settings=job.settings,
        seeds=job.seeds,
        device=job.device,
        data=job.data,
    )
    with store.hold(runs, identity, fresh=fresh) as folder:
        if (folder / result.NAME).exists():
            display.line(f"{experiment.name}: finished before, in {folder}; --fresh runs it anew.")
            return Done(experiment, folder, result.read(folder))
        atomic.tidy(folder)
        log = folder / "log.txt"
        verb = "resumed" if log.exists() else "started"
        append(log, f"{verb}: {experiment.name}, {describe(identity)}")
        display.line(f"{experiment.name}: {verb}, {describe(identity)}, in {folder}")
        try:
            seeds = tuple(_seed(job, seed, folder, display) for seed in range(job.seeds))
        except KeyboardInterrupt:
            append(log, "interrupted; the same command resumes")
            raise
        except ExperimentError as error:
            append(log, f"failed: {error}")
            raise ExperimentError(f"{error} The log: {log}") from error
        done = Done(experiment, folder, _gather(job, identity, seeds, folder))
        atomic.write(folder / "report.md", markdown.render(done.result))
        result.write(folder, done.result)  # last: with it the run is finished
        append(log, "finished")
        return done


def describe(identity: Identity) -> str:
    """Says in a few words how a run is made."""
    seeds = "1 seed" if identity.seeds == 1 else f"{identity.seeds} seeds"
    return f"preset {identity.preset}, {seeds}, {identity.device}"


def _seed(job: Job, seed: int, run: Path, display: Display) -> Seed:
    """Runs one seed, or reads its outcome where it is finished."""
    path = run / f"seed-{seed}" / OUTCOME
    if path.exists():
        append(run / "log.txt", f"seed {seed}: finished before, not repeated")
        display.line(f"  seed {seed}: finished before, not repeated")
        outcome = read_outcome(path)
        try:
            result.check(job.experiment, outcome.values)
        except ExperimentError as error:
            raise _damaged(path, error) from error
        return outcome
    resumed = path.parent.exists()
    context = RunContext(seed=seed, device=job.device, run=run, data=job.data, display=display)
    append(run / "log.txt", f"seed {seed}: {'resumed' if resumed else 'started'}")
    started, start = now(), time.perf_counter()
    try:
        values = result.check(job.experiment, job.experiment.run(job.settings, context))
    except ExperimentError:
        raise
    except Exception as error:
        if disk.refuses(error):
            raise
        append(run / "log.txt", traceback.format_exc())
        message = " ".join(str(error).split()).rstrip(".") or "no message"
        raise ExperimentError(
            f"{job.experiment.name} failed at seed {seed}: {type(error).__name__}: {message}."
        ) from error
    finally:
        display.clear()
    seconds = time.perf_counter() - start
    outcome = Seed(
        seed=seed, started=started, finished=now(), seconds=seconds, resumed=resumed, values=values
    )
    atomic.write_json(path, asdict(outcome))
    append(run / "log.txt", f"seed {seed}: finished in {seconds:.1f} s")
    display.line(f"  seed {seed}: finished in {seconds:.1f} s")
    return outcome


def read_outcome(path: Path) -> Seed:
    """Reads how a finished seed went.

    Raises:
        UserError: the file is damaged.
    """
    try:
        return schema.decode(path.read_text(encoding="utf-8"), Seed)
    except (OSError, ValueError) as error:
        raise _damaged(path, error) from error


def _damaged(path: Path, error: Exception) -> UserError:
    return UserError(f"{path} is damaged: {error}. Delete it, and the seed is run again.")


def _gather(job: Job, identity: Identity, seeds: tuple[Seed, ...], folder: Path) -> Result:
    experiment = job.experiment
    preset = asdict(experiment.presets[job.preset])
    return Result(
        schema=result.SCHEMA,
        title=experiment.title,
        about=experiment.about,
        paper=experiment.paper,
        figures=tuple(
            result.measure(figure, tuple(seed.values[figure.key] for seed in seeds))
            for figure in experiment.figures
        ),
        pictures=pictures(folder),
        identity=identity,
        sha256=identity.sha256,
        changed=tuple(name for name, value in asdict(job.settings).items() if value != preset[name]),
        environment=environment.describe(experiment.run, job.device),
        seeds=seeds,
        started=store.marker(folder).started,
        finished=now(),
        scenes=scenes(folder),
    )
