"""The command `repro`."""

from __future__ import annotations

import dataclasses
import os
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, Union

import tyro
from rich.console import Console

from repro import devices, registry, store
from repro.devices import Device  # noqa: TC001  (tyro reads the annotations)
from repro.errors import DataError, ExperimentError, UserError
from repro.experiment import Preset  # noqa: TC001

if TYPE_CHECKING:
    from collections.abc import Sequence

    from repro.report import Page
    from repro.runner import Done, Job

EXAMPLES = """\
Runs the experiments of the papers and shows ours beside theirs.

examples:
  repro demo                              a few experiments in their small form, then the page
  repro list                              what there is
  repro run dsa.table3                    one experiment
  repro run dsa --preset quick --seeds 3  all experiments of a paper, larger
  repro run dsa.table3 --help             with the settings of this experiment
  repro sweep dsa.table3 --set starts=3,10  each value of a setting, side by side, on all cores or a cluster
  repro report                            the page over all finished runs
  repro report --papers dsa --csv a.csv   over those of a paper, with its figures as a table
  repro data                              the papers' data sets, and which experiment reads which

Experiments compute on one thread unless the variable OMP_NUM_THREADS says otherwise.
"""

NEXT = """
Next:
  repro list                               all experiments and how long each preset takes
  repro run dsa.table3 --preset quick      more of one, in minutes
  repro run dsa.table3 --help              its settings
  repro report                             the page again, with all that was run\
"""


@dataclass(frozen=True, kw_only=True)
class List:
    """Lists the experiments: paper, title, expected time of each preset."""


@dataclass(frozen=True, kw_only=True)
class Run:
    """Runs experiments; a run that was stopped goes on where it was, a finished one is shown."""

    names: tyro.conf.Positional[tuple[str, ...]] = ()
    """Experiments (dsa.table3), papers (dsa) or all. With one experiment, --help shows its settings too."""
    preset: Preset = "smoke"
    """smoke: seconds. quick: minutes. paper: the published protocol, for a GPU or a night."""
    device: Device = "auto"
    """auto takes the GPU where there is one."""
    seeds: int = 1
    """How many seeds; an experiment in which nothing is random runs once."""
    runs: Path = Path("runs")
    """Folder in which each run gets its own."""
    data: Path | None = None
    """Folder with the paper's data, where the experiment asks for it."""
    fresh: bool = False
    """Starts anew, whatever runs there are."""
    check: bool = False
    """Ends with exit code 1 where a figure lies outside its band; for the smoke preset."""


@dataclass(frozen=True, kw_only=True)
class Sweep:
    """Runs experiments x settings x seeds on Ray and shows them side by side, in a table and a plot.

    Each run is one that repro run would make, and a finished one is not made again; so the same command goes
    on after a kill. A run whose experiment fails is listed in the end and not tried again.
    """

    names: tyro.conf.Positional[tuple[str, ...]] = ()
    """Experiments (dsa.table3), papers (dsa) or all."""
    sets: Annotated[
        tyro.conf.UseAppendAction[tuple[str, ...]], tyro.conf.arg(name="set", metavar="NAME=VALUE,VALUE")
    ] = ()
    """A setting and its values, in every experiment, or with EXPERIMENT.NAME in one; more make a grid. Spaces
    separate the parts of one value: "sizes=16 32,64 128"."""
    preset: Preset = "smoke"
    """From which the settings that are not varied come."""
    seeds: int = 3
    """How many seeds of each run; each is a task of its own."""
    address: str | None = None
    """host:port, or auto, of a Ray cluster that this machine belongs to; without it, this machine alone."""
    cpus: float = 1
    """Of each task: its threads, too."""
    gpus: float = 0
    """Of each task; 0.25 lets four share one, 0 computes on the CPU."""
    retries: int = 2
    """How often a seed is tried again whose worker died."""
    figures: tuple[str, ...] = ()
    """Keys of the figures to show; all where none is named."""
    runs: Path = Path("runs")
    """Folder in which each run gets its own; on a cluster every node must see it."""
    data: Path | None = None
    """Folder with the paper's data, where the experiments ask for it."""
    fresh: bool = False
    """Starts every run anew."""
    output: Path = Path("sweep")
    """Folder in which each sweep gets its own for table and plot."""
    name: str | None = None
    """Of that folder; without it, digits that follow from the runs."""


