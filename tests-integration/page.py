"""Looks at a report in headless Chromium as a reader would."""

from __future__ import annotations

from typing import TYPE_CHECKING

from piecewise_testing.browser import complaints

if TYPE_CHECKING:
    from pathlib import Path

    from playwright.sync_api import Browser

WIDTHS = {"phone": 390, "desktop": 1440}

# everything that is wrong with the page as it is laid out now, in words
FAULTS = """
async () => {
  const faults = [];
  const name = e => e.tagName.toLowerCase() + ' "' + (e.alt || e.textContent).trim().slice(0, 40) + '"';
  for (const details of document.querySelectorAll('details')) details.open = true;
  for (const image of document.images) {
    await image.decode().catch(() => null);
    const box = image.getBoundingClientRect();
    if (!image.naturalWidth || box.width < 100 || box.height < 50) faults.push(name(image) + ' is not drawn');
    if (!image.alt) faults.push(name(image) + ' has no text for those who do not see it');
    const wanted = image.getAttribute('width') / image.getAttribute('height');
    if (Math.abs(box.width / box.height / wanted - 1) > 0.02) faults.push(name(image) + ' is out of shape');
  }
  const root = document.documentElement;
  if (root.scrollWidth > root.clientWidth) {
    faults.push('the page is ' + root.scrollWidth + ' wide in a window of ' + root.clientWidth);
  }
  for (const e of document.querySelectorAll('body *')) {
    const style = getComputedStyle(e);
    const texts = [...e.childNodes].filter(n => n.nodeType === Node.TEXT_NODE);
    if (!texts.some(n => n.textContent.trim()) || !e.getClientRects().length) continue;
    if (parseFloat(style.fontSize) < 12) faults.push(name(e) + ' is set in ' + style.fontSize);
    const block = e.closest('td, th') || (style.display === 'inline' ? null : e);
    if (block && block.scrollWidth > block.clientWidth + 1) faults.push(name(e) + ' is wider than its cell');
    const box = e.getBoundingClientRect();
    const off = box.left < -1 || box.right > root.clientWidth + 1;
    if (off && !e.closest('.wide, .card')) faults.push(name(e) + ' is off the page');  // these two scroll
  }
  return faults;
}
"""


def faults(
    chrome: Browser, path: Path, *, width: int, scheme: str, screenshot: Path | None = None
) -> list[str]:
    """Opens a page at a width and in a scheme, offline; returns all that is wrong with it."""
    context = chrome.new_context(
        viewport={"width": width, "height": 900},
        color_scheme=scheme,  # pyright: ignore[reportArgumentType]  (one of SCHEMES)
        offline=True,
    )
    try:
        page = context.new_page()
        found = complaints(page)
        page.goto(path.resolve().as_uri())
        if screenshot:
            page.screenshot(path=screenshot, full_page=True)
        found += page.evaluate(FAULTS)
        return found
    finally:
        context.close()
