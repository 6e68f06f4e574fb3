"""The tables that the commands print."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich import box
from rich.table import Table
from rich.text import Text

from repro import numbers, registry
from repro.errors import ExperimentError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from repro.dataset import Dataset
    from repro.runner import Done


def experiments() -> Table:
    """All installed experiments; an app that cannot be imported has its error in the place of a title."""
    table = plain("experiment", "what it reproduces", "smoke", "quick", "paper", whole=(0, 2, 3, 4))
    for name in registry.entry_points():
        try:
            experiment = registry.load(name)
        except ExperimentError as error:
            table.add_row(name, Text(str(error), style="red"), "", "", "")
            continue
        what = Text(f"{experiment.title}\n")
        what.append(f"{experiment.paper.authors}, {experiment.paper.venue}", style="dim")
        minutes = [duration(60 * experiment.minutes[preset]) for preset in ("smoke", "quick", "paper")]
        table.add_row(name, what, *minutes)
    table.caption = "times: one seed of each preset, on two cores"
    return table


def figures(runs: Iterable[Done]) -> Table:
    """Every figure of the runs beside the paper's."""
    table = plain("figure", "paper", "ours", "other data, not comparable")
    for done in runs:
        table.add_section()
        table.add_row(Text(done.result.identity.experiment, style="bold"))
        for figure in done.result.figures:
            ours = [numbers.ours(figure), ""] if figure.comparable else ["", numbers.ours(figure)]
            table.add_row(Text(f"  {figure.label}"), numbers.papers(figure), *ours)
    return table


def outside(done: Done) -> list[tuple[str, ...]]:
    """Returns a row for every value of a run that lies outside its figure's band."""
    bands = {figure.key: figure.smoke for figure in done.experiment.figures}
    return [
        (
            done.experiment.name,
            figure.label,
            str(seed.seed),
            f"{value:.6g}",
            f"{band.low:g} to {band.high:g}",
            band.why,
        )
        for figure in done.result.figures
        if (band := bands[figure.key]) is not None
        for seed, value in zip(done.result.seeds, figure.values, strict=True)
        if value not in band
    ]


def bands(rows: Iterable[tuple[str, ...]]) -> Table:
    """The values outside their bands."""
    table = plain("experiment", "figure", "seed", "value", "band", "why")
    for row in rows:
        table.add_row(*map(Text, row))
    return table


def datasets(sets: Iterable[Dataset]) -> Table:
    """All declared data sets."""
    table = plain("data set", "what it is, and its licence", "comes by", "read by", whole=(0, 2, 3))
    for dataset in sets:
        what = Text(f"{dataset.title}\n")
        what.append(dataset.licence, style="dim")
        size = "" if dataset.size is None else f"\n{dataset.size / 1e6:,.0f} MB"
        how = f"fetch{size}" if dataset.files else "hand"
        table.add_row(dataset.name, what, how, Text("\n".join(dataset.experiments)))
    return table


def duration(seconds: float) -> str:
    """Writes a time in the unit that suits it."""
    if seconds < 0.1:
        return "under 0.1 s"
    for size, unit in ((86400, "days"), (3600, "h"), (60, "min")):
        if seconds >= 1.5 * size:
            return f"{seconds / size:.3g} {unit}"
    return f"{seconds:.3g} s"


def plain(*columns: str, whole: tuple[int, ...] = ()) -> Table:
    """A table whose `whole` columns are never broken into lines."""
    table = Table(box=box.SIMPLE_HEAD, header_style="bold", caption_justify="left")
    for i, column in enumerate(columns):
        table.add_column(column, overflow="fold", no_wrap=i in whole)
    return table
