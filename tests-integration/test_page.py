"""The report in a real browser: as wide as a phone and as a desk, in the light and in the dark scheme."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import page
import pytest

TOYS = Path(__file__).parents[1] / "apps" / "repro" / "tests" / "toys.py"

FAULTY = """<!doctype html><html><head><link rel="icon" href="data:,"></head><body>
<p style="font-size: 10px">small</p>
<p style="margin-left: 2000px">far</p>
<table style="table-layout: fixed; width: 20px"><tr><td>Donaudampfschifffahrt</td></tr></table>
<img src="data:image/png;base64,AAAA" width="200" height="100" alt="a broken picture">
<img src="data:image/svg+xml,<svg xmlns='http://www.w3.org/2000/svg' width='200' height='100'/>"
  width="200" height="300" style="height: 100px">
<script>console.error("oh"); nowhere();</script>
</body></html>"""


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A page with everything a page can have, from toy experiments, a failing one among them."""
    folder = tmp_path_factory.mktemp("report")

    def repro(*arguments: str) -> int:
        command = [sys.executable, str(TOYS), *arguments]
        return subprocess.run(command, cwd=folder, capture_output=True, check=False).returncode

    assert repro("run", "toy", "other", "--seeds", "3", "--device", "cpu") == 0
    assert repro("run", "bad.fall", "--device", "cpu") == 1
    assert repro("report") == 0
    return folder / "report.html"


@pytest.mark.parametrize("scheme", page.SCHEMES)
@pytest.mark.parametrize("width", page.WIDTHS.values(), ids=page.WIDTHS)
def test_the_report_reads_well(chrome, report, width, scheme):
    assert page.faults(chrome, report, width=width, scheme=scheme) == []


def test_a_faulty_page_is_found_out(chrome, tmp_path):
    path = tmp_path / "faulty.html"
    path.write_text(FAULTY)
    found = "\n".join(page.faults(chrome, path, width=390, scheme="light"))
    for fault in (
        "console error: oh",
        "nowhere is not defined",
        'img "a broken picture" is not drawn',
        'img "" has no text',
        'img "" is out of shape',
        'p "small" is set in 10px',
        'p "far" is off the page',
        "wide in a window of 390",
        'td "Donaudampfschifffahrt" is wider than its cell',
    ):
        assert fault in found, found
