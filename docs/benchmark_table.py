"""Writes the results of a benchmark as Markdown tables: `python docs/benchmark_table.py RESULTS.json`.

One table for each group, one row for each test: its least time, that as a multiple of the group's first row
where the group compares several programs on one task, and what else the test has measured.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any


def tables(results: dict[str, Any]) -> str:
    """All of the page below its heading.

    Args:
        results: what pytest-benchmark writes with `--benchmark-json`.
    """
    machine = results["machine_info"]
    brand = machine.get("cpu", {}).get("brand_raw", machine["processor"])
    lines = [f"{brand}, {machine['cpu'].get('count', '?')} cores, Python {machine['python_version']}.", ""]
    groups: dict[str, list[dict[str, Any]]] = {}
    for row in results["benchmarks"]:
        groups.setdefault(row["group"], []).append(row)
    for group, rows in groups.items():
        lines += table(group, rows)
    return "\n".join(lines)


def table(group: str, rows: list[dict[str, Any]]) -> list[str]:
    """The lines of one group's table."""
    extra = list(dict.fromkeys(name for row in rows for name in row["extra_info"]))
    peers = any("peer" in (row["params"] or {}) for row in rows)
    head = ["", "least time", *(["over the first"] if peers else []), *extra]
    lines = [f"## {group}", "", f"| {' | '.join(head)} |", "|---|" + "---:|" * (len(head) - 1)]
    first = rows[0]["stats"]["min"]
    for row in rows:
        name = row["name"].partition("[")[2].rstrip("]") or row["name"].removeprefix("test_")
        least = row["stats"]["min"]
        cells = [name, seconds(least), *([f"{least / first:.2f}"] if peers else [])]
        cells += [number(row["extra_info"].get(column)) for column in extra]
        lines.append(f"| {' | '.join(cells)} |")
    return [*lines, ""]


def seconds(value: float) -> str:
    """A time in the unit that suits it."""
    for unit, size in (("s", 1.0), ("ms", 1e-3)):
        if value >= size:
            return f"{value / size:.3g} {unit}"
    return f"{value * 1e6:.3g} µs"


def number(value: object) -> str:
    """Three figures of a number; other things as they are, nothing for None."""
    return "" if value is None else f"{value:.3g}" if isinstance(value, float) else str(value)


if __name__ == "__main__":
    print(tables(json.loads(Path(sys.argv[1]).read_text())))
