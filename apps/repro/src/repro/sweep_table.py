"""The table of a sweep: for reading in a terminal, as Markdown, and with all digits as CSV."""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING

from rich.text import Text

from repro import numbers, tables
from repro.sweep import written

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from rich.table import Table

    from repro.experiment import Figure
    from repro.result import Measured
    from repro.sweep import Entry

FAILED = "failed"
BEFORE = ("experiment", "preset")  # columns of the CSV file, before the settings that vary and after them
AFTER = (
    "figure",
    "label",
    "unit",
    "mean",
    "deviation",
    "n",
    "values",
    "paper",
    "paper_deviation",
    "comparable",
)
AFTER += ("seconds", "run")


@dataclass(frozen=True)
class Row:
    """One figure of one run.

    Attributes:
        entry: the run.
        figure: as the experiment declares it.
        measured: None where the run failed.
    """

    entry: Entry
    figure: Figure
    measured: Measured | None

    @property
    def settings(self) -> str:
        """The settings that vary, the preset where none does."""
        varied = self.entry.point.varied
        return (
            ", ".join(f"{k} {written(v)}" for k, v in varied.items())
            or f"preset {self.entry.point.job.preset}"
        )

    @property
    def seconds(self) -> float | None:
        """Of all seeds together; None where the run failed."""
        result = self.entry.result
        return None if result is None else sum(seed.seconds for seed in result.seeds)

    @property
    def cells(self) -> tuple[str, str, str, str]:
        """The paper's figure, ours, ours on other data, the time."""
        if self.measured is None or self.seconds is None:
            return "", FAILED, "", ""
        ours = numbers.ours(self.measured)
        ours, elsewhere = (ours, "") if self.measured.comparable else ("", ours)
        return numbers.papers(self.measured), ours, elsewhere, tables.duration(self.seconds)


def rows(entries: Iterable[Entry], figures: Sequence[str]) -> list[Row]:
    """Returns the table's rows, those of one figure of one experiment together.

    Args:
        entries: the runs, those of an experiment together.
        figures: keys of the figures to show; all where it is empty.
    """
    found: list[Row] = []
    for _, group in groupby(entries, key=lambda entry: entry.point.job.experiment.name):
        runs = list(group)
        for figure in runs[0].point.job.experiment.figures:
            if figures and figure.key not in figures:
                continue
            for run in runs:
                measured = run.result and next(f for f in run.result.figures if f.key == figure.key)
                found.append(Row(run, figure, measured))
    return found


def sections(table: Iterable[Row]) -> list[list[Row]]:
    """Returns the rows by figure and experiment."""
    return [list(group) for _, group in groupby(table, key=lambda row: (_experiment(row), row.figure.key))]


def terminal(table: Sequence[Row]) -> Table:
    """The table as the command prints it."""
    other = any(not row.figure.comparable for row in table)
    columns = [
        "figure and settings",
        "paper",
        "ours",
        *(["other data, not comparable"] if other else []),
        "time",
    ]
    drawn = tables.plain(*columns)
    for section in sections(table):
        drawn.add_section()
        drawn.add_row(Text(f"{_experiment(section[0])}: {section[0].figure.label}", style="bold"))
        for row in section:
            paper, ours, elsewhere, time = row.cells
            drawn.add_row(f"  {row.settings}", paper, ours, *([elsewhere] if other else []), time)
    drawn.caption = "mean ± sample deviation over the seeds; time: of all seeds together"
    return drawn


def markdown(table: Sequence[Row]) -> str:
    """The table as `table.md`."""
    names = varied(table)
    lines = _header("experiment", "figure", *names, "paper", "ours", "other data, not comparable", "time")
    for row in table:
        settings = row.entry.point.varied
        values = [written(settings[name]) if name in settings else "" for name in names]
        cells = (_experiment(row), row.figure.label, *values, *row.cells)
        lines.append(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |")
    return "\n".join(lines) + "\n"


def comma_separated(table: Sequence[Row]) -> str:
    """The table as `table.csv`, with all digits and each seed's value; a failed run has empty cells."""
    names = varied(table)
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow([*BEFORE, *names, *AFTER])
    for row in table:
        point, figure, ours = row.entry.point, row.figure, row.measured
        measured = [None, None, None, None]
        if ours is not None:
            measured = [ours.mean, ours.deviation, ours.n, " ".join(map(repr, ours.values))]
        before = [_experiment(row), point.job.preset]
        values = [written(point.varied[name]) if name in point.varied else None for name in names]
        paper = [figure.published, figure.deviation, figure.comparable]
        after = [figure.key, figure.label, figure.unit, *measured, *paper, row.seconds, row.entry.folder]
        writer.writerow([*before, *values, *after])
    return text.getvalue()


def varied(table: Iterable[Row]) -> list[str]:
    """Returns the names of all settings that vary, in the order in which they were given."""
    return list(dict.fromkeys(name for row in table for name in row.entry.point.varied))


def _experiment(row: Row) -> str:
    return row.entry.point.job.experiment.name


def _header(*columns: str) -> list[str]:
    return [f"| {' | '.join(columns)} |", "|" + "---|" * len(columns)]
