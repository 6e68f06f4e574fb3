"""Keeps what counts of a benchmark: `python docs/benchmark_results.py RAW.json NAME/benchmarks.json`.

RAW.json is what pytest-benchmark writes. What is kept is small enough to commit, and the page of benchmarks
is made from it: the day, machine and versions, and for each group its rows with the least time in seconds and
what else the test has measured. A figure called "PEER / ours" is the time of another program over ours.
"""

from __future__ import annotations

import json
import sys
import tomllib
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from packaging.requirements import Requirement

ROOT = Path(__file__).parent.parent


def kept(raw: dict[str, Any], package: str) -> dict[str, Any]:
    """What is kept of the results of pytest-benchmark."""
    groups: dict[str, list[dict[str, Any]]] = {}
    for row in raw["benchmarks"]:
        groups.setdefault(row["group"], []).append(row)
    machine = raw["machine_info"]
    cpu = machine.get("cpu", {})
    return {
        "package": package,
        "measured": raw["datetime"][:10],
        "machine": f"{cpu.get('brand_raw', machine['processor'])}, {cpu.get('count', '?')} cores",
        "python": machine["python_version"],
        "versions": versions(package),
        "groups": [{"name": name, "rows": rows_of(rows)} for name, rows in groups.items()],
    }


def versions(package: str) -> dict[str, str]:
    """Of what the package needs and of the peers it is measured beside."""
    manifest = tomllib.loads((ROOT / "packages" / package / "pyproject.toml").read_text())
    lines = [*manifest["project"]["dependencies"], *manifest["dependency-groups"]["bench"]]
    found: dict[str, str] = {}
    for line in [package, *(line for line in lines if isinstance(line, str))]:
        name = Requirement(line).name
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue  # a peer that is not installed has no row either
    return found


def rows_of(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Rows of one group: name, least time, and the figures of each, to four digits."""
    names = short(
        [row["name"].partition("[")[2].rstrip("]") or row["name"].removeprefix("test_") for row in rows]
    )
    found = [
        {"name": name, "seconds": rounded(row["stats"]["min"])}
        | {key: rounded(value) for key, value in row["extra_info"].items()}
        for name, row in zip(names, rows, strict=True)
    ]
    if "peer" in (rows[0]["params"] or {}):  # a parameter that runs over programs, ours first
        ours = found[0]["seconds"]
        found[0] |= {f"{row['name']} / ours": rounded(row["seconds"] / ours) for row in found[1:]}
    return found


def short(names: list[str]) -> list[str]:
    """Leaves out the parts, between hyphens, with which all names of a group begin or end."""
    if len(names) < 2:
        return names
    parts = [name.split("-") for name in names]
    while all(len(part) > 1 for part in parts) and len({part[0] for part in parts}) == 1:
        parts = [part[1:] for part in parts]
    while all(len(part) > 1 for part in parts) and len({part[-1] for part in parts}) == 1:
        parts = [part[:-1] for part in parts]
    return ["-".join(part) for part in parts]


def rounded(value: Any) -> Any:
    """A float to four digits, anything else as it is."""
    return float(f"{value:.4g}") if isinstance(value, float) else value


def written(results: dict[str, Any]) -> str:
    """As JSON with a line for each row, so that a new run shows as the lines that have changed."""
    text = json.dumps(results | {"groups": "GROUPS"}, indent=2, ensure_ascii=False)
    groups = [
        f'    {{"name": {json.dumps(group["name"], ensure_ascii=False)}, "rows": [\n      '
        + ",\n      ".join(json.dumps(row, ensure_ascii=False) for row in group["rows"])
        + "\n    ]}"
        for group in results["groups"]
    ]
    return text.replace('"GROUPS"', "[\n" + ",\n".join(groups) + "\n  ]") + "\n"


if __name__ == "__main__":
    source, target = map(Path, sys.argv[1:])
    target.write_text(written(kept(json.loads(source.read_text()), target.parent.name)))
    print(f"{target} has the figures of this run; the page of benchmarks shows them when it is built next")
