"""The figures of a page of benchmarks, out of the results that `nox -s bench` has kept.

A page is prose with two kinds of holes: the line `<!-- results -->` becomes the day and machine, the bars and
the tables; `[[GROUP | ROW | COLUMN]]` becomes one figure of a table. So no figure of a run is typed by hand.
"""

from __future__ import annotations

import html
import json
import math
import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path

PLACE = "<!-- results -->"
FIGURE = re.compile(r"\[\[([^\]|]+)\|([^\]|]+)\|([^\]|]+)\]\]")
OVER_OURS = " / ours"


def filled(page: str, path: Path) -> str:
    """The Markdown of a page with its holes filled.

    Raises:
        ValueError: the page asks for a figure that the results do not have.
    """
    results = json.loads(path.read_text(encoding="utf-8"))

    def figure(match: re.Match[str]) -> str:
        group, row, column = (part.strip() for part in match.groups())
        for found in results["groups"]:
            for line in found["rows"]:
                if (found["name"], line["name"]) == (group, row) and column in line:
                    return seconds(line[column]) if column == "seconds" else number(line[column])
        raise ValueError(f"{path.name} has no figure {match[0]}; the page beside it names it.")

    return FIGURE.sub(figure, page).replace(
        PLACE, "\n".join([about(results), *bars(results), *tables(results)])
    )


def about(results: dict[str, Any]) -> str:
    """Day, machine, versions."""
    versions = ", ".join(f"{name} {version}" for name, version in results["versions"].items())
    note = f" {results['note']}" if "note" in results else ""
    return (
        f"Measured on {results['measured']}: {results['machine']}, Python {results['python']}; "
        f"{versions}.{note} The machine is shared: trust ratios rather than seconds. There was no GPU.\n"
    )


def bars(results: dict[str, Any]) -> list[str]:
    """How many times as long as ours each other program takes, as bars on a logarithmic scale."""
    found = [
        (group["name"], row["name"], column.removesuffix(OVER_OURS), value)
        for group in results["groups"]
        for row in group["rows"]
        for column, value in row.items()
        if column.endswith(OVER_OURS)
    ]
    if not found:
        return []
    low = min(0.0, *(math.log(value) for *_, value in found))
    high = max(math.log(2.0), *(math.log(value) for *_, value in found))
    one = 100 * -low / (high - low)
    lines = [
        "## At a glance",
        "",
        "The time of each other program over ours, on a logarithmic scale: to the right of the line (1) ours"
        " is the faster one, to the left the other.",
        "",
        '<div class="bars" role="list">',
    ]
    heading = None
    for group, row, peer, value in found:
        if group != heading:
            lines.append(f'<p class="bars-group">{html.escape(group)}</p>')
            heading = group
        label = peer if row == "ours" else f"{peer} / {row}"
        at = 100 * (math.log(value) - low) / (high - low)
        kind, left, width = ("ahead", one, at - one) if value >= 1 else ("behind", at, one - at)
        lines.append(
            f'<div class="bars-row" role="listitem"><span class="bars-label">{html.escape(label)}</span>'
            f'<span class="bars-track"><span class="bars-bar bars-{kind}" style="left:{left:.1f}%;'
            f'width:{max(width, 0.5):.1f}%"></span>'
            f'<span class="bars-one" style="left:{one:.1f}%"></span></span>'
            f'<span class="bars-value">{number(value)}</span></div>'
        )
    return [*lines, "</div>", ""]


def tables(results: dict[str, Any]) -> list[str]:
    """A heading and a table for each group."""
    lines: list[str] = ["## Everything measured", ""]
    for group in results["groups"]:
        rows = group["rows"]
        keys = dict.fromkeys(key for row in rows for key in row)
        columns = [key for key in keys if key not in ("name", "seconds")]
        lines += [f"### {group['name']}", "", f"| | {' | '.join(['least time', *columns])} |"]
        lines.append("|---|" + "---:|" * (len(columns) + 1))
        for row in rows:
            cells = [row["name"], seconds(row["seconds"]), *(number(row.get(column)) for column in columns)]
            lines.append(f"| {' | '.join(cells)} |")
        lines.append("")
    return lines


def seconds(value: float) -> str:
    """A time in the unit that suits it."""
    for unit, size in (("s", 1.0), ("ms", 1e-3)):
        if value >= size:
            return f"{value / size:.3g} {unit}"
    return f"{value * 1e6:.3g} µs"


def number(value: object) -> str:
    """Three figures of a number, whole from a thousand on; other things as they are, nothing for None."""
    if isinstance(value, float):
        return f"{value:,.0f}" if 1e3 <= abs(value) < 1e6 else f"{value:.3g}"
    return "" if value is None else str(value)
