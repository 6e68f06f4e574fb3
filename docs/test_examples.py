"""Every Python block of the documentation and the READMEs runs; blocks of one page share their names."""

from __future__ import annotations

from pathlib import Path

import pytest
from markdown_it import MarkdownIt

ROOT = Path(__file__).parent.parent
PAGES = sorted(
    page.relative_to(ROOT)
    for pattern in ("README.md", "packages/*/README.md", "apps/*/README.md", "docs/**/*.md")
    for page in ROOT.glob(pattern)
    if "_build" not in page.parts
)


def python_blocks(page: Path) -> list[tuple[int, str]]:
    """Returns the first line number and the text of each fenced `python` block of a page."""
    tokens = MarkdownIt().parse((ROOT / page).read_text(encoding="utf-8"))
    fences = [token for token in tokens if token.type == "fence" and token.info.strip() == "python"]
    return [(token.map[0] + 2, token.content) for token in fences if token.map]


PAGES_WITH_CODE = [page for page in PAGES if python_blocks(page)]


@pytest.mark.parametrize("page", PAGES_WITH_CODE, ids=str)
def test_examples_run(page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    names: dict[str, object] = {"__name__": "__main__"}  # dataclasses look their module up
    for line, source in python_blocks(page):
        # The padding makes a traceback point at the line of the page.
        exec(compile("\n" * (line - 1) + source, str(ROOT / page), "exec"), names)


def test_every_package_has_an_example() -> None:
    packages = {path.parent.name for path in ROOT.glob("packages/*/pyproject.toml")}
    assert packages == {page.parts[1] for page in PAGES_WITH_CODE if page.parts[0] == "packages"}
