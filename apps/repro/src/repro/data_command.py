"""What `repro data` prints and does."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING, Literal

from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn
from rich.text import Text

from repro import datasets, fetch, tables
from repro.errors import UserError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from repro.dataset import Dataset

Action = Literal["list", "show", "fetch", "verify"]


def run(action: Action, names: Sequence[str], *, folder: Path, at: Path | None) -> None:
    """Carries out one action.

    Args:
        action: what to do.
        names: of data sets; none for "list".
        folder: in which each set has its own folder.
        at: for "verify", the folder of the one set itself.

    Raises:
        UserError: the names or options do not go with the action, or a set is fetched by hand.
        DataError: a set was not fetched, or is not what it should be.
    """
    if at is not None and (action != "verify" or len(names) != 1):
        raise UserError("--at is the folder of one set to verify: repro data verify NAME --at FOLDER.")
    console = Console()
    if action == "list":
        if names:
            raise UserError(f"`repro data list` takes no names; try: repro data show {shlex.join(names)}")
        console.print(tables.datasets([datasets.load(name) for name in datasets.entry_points()]))
        console.print("Licence, citation and layout of one: repro data show NAME", highlight=False)
        return
    for dataset in [datasets.load(name) for name in datasets.resolve(names)]:
        if action == "verify":
            place = at or folder / dataset.name
            found = fetch.verify(dataset, place)
            print(f"{dataset.name}: {found} {fetch.read(dataset, place)}".rstrip())
            _say_commands(dataset, place)
            continue
        console.print(_described(dataset, folder), soft_wrap=True)
        if action == "fetch":
            _fetch(dataset, folder)


def _fetch(dataset: Dataset, folder: Path) -> None:
    if not dataset.files:
        raise UserError(
            f"{dataset.name} is fetched by hand, as described above: no address with a published checksum is "
            f"known. Then: repro data verify {dataset.name} --folder {folder}"
        )
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn())
    console = Console(stderr=True)
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bars:
        tasks = {file.name: bars.add_task(file.name, total=file.size, start=False) for file in dataset.files}

        def progress(name: str, done: int, total: int | None) -> None:
            bars.start_task(tasks[name])
            bars.update(tasks[name], completed=done, total=total)

        found = fetch.install(dataset, folder, progress=progress)
    print(f"{folder / dataset.name}: {found}")
    _say_commands(dataset, folder / dataset.name)


def _say_commands(dataset: Dataset, place: Path) -> None:
    for experiment in dataset.experiments:
        print(f"  {command(experiment, place)}")


def command(experiment: str, place: Path) -> str:
    """Returns the command that runs an experiment on a set."""
    return f"repro run {experiment} --preset quick --data {shlex.quote(str(place))}"


def _described(dataset: Dataset, folder: Path) -> Text:
    """All that one should know before fetching a set."""
    text = Text()
    text.append(f"{dataset.name}: {dataset.title}\n", style="bold")
    text.append(
        f"  licence   {dataset.licence}\n  cite      {dataset.citation}\n  home      {dataset.home}\n"
    )
    for file in dataset.files:
        size = "size not stated" if file.size is None else f"{file.size / 1e6:,.1f} MB"
        text.append(f"  file      {file.name}, {size}: {file.urls[0]}\n            {file.checksum}\n")
    if dataset.by_hand:
        text.append(f"  by hand   {dataset.by_hand}\n")
    text.append(f"  layout    {folder / dataset.name}/: {dataset.layout}\n")
    for experiment in dataset.experiments:
        text.append(f"  run       {command(experiment, folder / dataset.name)}\n")
    return text
