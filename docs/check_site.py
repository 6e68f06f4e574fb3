"""Looks at the pages as they were built: links, and a browser on a phone and at a desk, light and dark.

Run by `nox -s docs` after the build, `pytest docs/check_site.py` by hand.
"""

from __future__ import annotations

import re
import sys
from html import unescape
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote, urldefrag

import pytest

from piecewise_testing.browser import SCHEMES, complaints

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

SITE = Path(__file__).parent / "_build" / "html"
PAGES = sorted(SITE.rglob("*.html"))
WRITTEN = [path for path in PAGES if "_modules" not in path.parts]  # not the listings of sources
KINDS = [
    "index",
    "which",
    "packages/nurbs-diff",
    "packages/fuzzy-metaballs/quickstart",
    "packages/kspline-core/maths",
    "packages/kspline-core/tutorial",
    "packages/fem-diff/benchmarks",
    "packages/implicit-seg/peers",
]
WIDTHS = (400, 1400)  # a phone and a desk
LINK = re.compile(r'\s(?:href|src)="([^"]*)"')
LOADED = re.compile(r'<(?:script|img|source|iframe)\b[^>]*\ssrc="([^"]*)"|<link\b[^>]*\shref="([^"]*)"')
NAME = re.compile(r'\s(?:id|name)="([^"]*)"')
FAULTY = """<!doctype html><html><head><link rel="icon" href="data:,"></head><body style="background: white">
<p style="width: 2000px">wide</p><span class="math">x</span><img src="broken.png" width="9" height="9">
<script>console.error("oh")</script></body></html>"""
FAULTS = """
async () => {
  await window.MathJax?.startup?.promise;
  const faults = [], root = document.documentElement;
  if (root.scrollWidth > root.clientWidth) {
    faults.push('the page is ' + root.scrollWidth + ' wide in a window of ' + root.clientWidth);
  }
  const formulae = document.querySelectorAll('.math').length;
  const drawn = document.querySelectorAll('.math mjx-container').length;
  if (formulae !== drawn) faults.push(drawn + ' of ' + formulae + ' formulae are drawn');
  for (const e of document.querySelectorAll('mjx-merror')) faults.push('formula: ' + e.textContent);
  for (const image of document.images) {
    if (!image.getClientRects().length) continue;  // of the other scheme
    await image.decode().catch(() => faults.push(image.src + ' is not drawn'));
    if (!image.alt) faults.push(image.src + ' has no text for those who do not see it');
  }
  const [red, green, blue] = getComputedStyle(document.body).backgroundColor.match(/\\d+/g).map(Number);
  const dark = red + green + blue < 384, wanted = matchMedia('(prefers-color-scheme: dark)').matches;
  if (dark !== wanted) faults.push('the page is not in the scheme asked for');
  return faults;
}
"""


def target_of(path: Path, link: str) -> tuple[Path, str]:
    """The file that a link of a page leads to, and the place in it."""
    file, place = urldefrag(re.sub(r"\?[^#]*", "", unescape(link)))  # ?v=... is for caches
    return (path.parent / unquote(file)).resolve() if file else path, unquote(place)


def test_every_link_inside_the_site_leads_somewhere() -> None:
    assert len(WRITTEN) > 30, "build the pages first"
    texts = {path.resolve(): path.read_text(encoding="utf-8") for path in PAGES}
    names = {path: {unescape(name) for name in NAME.findall(text)} for path, text in texts.items()}
    dead: set[str] = set()
    for path, text in texts.items():
        for link in set(LINK.findall(text)):
            if re.match(r"[a-z]+:|#$", link):  # elsewhere, or nowhere in particular
                continue
            file, place = target_of(path, link)
            if not file.exists() or (place and file in names and place not in names[file]):
                dead.add(f"{path.relative_to(SITE)} -> {link}")
    assert not dead


def test_every_five_minute_start_has_its_picture() -> None:
    starts = sorted(SITE.glob("packages/*/quickstart.html"))
    assert len(starts) == 5
    assert all("plot-directive" in path.read_text(encoding="utf-8") for path in starts)


def test_nothing_is_loaded_from_elsewhere() -> None:
    loaded = {link for path in PAGES for pair in LOADED.findall(path.read_text()) for link in pair if link}
    assert loaded
    assert not [link for link in loaded if re.match(r"(https?:)?//", link)]
    styles = "".join(path.read_text() for path in SITE.rglob("*.css"))
    assert not re.findall(r"url\(['\"]?(?:https?:)?//[^)]*\)", styles)


def faults(opened: Page, path: Path) -> list[str]:
    """Opens a page offline, at each width in each scheme; returns all that is wrong with it."""
    found = complaints(opened)
    opened.goto(path.resolve().as_uri())
    for width in WIDTHS:
        opened.set_viewport_size({"width": width, "height": 900})
        for scheme in SCHEMES:
            opened.emulate_media(color_scheme=scheme)
            found += [f"{fault} ({width}, {scheme})" for fault in opened.evaluate(FAULTS)]
    return [f"{path.relative_to(SITE)}: {fault}" for fault in found]


def read(chrome: Browser, paths: list[Path]) -> list[str]:
    """All that is wrong with some pages."""
    context = chrome.new_context(offline=True)
    found: list[str] = []
    for path in paths:
        opened = context.new_page()
        found += faults(opened, path)
        opened.close()
    context.close()
    return found


def test_pages_of_each_kind_read_well(chrome: Browser) -> None:
    found = read(chrome, [SITE / f"{kind}.html" for kind in KINDS])
    assert not found, "\n".join(found)


@pytest.mark.slow
def test_every_page_reads_well(chrome: Browser) -> None:
    found = read(chrome, WRITTEN)
    assert not found, "\n".join(found)


def test_a_faulty_page_is_found_out(chrome: Browser, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys.modules[__name__], "SITE", tmp_path)
    (tmp_path / "faulty.html").write_text(FAULTY)
    found = "\n".join(read(chrome, [tmp_path / "faulty.html"]))
    for fault in (
        "console error: oh",
        "the page is 2",
        "0 of 1 formulae are drawn",
        "broken.png is not drawn",
        "has no text",
        "not in the scheme asked for (400, dark)",
    ):
        assert fault in found, found
