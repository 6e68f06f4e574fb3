"""What `repro sweep` does: works out what is missing, has it done, and shows all of it side by side."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from rich.console import Console

from repro import _sweep_ray, atomic, registry, result, runner, store, sweep, sweep_plot, sweep_table
from repro._context import now
from repro._sweep_ray import Task
from repro.display import Display
from repro.errors import ExperimentError, UserError
from repro.sweep import Entry

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from repro._sweep_ray import Cluster, Ended
    from repro.cli import Sweep
    from repro.style import Scheme
    from repro.sweep import Point
    from repro.sweep_table import Row

SCHEMA = 1
RECORD = "sweep.json"
PLOTS: dict[Scheme, str] = {"light": "plot.png", "dark": "plot-dark.png"}
PATIENCE = 0.5  # seconds between two looks for an interrupt


@dataclass(frozen=True)
class Failure:
    """A run of which a seed could not be done.

    Attributes:
        task: the seed.
        error: why.
        command: that does the run again, or goes on with it.
    """

    task: Task
    error: str
    command: str


def run(command: Sweep) -> int:
    """Does what is missing of a sweep, then prints and writes its table and plot.

    Returns:
        The exit code: 0, or 1 where a run failed.

    Raises:
        UserError: something that was asked for cannot be done; nothing was touched.
        ExperimentError: an app cannot be imported or read its data, or not one run could be finished.
    """
    points = _points(command)
    output = command.output / (command.name or sweep.checksum(points))
    store.check_writable(command.runs)
    store.check_writable(output)
    folders = {} if command.fresh else _finished(points, command.runs)
    missing = [point for point in points if point.name not in folders]
    failures: list[Failure] = []
    with Display() as display:
        display.line(f"{len(points)} runs: {len(folders)} finished before, {len(missing)} to do.")
        if missing:
            with _sweep_ray.connect(command.address, cpus=command.cpus, gpus=command.gpus) as cluster:
                if command.address:
                    cluster.check_shared(command.runs)
                for point in missing:
                    folders[point.name] = store.claim(command.runs, point.identity, fresh=command.fresh)
                tasks = [task for point in missing for task in _tasks(point, folders[point.name])]
                display.line(f"{len(tasks)} seeds to do, on {cluster}.")
                failures = _work(cluster, tasks, command, display)
    entries = [_entry(point, folders[point.name]) for point in points]
    if not any(entry.result for entry in entries):
        _list(failures)
        raise ExperimentError("no run of the sweep could be finished, so there is no table.")
    table = sweep_table.rows(entries, command.figures)
    Console().print(sweep_table.terminal(table))
    drawn = _write(output, table, entries, failures, command)
    Console().print(f"{output.resolve()}: {drawn}", markup=False, highlight=False, soft_wrap=True)
    _list(failures)
    return 1 if failures else 0


def _points(command: Sweep) -> list[Point]:
    """Checks all that was asked for before anything is touched."""
    for option, value, least in (("seeds", command.seeds, 1), ("retries", command.retries, 0)):
        if value < least:
            raise UserError(f"--{option} must be {least} or more; got {value}.")
    if not 0 < command.cpus < float("inf"):
        raise UserError(f"--cpus must be positive; got {command.cpus:g}.")
    if not (0 <= command.gpus < 1 or (command.gpus.is_integer() and command.gpus > 0)):
        raise UserError(f"--gpus must be a fraction of one, or whole; got {command.gpus:g}.")
    if command.address and "://" in command.address:
        raise UserError(
            f"--address {command.address}: start the sweep on a machine of the cluster, with --address auto."
        )
    if command.data is not None and not command.data.is_dir():
        raise UserError(f"--data must name a folder; {command.data} is none.")
    if command.name is not None and not command.name.replace("_", "").replace("-", "").isalnum():
        raise UserError(
            f"--name must be a folder's name of letters, digits, `_` and `-`; got {command.name!r}."
        )
    experiments = [registry.load(name) for name in registry.resolve(command.names)]
    keys = {figure.key: None for experiment in experiments for figure in experiment.figures}
    for key in command.figures:
        if key not in keys:
            raise UserError(f"--figures: there is no figure {key!r}. {registry.suggestion(key, keys, keys)}")
    return sweep.expand(
        experiments,
        command.sets,
        preset=command.preset,
        seeds=command.seeds,
        device="cuda" if command.gpus else "cpu",
        data=command.data,
    )


def _finished(points: Sequence[Point], runs: Path) -> dict[str, Path]:
    """Returns the folders of the runs that need nothing more, by the points' names."""
    found = {point.name: store.find(runs, point.identity) for point in points}
    return {name: folder for name, folder in found.items() if folder and (folder / result.NAME).exists()}


