"""The report over all nine real experiments, each at settings so small that it takes seconds; a browser."""

from __future__ import annotations

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

TINY = {
    "dsa.signal": "",
    "dsa.table3": "starts 1 max-iterations 5 weight-iterations 2 recipe-steps 5",
    "dsa.table4": (
        "steps 4 batch-size 3 points 32 samples 8 widths 8,8 features 16 held-out 4 validate-every 2"
    ),
    "dsa.table5": "elements 8,16 convergence 4,8 shown 4 steps 5 seconds 0.1",
    "dsa.figure3": "elements 16 widths 8,16 grid 8 steps 6 batch-size 2 held-out 4 save-every 2",
    "dsa.inverse": "elements 12 true-elements 24 sensors 11 iterations 12 halvings 1",
    "implicit_splines.coins": (
        "size 50 depth 1 bottleneck 8 filters 4 crops 32 batch-size 4 epochs 2 learning-rate 1e-2"
    ),
    "pde_priors.cell": "noise 0.5 crops 2 size 48 depth 1 filters 4 epochs 2 repeats 12 learning-rate 1e-2",
    "metaballs.silhouette": "components 4 views 2 pixels 16 batch-rays 256 epochs 1 mesh-cells 16",
}
"""Settings of each experiment: names and values, a comma between the values of a tuple."""


def options(settings: str) -> list[str]:
    """Turns "steps 5 elements 8,16" into command line options."""
    words = settings.split()
    pairs = zip(words[::2], words[1::2], strict=True)
    return [word for name, value in pairs for word in (f"--settings.{name}", *value.split(","))]


@pytest.fixture(scope="session")
def real_report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Returns the page; the runs lie beside it in `runs/`."""
    folder = tmp_path_factory.mktemp("real")
    runs = ["--runs", str(folder / "runs")]
    for name, settings in TINY.items():
        assert cli.main(["run", name, *runs, "--device", "cpu", *options(settings)]) == 0
    assert cli.main(["report", *runs, "--output", str(folder / "report.html")]) == 0
    return folder / "report.html"


@pytest.fixture(scope="session")
def chrome() -> Iterator[Browser]:
    executable = page.chromium()
    if executable is None:
        pytest.skip("no Chromium is installed: the page is not looked at")
    with page.browser(executable) as chrome:
        yield chrome
