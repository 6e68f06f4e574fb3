"""The pages of benchmarks: what is kept of a run, and how a page is filled from it."""

from __future__ import annotations

import json
from pathlib import Path

import benchmark_page
import benchmark_results
import pytest

HERE = Path(__file__).parent
RESULTS = sorted(HERE.glob("packages/*/benchmarks.json"))


def raw(group: str, *rows: tuple[str, float, dict[str, object], dict[str, str] | None]) -> dict[str, object]:
    """What pytest-benchmark writes, as far as it counts."""
    benchmarks = [
        {"group": group, "name": name, "stats": {"min": least}, "extra_info": extra, "params": params}
        for name, least, extra, params in rows
    ]
    machine = {
        "processor": "x86_64",
        "cpu": {"brand_raw": "Some CPU", "count": 2},
        "python_version": "3.11.7",
    }
    return {"datetime": "2026-11-22T07:27:04", "machine_info": machine, "benchmarks": benchmarks}


def test_what_is_kept_of_a_run_fills_the_page(tmp_path: Path) -> None:
    results = benchmark_results.kept(
        raw("g", ("test_f[a-1]", 0.1231, {}, None), ("test_f[b-1]", 2e-6, {"a / ours": 61728.35}, None)),
        "kspline-core",
    )
    path = tmp_path / "benchmarks.json"
    path.write_text(benchmark_results.written(results))
    assert json.loads(path.read_text()) == results
    page = benchmark_page.filled(
        "It takes [[g | b | seconds]], [[g | b | a / ours]].\n<!-- results -->", path
    )
    assert page.startswith("It takes 2 µs, 61,730.")
    for text in (
        "Measured on 2026-11-22: Some CPU, 2 cores, Python 3.11.7; kspline-core",
        "| a | 123 ms |  |",
    ):
        assert text in page, page
    assert page.count('class="bars-row"') == 1


def test_a_parameter_over_programs_gives_a_ratio() -> None:
    rows = raw("g", ("t[x]", 1.0, {}, {"peer": "x"}), ("t[y]", 3.0, {}, {"peer": "y"}))
    (group,) = benchmark_results.kept(rows, "fem-diff")["groups"]
    assert group["rows"][0] == {"name": "x", "seconds": 1.0, "y / ours": 3.0}


def test_a_figure_that_was_not_measured_is_an_error() -> None:
    with pytest.raises(ValueError, match=r"benchmarks.json has no figure \[\[g \| r \| c\]\]"):
        benchmark_page.filled("[[g | r | c]]", RESULTS[0])


@pytest.mark.parametrize("path", RESULTS, ids=lambda path: path.parent.name)
def test_every_page_is_filled_from_its_kept_results(path: Path) -> None:
    for name in ("benchmarks.md", "peers.md"):
        page = benchmark_page.filled(path.with_name(name).read_text(encoding="utf-8"), path)
        assert "[[" not in page
        assert benchmark_page.PLACE not in page
    assert path.read_text(encoding="utf-8") == benchmark_results.written(json.loads(path.read_text()))
