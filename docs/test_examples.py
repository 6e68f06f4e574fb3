"""Every Python block of the documentation and the READMEs runs; blocks of one page share their names.

On the pages of `PRINTS` the comment behind a `print` is what it prints, with `...` for what does not matter.
"""

from __future__ import annotations

import io
import re
import sys
from collections import Counter
from fnmatch import fnmatch
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


PRINTS = ("*README.md", "docs/index.md", "docs/which.md", "docs/packages/*/quickstart.md")
COMMENT = re.compile(r"^\s*print\(.*\)  # (.*)$")
executed: Counter[str] = Counter()  # blocks by page


def unlike(expected: str, printed: str) -> bool:
    """Whether a text differs from a comment, in which `...` stands for anything."""
    pattern = ".*".join(re.escape(" ".join(part.split())) for part in expected.split("..."))
    return re.fullmatch(pattern.replace(r"\ .*", ".*"), " ".join(printed.split())) is None


PAGES_WITH_CODE = [page for page in PAGES if python_blocks(page)]


@pytest.mark.parametrize("page", PAGES_WITH_CODE, ids=str)
def test_examples_run(page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    names: dict[str, object] = {"__name__": "__main__"}  # dataclasses look their module up
    lines = (ROOT / page).read_text(encoding="utf-8").splitlines()
    wrong: list[str] = []

    def checked_print(*values: object) -> None:
        caller = sys._getframe(1)
        if caller.f_code.co_filename != str(ROOT / page):  # handed on, say as a log
            return
        number = caller.f_lineno
        print(*values, file=(text := io.StringIO()))
        comment = COMMENT.match(lines[number - 1])
        if comment and unlike(comment[1], text.getvalue()):
            wrong.append(f"{page}:{number} says {comment[1]!r}, prints {text.getvalue().strip()!r}")

    if any(fnmatch(page.as_posix(), pattern) for pattern in PRINTS):
        names["print"] = checked_print
    for line, source in python_blocks(page):
        # The padding makes a traceback point at the line of the page.
        exec(compile("\n" * (line - 1) + source, str(ROOT / page), "exec"), names)
        executed[str(page)] += 1
    assert not wrong, "\n".join(wrong)


def test_every_package_has_an_example() -> None:
    packages = {path.parent.name for path in ROOT.glob("packages/*/pyproject.toml")}
    assert packages == {page.parts[1] for page in PAGES_WITH_CODE if page.parts[0] == "packages"}


def test_a_wrong_comment_is_found_out() -> None:
    assert not unlike("KSpline(n=100, ...", "KSpline(n=100, cost=1)\n")
    assert not unlike("tensor([1., 2.])", "tensor([1.,\n  2.])")
    assert unlike("3", "4\n")
    assert unlike("a ... c", "a b\n")
    assert COMMENT.match("print(f(x))  # 3")
