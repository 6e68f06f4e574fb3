from __future__ import annotations

import base64
import io
import re
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image

from repro import report, result


def row(html: str, label: str, *, table: str) -> str:
    """The text of a figure's row in the first table of a kind."""
    found = re.search(rf'<table role="table" class="figures {table}">(.*?)</table>', html, re.DOTALL)
    assert found, table
    rows = [r for r in re.findall(r"<tr.*?</tr>", found[1], re.DOTALL) if f">{label}<" in r]
    assert len(rows) == 1, label
    return " ".join(re.sub(r"<[^>]*>", " ", rows[0]).split())


@pytest.fixture
def html(repro):
    assert repro("run", "toy.walk", "toy.single", "other.walk", "bad.fall", "--seeds", 2).code == 1
    assert repro("report").code == 0
    return Path("report.html").read_text()


def test_what_the_page_says(html):
    # the paper's figure beside ours, the ratio, the difference and its cause
    assert row(html, "mean place", table="compared") == (
        "mean place 0.75 ± 0.01 Table 1, row 1 1.006 ± 0.050 1.34 "
        "34 % above the paper&#39;s (0.2560). Our steps are drawn &lt;otherwise&gt;."
    )
    # other data: both figures, but never a ratio or a difference between them
    apart = row(html, "place elsewhere", table="apart")
    assert apart == "place elsewhere 987.25 Table 2 1242 ± 61 2 seeds Other data."
    assert html.count("987.25") == html.count('class="figures apart"') == 2  # toy.walk and other.walk
    # no figure of the paper's
    assert row(html, "time of a step", table="own") == "time of a step 0.251 ± 0.012 s"
    # what was given as text is shown as text
    assert "On &lt;lines&gt; &amp; curves" in html
    assert "<lines>" not in html
    assert 'alt="Places &lt;after&gt; each &#34;epoch&#34; &amp; more."' in html
    # papers and experiments, in the order of their names
    assert re.findall(r'<h[23] id="([^"]*)">', html) == [
        "overview", "forest", "paper-other", "other.walk", "paper-toy", "toy.single", "toy.walk", "left-out",
    ]  # fmt: skip
    assert all(f'href="#{name}"' in html for name in ("other.walk", "toy.single", "toy.walk"))
    # what is not shown, and why
    assert re.search(r"<code>runs/bad.fall/[^<]*</code> bad.fall failed at seed 0: RuntimeError", html)


def test_the_page_needs_nothing_else(html):
    addresses = re.findall(r'(?:src|srcset|href)="([^"]{0,40})', html)
    assert all(address.startswith(("data:", "#")) for address in addresses)
    assert "@import" not in html
    assert "url(" not in html
    assert re.findall(r"(?:https?:)?//\w+\.\w+", html) == []
    # the page's own scripts only, each with the number that is made for this page
    (nonce,) = set(re.findall(r'nonce="([^"]*)"', html))
    assert (
        f"default-src 'none'; img-src data: blob:; style-src 'unsafe-inline'; script-src 'nonce-{nonce}'"
        in html
    )
    kinds = Counter(re.findall(r"<script ([^>]*)>", html))
    assert kinds == {
        f'nonce="{nonce}"': 2,
        'type="text/plain" id="library"': 1,  # once, though two experiments have a scene
        'type="application/json"': 2,
    }


def test_a_page_without_scenes_has_no_library(repro):
    repro("run", "toy.two")
    repro("report")
    html = Path("report.html").read_text()
    assert 'id="library"' not in html
    assert len(html) < 100_000


def test_pictures_are_those_of_the_run_in_both_schemes(html, run_of):
    def pixels(file: bytes) -> bytes:
        return Image.open(io.BytesIO(file)).convert("RGB").tobytes()

    addresses = re.findall(r'(?:src|srcset)="data:image/webp;base64,([^"]*)"', html)
    embedded = {pixels(base64.b64decode(address)) for address in addresses}
    folder = run_of("toy.walk")
    for picture in result.read(folder).pictures:
        for file in (picture.light, picture.dark):
            assert pixels((folder / file).read_bytes()) in embedded
        assert f'width="{picture.width}" height="{picture.height}"' in html


