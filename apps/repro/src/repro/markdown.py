"""The short report in each run's folder."""

from __future__ import annotations

from typing import TYPE_CHECKING

from repro import numbers

if TYPE_CHECKING:
    from repro.result import Measured, Result


def render(result: Result) -> str:
    """Writes the `report.md` of one run."""
    seconds = sum(seed.seconds for seed in result.seeds)
    seeds = "1 seed" if len(result.seeds) == 1 else f"{len(result.seeds)} seeds"
    lines = [
        f"# {result.identity.experiment}: {result.title}",
        "",
        f"{result.paper.authors}, *{result.paper.title}*, {result.paper.venue}",
        "",
        result.about,
        "",
        "| figure | paper | ours | other data, not comparable | |",
        "|---|---|---|---|---|",
        *map(_row, result.figures),
        "",
        f"Preset {result.identity.preset}, {seeds}, {result.identity.device} ({result.environment.cpu}), "
        f"{seconds:.1f} s, finished {result.finished}.",
        "",
        *(f"![{picture.caption}]({picture.light})\n" for picture in result.pictures),
    ]
    return "\n".join(lines)


def _row(figure: Measured) -> str:
    ours = [numbers.ours(figure), ""] if figure.comparable else ["", numbers.ours(figure)]
    cells = [figure.label, numbers.papers(figure), *ours, figure.cause]
    escaped = (cell.replace("|", "\\|") for cell in cells)
    return f"| {' | '.join(escaped)} |"
