"""All experiments through the command `repro`, from entry point to page."""

from __future__ import annotations

import json
import math
from html import unescape
from importlib.metadata import entry_points
from pathlib import Path

import page
import pytest

from piecewise_testing.browser import SCHEMES

NAMES = sorted(entry.name for entry in entry_points(group="repro.experiments"))


def test_every_package_and_every_paper_has_an_experiment() -> None:
    assert NAMES == [
        "dsa.figure3",
        "dsa.inverse",
        "dsa.signal",
        "dsa.table2",
        "dsa.table3",
        "dsa.table4",
        "dsa.table5",
        "implicit_splines.coins",
        "implicit_splines.studies",
        "implicit_splines.table1",
        "implicit_splines.table2",
        "implicit_splines.table3",
        "implicit_splines.table4",
        "metaballs.figure3",
        "metaballs.figure4",
        "metaballs.figure9",
        "metaballs.gmm",
        "metaballs.silhouette",
        "metaballs.table1",
        "metaballs.table2",
        "metaballs.table3",
        "pde_priors.livecell",
    ]


def test_the_demo_shows_every_paper() -> None:
    shown = [entry.name for entry in entry_points(group="repro.demo")]
    assert set(shown) <= set(NAMES)
    assert {name.split(".")[0] for name in shown} == {name.split(".")[0] for name in NAMES}
    assert len(shown) == 6  # as the README says


@pytest.mark.parametrize("name", NAMES)
def test_an_experiment_leaves_a_whole_result(real_runs: Path, name: str) -> None:
    (path,) = (real_runs / name).glob("*/result.json")
    result = json.loads(path.read_text())
    assert result["figures"]
    assert all(math.isfinite(value) for figure in result["figures"] for value in figure["values"])
    assert result["pictures"]
    assert all((path.parent / picture["light"]).stat().st_size > 5000 for picture in result["pictures"])
    assert result["identity"]["settings"]
    assert result["environment"]["packages"]


@pytest.mark.parametrize("name", NAMES)
def test_the_page_shows_every_figure_and_picture(real_report: Path, real_runs: Path, name: str) -> None:
    html = unescape(real_report.read_text(encoding="utf-8"))
    (path,) = (real_runs / name).glob("*/result.json")
    result = json.loads(path.read_text())
    assert result["title"] in html
    for figure in result["figures"]:
        assert figure["label"] in html
    assert "http://" not in html.replace("http://www.w3.org", "")
    assert html.count("<picture") >= len(result["pictures"])


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("width", page.WIDTHS.values(), ids=page.WIDTHS)
def test_the_report_over_the_real_experiments_reads_well(chrome, real_report, width, scheme):
    assert page.faults(chrome, real_report, width=width, scheme=scheme) == []