def _tasks(point: Point, folder: Path) -> list[Task]:
    """The seeds still to be done; where only the result is missing, the first, which then gathers."""
    missing = [seed for seed in range(point.job.seeds) if runner.missing(folder, seed)]
    return [Task(point, seed, folder) for seed in missing or [0]]


def _work(cluster: Cluster, tasks: Sequence[Task], command: Sweep, display: Display) -> list[Failure]:
    """Has all tasks done; one whose worker dies is tried again, one whose experiment fails is not."""
    failures: list[Failure] = []
    advance = display.shares("sweep", sum(task.minutes for task in tasks))
    for task in tasks:
        if store.is_held(task.folder, task.seed):
            display.line(f"{task.name}: another process is at work in {task.folder}; waiting for it")
        cluster.submit(task)
    left = len(tasks)
    while left:
        for ended in cluster.ended(PATIENCE):
            task = ended.task
            if ended.died and task.tries < command.retries:
                cluster.submit(replace(task, tries=task.tries + 1))
                display.line(
                    f"{task.name}: {ended.error}; tried again ({task.tries + 1} of {command.retries})"
                )
                continue
            left -= 1
            advance(task.minutes, f"{len(tasks) - left} of {len(tasks)} seeds")
            if ended.error is None:
                display.line(f"{task.name}: done ({len(tasks) - left} of {len(tasks)})")
            else:
                failures.append(_failure(ended, command))
                display.line(f"{task.name}: failed")
    return failures


def _failure(ended: Ended, command: Sweep) -> Failure:
    again = f", {ended.task.tries + 1} times" if ended.died and ended.task.tries else ""
    return Failure(ended.task, f"{ended.error}{again}", ended.task.point.command(command.runs))


def _entry(point: Point, folder: Path) -> Entry:
    finished = (folder / result.NAME).exists()
    return Entry(point=point, folder=folder, result=result.read(folder) if finished else None)


def _write(
    output: Path,
    table: Sequence[Row],
    entries: Sequence[Entry],
    failures: Sequence[Failure],
    command: Sweep,
) -> str:
    """Writes table, plot and record; says which files there are."""
    sections = sweep_table.sections(table)
    atomic.write(output / "table.csv", sweep_table.comma_separated(table))
    atomic.write(output / "table.md", sweep_table.markdown(table))
    for scheme, name in PLOTS.items():
        atomic.write(output / name, sweep_plot.draw(sections, scheme))
    atomic.write_json(
        output / RECORD, _record(entries, failures, command)
    )  # last, as the others are there then
    left_out = len(sections) - sweep_plot.PANELS
    note = f" ({left_out} figures are not in the plots; --figures chooses)" if left_out > 0 else ""
    return ", ".join(["table.csv", "table.md", *PLOTS.values(), RECORD]) + note


def _record(entries: Sequence[Entry], failures: Sequence[Failure], command: Sweep) -> dict[str, object]:
    """Returns what `sweep.json` holds."""
    return {
        "schema": SCHEMA,
        "written": now(),
        "sets": list(command.sets),
        "runs": [
            {
                "experiment": entry.point.job.experiment.name,
                "settings": entry.point.varied,
                "seeds": entry.point.job.seeds,
                "sha256": entry.point.identity.sha256,
                "folder": entry.folder.as_posix(),
                "finished": entry.result is not None,
            }
            for entry in entries
        ],
        "failures": [
            {"name": failure.task.name, "error": failure.error, "command": failure.command}
            for failure in failures
        ],
    }


def _list(failures: Sequence[Failure]) -> None:
    """Prints every failure and, for each run that has one, the command that does it again."""
    console = Console(stderr=True)
    for failure in failures:
        console.print(f"{failure.task.name}: {failure.error}", style="red", markup=False, soft_wrap=True)
    for command in dict.fromkeys(failure.command for failure in failures):
        console.print(f"  again: {command}", markup=False, highlight=False, soft_wrap=True)