@dataclass(frozen=True, kw_only=True)
class Report:
    """Writes one page over all finished runs: the best of each experiment, and the figures' history."""

    runs: Path = Path("runs")
    """Folder of the runs."""
    output: Path = Path("report.html")
    """File to write."""
    papers: tuple[str, ...] = ()
    """Papers (dsa metaballs); without these and --experiments, all."""
    experiments: tuple[str, ...] = ()
    """Experiments (dsa.table3), beside those of the papers."""
    csv: Path | None = None
    """File to write too: a row for every figure of every run, with all digits."""
    latex: Path | None = None
    """File to write too: LaTeX tables of the figures on the page, for the package booktabs."""


@dataclass(frozen=True, kw_only=True)
class Demo:
    """Runs a few experiments of every paper in their small form and writes the page."""

    seeds: int = 2
    """How many seeds; an experiment in which nothing is random runs once."""
    runs: Path = Path("runs")
    """Folder in which each run gets its own."""
    output: Path = Path("report.html")
    """File to write."""


@dataclass(frozen=True, kw_only=True)
class Data:
    """Lists, fetches and checks the papers' data sets.

    list: what there is. show: licence, citation, layout and which experiments read it. fetch: shows the
    same, then downloads into FOLDER/NAME; a fetch that was stopped goes on where it was. verify: looks at
    what is there.
    """

    action: tyro.conf.Positional[Literal["list", "show", "fetch", "verify"]] = "list"
    """What to do."""
    names: tyro.conf.Positional[tuple[str, ...]] = ()
    """Data sets; with list none."""
    folder: Path = Path("data")
    """Folder in which each set gets its own."""
    at: Path | None = None
    """For verify: the set's own folder, where it is not FOLDER/NAME."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs a command; returns the exit code: 0, 1 (an experiment failed), 2 (refused), 130 (interrupted)."""
    # For the small presets a second thread gains nothing on an idle machine, and on a busy one threads that
    # wait for each other take three times as long. Libraries read this when they are imported, by an app and
    # not before.
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    try:
        command = parse(list(sys.argv[1:] if arguments is None else arguments) or ["--help"])
        match command:
            case List():
                from repro import tables

                Console().print(tables.experiments())
                return 0
            case Run():
                return run(command)
            case Sweep():
                from repro import sweep_command

                return sweep_command.run(command)
            case Report():
                return report(command)
            case Data():
                return data(command)
            case _:
                return demo(command)
    except (UserError, ExperimentError, DataError) as error:
        _complain(error)
        return 2 if isinstance(error, UserError) else 1
    except KeyboardInterrupt:
        print("Interrupted. The same command goes on where it stopped.", file=sys.stderr)
        return 130


def parse(arguments: list[str]) -> List | Run | Sweep | Report | Data | Demo:
    """Reads the command line; a run of one experiment has its settings among the options."""
    run_type: Any = _with_settings(arguments[1:]) if arguments[:1] == ["run"] else Run
    commands: Any = Union[  # noqa: UP007  (made at run time, with a type that only now exists)
        Annotated[run_type, tyro.conf.subcommand("run")],
        Annotated[List, tyro.conf.subcommand("list")],
        Annotated[Sweep, tyro.conf.subcommand("sweep")],
        Annotated[Report, tyro.conf.subcommand("report")],
        Annotated[Data, tyro.conf.subcommand("data")],
        Annotated[Demo, tyro.conf.subcommand("demo")],
    ]
    config = (tyro.conf.FlagCreatePairsOff,)
    return tyro.cli(commands, args=arguments, prog="repro", description=EXAMPLES, config=config)


def run(command: Run) -> int:
    """Runs experiments and prints their figures."""
    from repro import tables

    settings = getattr(command, "settings", None)
    if command.check and (command.preset != "smoke" or settings is not None):
        raise UserError(
            "--check knows the bands of the smoke preset as it is: leave it out, or --preset and --settings."
        )
    jobs, failures = _prepare(command, registry.resolve(command.names), settings)
    done, failed = _work(jobs, command.runs, fresh=command.fresh)
    if done:
        Console().print(tables.figures(done))
    outside = [row for run in done for row in tables.outside(run)] if command.check else []
    if outside:
        Console().print("Outside their bands:", tables.bands(outside))
    return 1 if failures or failed or outside else 0


