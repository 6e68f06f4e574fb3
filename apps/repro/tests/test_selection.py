from __future__ import annotations

import re
from pathlib import Path

import pytest


@pytest.fixture
def runs(repro):
    repro("run", "toy.two", "toy.single")
    repro("run", "other.walk", "--settings.no-draws")
    repro("run", "bad.fall")


def shown():
    return set(re.findall(r'<article data-name="([^"]*)"', Path("report.html").read_text()))


@pytest.mark.parametrize(
    ("asked", "names", "names_failure"),
    [
        ((), {"toy.two", "toy.single", "other.walk"}, True),
        (("--papers", "toy"), {"toy.two", "toy.single"}, False),
        (("--papers", "toy", "other"), {"toy.two", "toy.single", "other.walk"}, False),
        (("--experiments", "toy.two"), {"toy.two"}, False),
        (("--experiments", "toy.two", "--papers", "other"), {"toy.two", "other.walk"}, False),
    ],
)
def test_a_report_over_some(repro, runs, monkeypatch, asked, names, names_failure):
    monkeypatch.setattr("repro.registry.entry_points", dict)  # the apps need not be installed
    assert repro("report", *asked, "--csv", "a.csv").code == 0
    assert shown() == names
    assert {line.split(",")[0] for line in Path("a.csv").read_text().splitlines()[1:]} == names
    assert ("bad.fall failed" in Path("report.html").read_text()) == names_failure


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        (("--papers", "tory"), "--papers: no finished run is of 'tory'. Did you mean toy?"),
        (("--papers", "xyzzy"), "--papers: no finished run is of 'xyzzy'. There are: other, toy."),
        (
            ("--experiments", "toy.tow"),
            "--experiments: no finished run is of 'toy.tow'. Did you mean toy.two",
        ),
        (
            ("--experiments", "toy.walk"),
            "there is no finished run of toy.walk. Make one: repro run toy.walk.",
        ),
        (("--papers", "bad"), "--papers: there is no finished run of bad. Make one: repro run bad."),
    ],
)
def test_what_there_is_no_run_of(repro, runs, asked, message):
    ended = repro("report", *asked)
    assert ended.code == 2
    assert message in ended.err
    assert not Path("report.html").exists()


def test_a_file_that_cannot_be_written_leaves_the_page_as_it_was(repro):
    repro("run", "toy.two")
    Path("folder").mkdir()
    ended = repro("report", "--csv", "folder")
    assert ended.code == 2
    assert "folder is a folder, no file to write" in ended.err
    assert not Path("report.html").exists()
