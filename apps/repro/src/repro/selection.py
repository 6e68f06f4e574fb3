"""Which runs a report is over: all, or those of some papers and experiments."""

from __future__ import annotations

from typing import TYPE_CHECKING

from repro import registry
from repro.errors import UserError

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence
    from pathlib import Path

    from repro.result import Result


def select(
    finished: Sequence[tuple[Path, Result]], *, papers: Collection[str], experiments: Collection[str]
) -> list[tuple[Path, Result]]:
    """Returns the runs of the papers and of the experiments asked for; all where nothing was.

    The names are those that the results hold: their apps need not be installed.

    Raises:
        UserError: a name of which there is no finished run.
    """
    if not papers and not experiments:
        return list(finished)
    _check("--papers", papers, {run.paper.key for _, run in finished})
    _check("--experiments", experiments, {run.identity.experiment for _, run in finished})
    return [
        (folder, run)
        for folder, run in finished
        if run.paper.key in papers or run.identity.experiment in experiments
    ]


def concerns(folder: Path, *, papers: Collection[str], experiments: Collection[str]) -> bool:
    """Says whether a run without a result, known by its folder alone, belongs to what was asked for."""
    name = folder.parent.name
    return not (papers or experiments) or name in experiments or name.split(".")[0] in papers


def _check(option: str, asked: Collection[str], known: set[str]) -> None:
    installed = registry.entry_points()
    for name in asked:
        if name in known:
            continue
        if name in installed or name in {each.split(".")[0] for each in installed}:
            raise UserError(f"{option}: there is no finished run of {name}. Make one: repro run {name}.")
        hint = registry.suggestion(name, sorted(known), sorted(known))
        raise UserError(f"{option}: no finished run is of {name!r}. {hint}")
