"""The report in a real browser: as wide as a phone and as a desk, in the light and in the dark scheme."""

from __future__ import annotations

import io
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import page
import pytest
from PIL import Image

from piecewise_testing.browser import SCHEMES

TESTS = Path(__file__).parents[1] / "apps" / "repro" / "tests"
TOYS = TESTS / "toys.py"
sys.path.insert(0, str(TESTS))
import strangers  # noqa: E402

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser, Locator, Page

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
    """A page with everything a page can have, from toy experiments, a failing one among them.

    Beside it lies `hostile.html`, over the same results with markup in their texts.
    """
    folder = tmp_path_factory.mktemp("report")

    def repro(*arguments: str) -> int:
        command = [sys.executable, str(TOYS), *arguments]
        return subprocess.run(command, cwd=folder, capture_output=True, check=False).returncode

    # of two runs of one the page has a history
    assert repro("run", "toy.walk", "--settings.no-draws", "--seeds", "3", "--device", "cpu") == 0
    assert repro("run", "toy", "other", "--seeds", "3", "--device", "cpu") == 0
    assert repro("run", "bad.fall", "--device", "cpu") == 1
    assert repro("report") == 0
    for run in (folder / "runs").glob("*/*/result.json"):
        strangers.make_hostile(run.parent)
    assert repro("report", "--output", "hostile.html") == 0
    return folder / "report.html"


@pytest.mark.parametrize("scheme", SCHEMES)
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


@pytest.fixture
def asked() -> list[str]:
    """What a page asked for, and the errors that it reported."""
    return []


@pytest.fixture
def offline(chrome: Browser, asked: list[str]) -> Iterator[Page]:
    """An offline page that fails the test where it asks for anything, or reports an error."""
    context = chrome.new_context(viewport={"width": 900, "height": 900}, color_scheme="light", offline=True)
    page = context.new_page()
    page.on("request", lambda request: asked.append(request.url))
    page.on("pageerror", lambda error: asked.append(f"error: {error}"))
    page.on("console", lambda m: asked.append(f"console: {m.text}") if m.type == "error" else None)
    yield page
    assert [url for url in asked if not url.startswith(("file:", "data:", "blob:"))] == []
    assert sum(url.startswith("file:") for url in asked) == 1, asked
    context.close()


def shown(offline: Page) -> list[str]:
    names = offline.locator("article:visible code").all_text_contents()
    return sorted({name for name in names if name.count(".") == 1 and name.split(".")[0] in ("toy", "other")})


def test_the_filter_by_keyboard_and_by_address(offline: Page, report: Path) -> None:
    address = report.as_uri()
    offline.goto(address)
    assert shown(offline) == ["other.walk", "toy.single", "toy.two", "toy.walk"]
    assert offline.locator("#filter output").text_content() == "4 of 4 experiments shown"
    box = offline.get_by_role("checkbox", name="other")
    box.focus()
    offline.keyboard.press("Space")
    assert shown(offline) == ["toy.single", "toy.two", "toy.walk"]
    assert offline.evaluate("location.hash") == "#papers=toy"
    assert not offline.get_by_role("heading", name="On symmetry").is_visible()
    assert offline.locator("tr[data-of='other.walk']:visible").count() == 0
    for _ in range(2):  # past the other paper's box
        offline.keyboard.press("Tab")
    offline.keyboard.type("MEAN place")
    assert shown(offline) == ["toy.walk"]
    assert offline.evaluate("location.hash") == "#papers=toy&text=MEAN%20place"
    # a link on the page keeps the filter, and going back takes the link back
    offline.locator(".overview a:visible").first.click()
    assert offline.evaluate("location.hash") == "#papers=toy&text=MEAN%20place&at=toy.walk"
    offline.go_back()
    assert offline.evaluate("location.hash") == "#papers=toy&text=MEAN%20place"
    assert shown(offline) == ["toy.walk"]
    offline.get_by_role("button", name="Show all").click()
    offline.locator("#filter output", has_text="4 of 4").wait_for()
    assert offline.evaluate("location.hash") == ""
    # the address alone, changed by hand, brings a filter; a link to something hidden shows it
    offline.evaluate("location.hash = '#papers=other'")
    offline.locator("#filter output", has_text="1 of 4").wait_for()
    assert shown(offline) == ["other.walk"]
    offline.evaluate("location.hash = '#toy.two'")
    offline.locator("#filter output", has_text="4 of 4").wait_for()


def pixels(place: Locator) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(place.screenshot())).convert("RGB")).astype(int)


def drawn(place: Locator, ground: tuple[int, int, int]) -> float:
    """Share of the pixels inside the border that differ from the ground."""
    inside = pixels(place)[8:-8, 8:-8]
    return float((np.abs(inside - ground).max(2) > 24).mean())


def test_a_scene_is_drawn_when_it_is_opened_and_turns(offline: Page, report: Path) -> None:
    offline.goto(report.as_uri())
    assert offline.evaluate("typeof Plotly") == "undefined"  # light until then
    assert offline.locator("canvas").count() == 0
    view = offline.locator("[data-scene]").first
    opener = view.get_by_role("button", name="Turn it: a hill </script> and its net")
    opener.focus()
    offline.keyboard.press("Enter")
    offline.locator("[data-drawn]").wait_for(timeout=120_000)  # a software renderer on a busy machine
    stage = view.locator(".stage")
    assert stage.locator("canvas").count() > 0
    first = pixels(stage)
    assert 0.05 < drawn(stage, (255, 255, 255)) < 0.9
    stage.focus()
    for _ in range(4):
        offline.keyboard.press("ArrowLeft")
    offline.wait_for_timeout(300)
    turned = pixels(stage)
    assert (np.abs(turned - first).max(2) > 24).mean() > 0.02
    # the parts, named as text, each with a mark to hide it
    assert view.get_by_role("checkbox").count() == 4
    assert view.get_by_role("checkbox", name="hill </script><b>bold").is_checked()
    assert not view.get_by_role("checkbox", name="plain").is_checked()  # it would hide the other
    for name in ("hill </script><b>bold", "net", "dots"):
        box = view.get_by_role("checkbox", name=name)
        box.uncheck()
    offline.wait_for_timeout(300)
    assert drawn(stage, (255, 255, 255)) < 0.01
    opener.click()
    assert not stage.is_visible()
    assert offline.evaluate("document.querySelectorAll('head script').length") == 1


def test_a_strangers_result_is_shown_as_text_and_runs_nothing(
    offline: Page, report: Path, asked: list[str]
) -> None:
    offline.goto(report.with_name("hostile.html").as_uri())
    offline.evaluate("document.querySelectorAll('details').forEach(e => { e.open = true; })")
    assert offline.evaluate("window.reached") is None
    assert offline.locator("img[src=x]").count() == 0
    text = offline.locator("main").inner_text()
    assert "<script>window.reached = 1</script>" in text
    assert "{{ 7 * 7 }}" in text
    # and were a text set as markup, the page's policy would still stop it
    with offline.expect_console_message(lambda m: "Content Security Policy" in m.text) as told:
        offline.evaluate(
            """document.querySelector("h1").innerHTML = '<img src="data:," onerror="window.reached = 4">'"""
        )
    assert told.value.type == "error"
    assert offline.evaluate("window.reached") is None
    asked[:] = [line for line in asked if "Content Security Policy" not in line]