def test_the_most_thorough_then_the_unchanged_then_the_newest_run_is_shown(repro, run_of):
    repro("run", "toy.two")
    read = result.read(run_of("toy.two"))

    def made(name, preset="smoke", changed=(), finished="2026"):
        identity = replace(read.identity, preset=preset)
        return Path(name), replace(read, identity=identity, changed=changed, finished=finished)

    def shown(*runs):
        (run,) = report.choose(list(runs))
        return run.folder.name, run.others

    old, new = made("old", finished="2025"), made("new")
    assert shown(new, old) == ("new", {"smoke": 1})
    changed = made("changed", changed=("epochs",), finished="2027")
    assert shown(new, changed) == ("new", {"smoke": 1})
    quick = made("quick", preset="quick", changed=("epochs",), finished="2024")
    assert shown(quick, old, new, changed) == ("quick", {"smoke": 3})
    assert shown(made("paper", preset="paper"), quick, old) == ("paper", {"quick": 1, "smoke": 1})


def test_the_page_says_which_preset_and_which_settings_were_changed(repro):
    repro("run", "toy.walk", "--settings.no-draws")
    repro("run", "toy.walk", "--settings.no-draws", "--preset", "quick", "--settings.epochs", 3)
    repro("report")
    html = Path("report.html").read_text()
    assert "preset quick" in html
    assert "changed: epochs = 3, draws = False" in html
    assert "finished runs not shown: 1 smoke" in html


def test_a_damaged_result_is_refused_and_the_page_left_as_it_was(repro, run_of):
    repro("run", "toy.two")
    repro("report")
    before = Path("report.html").read_bytes()
    (run_of("toy.two") / "result.json").write_text("{}")
    ended = repro("report")
    assert ended.code == 2
    assert len(ended.err.strip().splitlines()) == 1
    assert (
        f"{run_of('toy.two') / 'result.json'} is no result that can be read: it has no `about`" in ended.err
    )
    assert Path("report.html").read_bytes() == before


def test_a_damaged_picture_is_refused(repro, run_of):
    repro("run", "toy.walk")
    picture = run_of("toy.walk") / "seed-0" / "pictures" / "walk.dark.png"
    picture.write_bytes(picture.read_bytes()[:1000])
    ended = repro("report")
    assert ended.code == 2
    assert f"{picture} is damaged. Move its run away and run again." in ended.err
    assert not Path("report.html").exists()


def test_a_cause_is_given_once_and_then_referred_to(repro, run_of):
    repro("run", "toy.two")
    (figure,) = result.read(run_of("toy.two")).figures
    one, two, three = (
        replace(figure, label=label, cause=c) for label, c in (("1", "x"), ("2", "y"), ("3", "x"))
    )
    none, again = (replace(figure, label=label) for label in ("4", "5"))
    table = [one, two, none, three, again]
    assert [report.cause(f, table) for f in table] == ["x", "y", "", "As for “1”.", ""]


def test_backticks_are_set_as_code_after_all_else_is_escaped():
    assert report.prose("a `b < c` & d") == "a <code>b &lt; c</code> &amp; d"


def test_runs_that_are_no_runs_are_named(repro):
    repro("run", "toy.two")
    Path("runs/toy.two/empty").mkdir()
    Path("runs/toy.two/damaged").mkdir()
    Path("runs/toy.two/damaged/identity.json").write_text("{}")
    Path("runs/notes.txt").touch()
    assert repro("report").code == 0
    html = Path("report.html").read_text()
    assert "<code>runs/toy.two/empty</code> identity.json cannot be read (No such file or directory)" in html
    assert "<code>runs/toy.two/damaged</code> identity.json is damaged: it has no `identity`" in html


@pytest.mark.parametrize(
    ("made", "message"), [(False, "There is no folder runs."), (True, "runs holds no finished run.")]
)
def test_nothing_to_show(repro, made, message):
    if made:
        Path("runs").mkdir()
    ended = repro("report")
    assert ended.code == 2
    assert message in ended.err
    assert not Path("report.html").exists()
