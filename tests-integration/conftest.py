"""The report over all nine real experiments, each at settings so small that it takes seconds; a browser."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from repro import cli

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser

sys.path.insert(0, str(Path(__file__).parent))  # for `page`, whatever pytest's import mode
import page


@pytest.fixture(scope="session")
def real_report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Returns the page over the smoke preset of all experiments.

    The runs are those in the folder that SMOKE_RUNS names, where the session `papers` has left them; without
    it they are made here, which takes minutes.
    """
    folder = tmp_path_factory.mktemp("real")
    runs = os.environ.get("SMOKE_RUNS", str(folder / "runs"))
    if "SMOKE_RUNS" not in os.environ:
        assert cli.main(["run", "all", "--preset", "smoke", "--runs", runs]) == 0
    assert cli.main(["report", "--runs", runs, "--output", str(folder / "report.html")]) == 0
    return folder / "report.html"


@pytest.fixture(scope="session")
def real_runs(real_report: Path) -> Path:
    """Returns the folder of the runs that the page shows."""
    return Path(os.environ.get("SMOKE_RUNS", str(real_report.parent / "runs")))


@pytest.fixture(scope="session")
def chrome() -> Iterator[Browser]:
    executable = page.chromium()
    if executable is None:
        pytest.skip("no Chromium is installed: the page is not looked at")
    with page.browser(executable) as chrome:
        yield chrome
