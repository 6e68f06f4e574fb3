"""The figures of finished runs as CSV: a row for each figure of each run, with all digits."""

from __future__ import annotations

import csv
import io
import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from repro.result import Measured, Result

FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n")
"""What a spreadsheet may take for the start of a formula, and execute."""


def table(runs: Iterable[tuple[Path, Result]]) -> str:
    """Writes the table, oldest run of an experiment first.

    Numbers are written so that reading them gives the same float again. A text that a spreadsheet may take
    for a formula gets an apostrophe before it.

    Example:
        >>> table([]).split(",")[:4]
        ['experiment', 'paper', 'figure', 'label']
    """
    file = io.StringIO()
    writer = csv.writer(file)  # its line ends are "\r\n" (RFC 4180), so it puts either sign into quotes
    writer.writerow(COLUMNS)
    for folder, run in sorted(runs, key=lambda r: (r[1].identity.experiment, r[1].finished, str(r[0]))):
        for figure in run.figures:
            writer.writerow([cell(value) for value in _row(folder, run, figure)])
    return file.getvalue()


def cell(value: object) -> str:
    """Writes one value.

    >>> cell(0.1), cell(-2.0), cell(None), cell(True), cell("=1+1"), cell("a = b")
    ('0.1', '-2.0', '', 'true', "'=1+1", 'a = b')
    """
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (int, float)):
        return repr(value)
    text = str(value)
    # a space before the sign does not keep every spreadsheet from it
    return f"'{text}" if text.lstrip(" ").startswith(FORMULA) else text


COLUMNS = (
    "experiment", "paper", "figure", "label", "unit", "mean", "deviation", "n", "values", "paper_value",
    "paper_deviation", "paper_source", "comparable", "preset", "changed", "started", "finished", "seconds",
    "commit", "modified", "device", "cpu", "gpu", "python", "packages", "settings", "data", "identity",
    "folder",
)  # fmt: skip


def _row(folder: Path, run: Result, figure: Measured) -> tuple[object, ...]:
    identity, environment, paper = run.identity, run.environment, figure.paper
    row: dict[str, object] = {
        "experiment": identity.experiment,
        "paper": run.paper.key,
        "figure": figure.key,
        "label": figure.label,
        "unit": figure.unit,
        "mean": figure.mean,
        "deviation": figure.deviation,
        "n": figure.n,
        "values": _json(figure.values),
        "paper_value": paper and paper.value,
        "paper_deviation": paper and paper.deviation,
        "paper_source": paper and paper.source,
        "comparable": figure.comparable,
        "preset": identity.preset,
        "changed": _json(run.changed),
        "started": run.started,
        "finished": run.finished,
        "seconds": sum(seed.seconds for seed in run.seeds),
        "commit": environment.commit,
        "modified": environment.modified,
        "device": identity.device,
        "cpu": environment.cpu,
        "gpu": environment.gpu,
        "python": environment.python,
        "packages": _json(environment.packages | identity.packages),
        "settings": _json(identity.settings),
        "data": _json(identity.data),
        "identity": run.sha256,
        "folder": str(folder),
    }
    return tuple(row[name] for name in COLUMNS)


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)