def report(command: Report) -> int:
    """Writes the page."""
    from repro import report as pages

    page = pages.write(
        command.runs,
        command.output,
        papers=command.papers,
        experiments=command.experiments,
        csv=command.csv,
        tables=command.latex,
    )
    print(_describe(page))
    for file in (command.csv, command.latex):
        if file:
            print(file.resolve())
    return 0


def data(command: Data) -> int:
    """Lists, shows, fetches or checks data sets; the first fault ends it."""
    from repro import data_command

    data_command.run(command.action, command.names, folder=command.folder, at=command.at)
    return 0


def demo(command: Demo) -> int:
    """Runs the smoke preset of the apps' chosen experiments, then writes the page."""
    from repro import report as pages
    from repro import tables

    pages.check_output(command.output)  # before minutes of work, not after
    names = registry.resolve(registry.demonstration())
    chosen = Run(names=tuple(names), seeds=command.seeds, runs=command.runs)
    jobs, failures = _prepare(chosen, names, None)
    done, failed = _work(jobs, command.runs, fresh=False)
    if not done:
        raise ExperimentError("no experiment could be finished, so there is no page.")
    page = pages.write(command.runs, command.output)
    Console().print(tables.figures(done))
    print(_describe(page))
    print(NEXT)
    return 1 if failures or failed else 0


def _describe(page: Page) -> str:
    content = f"{len(page.shown)} experiments, {page.pictures} pictures, {page.size / 1e6:.1f} MB"
    return f"{page.path.resolve()} ({content}). Open it in a browser."


def _with_settings(arguments: list[str]) -> type[Run]:
    """Returns `Run`, with the settings of an experiment where its help or one of them is asked for."""
    asked = [argument for argument in arguments if argument not in ("-h", "--help")]
    known, rest = tyro.cli(Run, args=asked, prog="repro run", return_unknown_args=True)
    changes = any(argument.startswith("--settings") for argument in rest)
    if not known.names or not (changes or asked != arguments):
        return Run
    names = registry.resolve(known.names)
    if len(names) > 1:
        if changes:
            raise UserError(f"--settings changes one experiment at a time; asked for are {', '.join(names)}.")
        return Run
    settings = registry.load(names[0]).presets[known.preset]
    extended = dataclasses.make_dataclass(
        "Run",
        [("settings", type(settings), field(default=settings))],
        bases=(Run,),
        frozen=True,
        kw_only=True,
    )
    extended.__doc__ = Run.__doc__
    return extended


def _prepare(command: Run, names: list[str], settings: Any) -> tuple[list[Job], int]:
    """Checks all that was asked for before anything is touched; counts the apps that cannot be imported."""
    from repro.runner import Job

    if command.seeds < 1:
        raise UserError(f"--seeds must be 1 or more; got {command.seeds}.")
    if command.data is not None and not command.data.is_dir():
        raise UserError(f"--data must name a folder; {command.data} is none.")
    jobs = []
    failures = 0
    for name in names:
        try:
            experiment = registry.load(name)
        except ExperimentError as error:
            _complain(error)
            failures += 1
            continue
        job = Job(
            experiment=experiment,
            settings=experiment.presets[command.preset] if settings is None else settings,
            preset=command.preset,
            seeds=command.seeds if experiment.seeded else 1,
            device=devices.choose(command.device, experiment),
            data=command.data,
        )
        jobs.append(job)
    store.check_writable(command.runs)
    return jobs, failures


def _work(jobs: list[Job], runs: Path, *, fresh: bool) -> tuple[list[Done], int]:
    """Runs one experiment after the other; where one fails, the others still run."""
    from repro import runner
    from repro.display import Display

    done: list[Done] = []
    failures = 0
    with Display() as display:
        advance = display.overall("all", [job.minutes for job in jobs])
        for job in jobs:
            advance(job.experiment.name)
            try:
                done.append(runner.run(job, runs, fresh=fresh, display=display))
            except ExperimentError as error:
                display.line(str(error))
                failures += 1
        advance("done")
    return done, failures


def _complain(error: Exception) -> None:
    Console(stderr=True).print(f"repro: {error}", style="red", markup=False, highlight=False, soft_wrap=True)
