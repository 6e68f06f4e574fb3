"""The command `repro data`."""

from __future__ import annotations

import sys
from importlib.metadata import EntryPoint
from pathlib import Path
from types import SimpleNamespace

import pytest
from failing_server import ARCHIVE, left, plain, says, set_of


@pytest.fixture
def sets(toy, monkeypatch):
    module = SimpleNamespace(TOY=toy, HAND=set_of(name="hand", by_hand="Write to Euler."), OTHER=toy)
    monkeypatch.setitem(sys.modules, "toy_sets", module)  # pyright: ignore[reportArgumentType]
    points = {"toy": "TOY", "hand": "HAND", "other": "OTHER", "missing": "MISSING"}

    def entry_points(names=("hand", "toy")):
        return {name: EntryPoint(name, f"toy_sets:{points[name]}", "repro.datasets") for name in names}

    monkeypatch.setattr("repro.datasets.entry_points", entry_points)
    return lambda *names: monkeypatch.setattr("repro.datasets.entry_points", lambda: entry_points(names))


@pytest.mark.usefixtures("sets")
def test_the_list_names_licence_size_and_experiments(repro):
    ended = repro("data")
    assert ended.code == 0
    (row,) = (line for line in ended.out.splitlines() if line.split()[:1] == ["toy"])
    assert row.split() == ["toy", "Toys", "fetch", "toy.walk"]
    (row,) = (line for line in ended.out.splitlines() if line.split()[:1] == ["hand"])
    assert row.split() == ["hand", "Toys", "hand"]
    assert ended.out.count("CC0") == 2
    assert ended.out == repro("data", "list").out


@pytest.mark.usefixtures("sets")
def test_fetching_shows_licence_and_citation_first_and_then_the_command(repro, server):
    server.behave["/a"] = says(404)
    failed = repro("data", "fetch", "toy")
    assert failed.code == 1
    assert "images.zip could not be fetched" in failed.err
    for text in ("licence   CC0", "cite      Euler 1744", "home      https://toys.invalid", "sha256:"):
        assert text in failed.out
    assert left(Path("data")) == []
    server.behave["/a"] = plain(ARCHIVE)
    ended = repro("data", "fetch", "toy", "--folder", "my data")
    assert ended.code == 0
    assert ended.out.startswith("toy: Toys\n  licence   CC0\n")
    assert (
        "my data/toy: 2 files images/*.png.\n  repro run toy.walk --preset quick --data 'my data/toy'"
        in ended.out
    )
    assert "All 2 checksums are right." in repro("data", "verify", "toy", "--folder", "my data").out
    assert "All 2 checksums are right." in repro("data", "verify", "toy", "--at", "my data/toy").out


@pytest.mark.usefixtures("sets")
def test_what_is_fetched_by_hand_says_how_and_is_verified(repro):
    ended = repro("data", "fetch", "hand")
    assert ended.code == 2
    assert "by hand   Write to Euler." in ended.out
    assert "hand is fetched by hand, as described above" in ended.err
    assert "Then: repro data verify hand --folder data" in ended.err
    assert repro("data", "verify", "hand").code == 1
    Path("data/hand/images").mkdir(parents=True)
    Path("data/hand/images/a.png").touch()
    ended = repro("data", "verify", "hand")
    assert ended.code == 0
    assert "1 file images/*.png. The layout is right; there are no checksums" in ended.out


@pytest.mark.usefixtures("sets")
def test_what_is_verified_is_read_last(repro):
    def read(folder: Path) -> str:
        for path in folder.glob("images/*.png"):
            if path.read_bytes() != b"sound":
                raise ValueError(f"{path}: no image. Copy it anew.")
        return "All images can be read."

    sys.modules["toy_sets"].HAND = set_of(name="hand", by_hand="Write to Euler.", read=read)
    path = Path("data/hand/images/a.png")
    path.parent.mkdir(parents=True)
    path.write_bytes(b"sound")
    ended = repro("data", "verify", "hand")
    assert ended.code == 0
    assert "no checksums of single files to compare. All images can be read.\n" in ended.out
    path.write_bytes(b"damaged")
    ended = repro("data", "verify", "hand")
    assert ended.code == 1
    assert f"hand: {path}: no image. Copy it anew." in ended.err


@pytest.mark.usefixtures("sets")
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("fetch", "tyo"), "There is no data set 'tyo'. Did you mean toy?"),
        (("show", "zzz"), "There is no data set 'zzz'. There are: hand, toy."),
        (("fetch",), "Name a data set: hand, toy."),
        (("list", "toy"), "`repro data list` takes no names; try: repro data show toy"),
        (("fetch", "toy", "--at", "."), "--at is the folder of one set to verify"),
        (("verify", "toy", "hand", "--at", "."), "--at is the folder of one set to verify"),
    ],
)
def test_what_cannot_be_meant_is_refused(repro, arguments, message):
    ended = repro("data", *arguments)
    assert ended.code == 2
    assert message in ended.err


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("missing", "missing cannot be imported (AttributeError"),
        ("other", "other: its entry point 'toy_sets:OTHER' is no data set of that name."),
    ],
)
def test_a_bad_declaration_is_named(repro, sets, name, message):
    sets(name)
    ended = repro("data", "show", name)
    assert ended.code == 1
    assert message in ended.err
