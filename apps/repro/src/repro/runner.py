"""Runs one experiment: every seed once, however often the process is killed in between."""

from __future__ import annotations

import time
import traceback
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from repro import atomic, disk, environment, lock, markdown, result, schema, store
from repro._context import RunContext, append, now, pictures, scenes
from repro.errors import ExperimentError, UserError
from repro.identity import identify
from repro.result import Result, Seed

if TYPE_CHECKING:
    from collections.abc import Iterator
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

    def identify(self) -> Identity:
        """Returns what the run is known by; reads the data files."""
        return identify(
            self.experiment,
            preset=self.preset,
            settings=self.settings,
            seeds=self.seeds,
            device=self.device,
            data=self.data,
        )


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
    experiment = job.experiment
    identity = job.identify()
    with _disk_told(job, runs), store.hold(runs, identity, fresh=fresh) as folder:
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
            raise _failed(error, log) from error
        return Done(experiment, folder, _finish(job, identity, seeds, folder))


def run_seed(job: Job, seed: int, folder: Path, *, display: Display) -> None:
    """Does one seed of a run whose other seeds other processes may do; the last to end finishes the run.

    Waits for a process that is at work on the same seed, and then has nothing left to do.

    Args:
        job: known to be that of the folder.
        seed: below `job.seeds`.
        folder: of the run, as `store.claim` gave it.
        display: for the progress.

    Raises:
        ExperimentError: as in `run`.
        UserError: a file of the run is damaged.
    """
    with _disk_told(job, folder):
        _share(job, seed, folder, display)


def _share(job: Job, seed: int, folder: Path, display: Display) -> None:
    with store.share(folder, seed):
        if missing(folder, seed):
            try:
                _seed(job, seed, folder, display)
            except ExperimentError as error:
                raise _failed(error, folder / "log.txt") from error
    if any(missing(folder, other) for other in range(job.seeds)):
        return
    with lock.hold(folder, wait=True):
        if not (folder / result.NAME).exists():
            seeds = tuple(_outcome(job, other, folder) for other in range(job.seeds))
            _finish(job, store.marker(folder).identity, seeds, folder)


@contextmanager
def _disk_told(job: Job, folder: Path) -> Iterator[None]:
    """Says of a disk that takes no more what is kept and what to do."""
    try:
        yield
    except OSError as error:
        if not disk.refuses(error):
            raise
        raise ExperimentError(
            f"{job.experiment.name} was stopped: {disk.reason(error, folder)}. Finished seeds and "
            "checkpoints are kept. Make room or take another --runs; the same command goes on where it "
            "stopped."
        ) from error


def missing(folder: Path, seed: int) -> bool:
    """Says whether a seed of a run is still to be done."""
    return not (folder / f"seed-{seed}" / OUTCOME).exists()


def describe(identity: Identity) -> str:
    """Says in a few words how a run is made."""
    seeds = "1 seed" if identity.seeds == 1 else f"{identity.seeds} seeds"
    return f"preset {identity.preset}, {seeds}, {identity.device}"


def _seed(job: Job, seed: int, run: Path, display: Display) -> Seed:
    """Runs one seed, or reads its outcome where it is finished."""
    path = run / f"seed-{seed}" / OUTCOME
    if not missing(run, seed):
        append(run / "log.txt", f"seed {seed}: finished before, not repeated")
        display.line(f"  seed {seed}: finished before, not repeated")
        return _outcome(job, seed, run)
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


def _outcome(job: Job, seed: int, run: Path) -> Seed:
    """Reads how a finished seed went; it must have the experiment's figures."""
    path = run / f"seed-{seed}" / OUTCOME
    outcome = read_outcome(path)
    try:
        result.check(job.experiment, outcome.values)
    except ExperimentError as error:
        raise _damaged(path, error) from error
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


def _failed(error: ExperimentError, log: Path) -> ExperimentError:
    """Notes a failure; returns the error that names the log."""
    append(log, f"failed: {error}")
    return ExperimentError(f"{error} The log: {log}")


def _finish(job: Job, identity: Identity, seeds: tuple[Seed, ...], folder: Path) -> Result:
    """Writes what a run whose seeds are all done leaves behind."""
    gathered = _gather(job, identity, seeds, folder)
    atomic.write(folder / "report.md", markdown.render(gathered))
    result.write(folder, gathered)  # last: with it the run is finished
    append(folder / "log.txt", "finished")
    return gathered


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
