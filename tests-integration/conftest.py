"""The report over all real experiments, each at settings so small that it takes seconds."""

from __future__ import annotations

import sys
from importlib.metadata import entry_points
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from repro import cli

if TYPE_CHECKING:
    from collections.abc import Callable

    from repro.fixtures import SmokeRun

sys.path.insert(0, str(Path(__file__).parent))  # for `page`, whatever pytest's import mode


@pytest.fixture(scope="session")
def real_runs(smoke_run: Callable[[str], SmokeRun]) -> Path:
    """Returns the folder with the runs of all experiments; to make them takes minutes."""
    names = (entry.name for entry in entry_points(group="repro.experiments"))
    (runs,) = {smoke_run(name).folder.parents[1] for name in names}
    return runs


@pytest.fixture(scope="session")
def real_report(real_runs: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Returns the page over `real_runs`."""
    target = tmp_path_factory.mktemp("real") / "report.html"
    assert cli.main(["report", "--runs", str(real_runs), "--output", str(target)]) == 0
    return target
