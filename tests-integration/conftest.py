"""The report over all real experiments, each at settings so small that it takes seconds; a browser."""

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
def real_runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Returns the folder of the smoke preset of all experiments.

    It is the one that SMOKE_RUNS names, where the session `papers` has left its runs; without it they are
    made here, which takes minutes.
    """
    if "SMOKE_RUNS" in os.environ:
        return Path(os.environ["SMOKE_RUNS"])
    runs = tmp_path_factory.mktemp("runs")
    assert cli.main(["run", "all", "--preset", "smoke", "--runs", str(runs)]) == 0
    return runs


@pytest.fixture(scope="session")
def real_report(real_runs: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Returns the page over `real_runs`."""
    target = tmp_path_factory.mktemp("real") / "report.html"
    assert cli.main(["report", "--runs", str(real_runs), "--output", str(target)]) == 0
    return target


@pytest.fixture(scope="session")
def chrome() -> Iterator[Browser]:
    executable = page.chromium()
    if executable is None:
        pytest.skip("no Chromium is installed: the page is not looked at")
    with page.browser(executable) as chrome:
        yield chrome
