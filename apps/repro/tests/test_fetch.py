"""A data set is put into place whole, or not at all."""

from __future__ import annotations

import os
import shutil
import signal
import stat
import subprocess
import sys
import threading
import time
from types import SimpleNamespace

import pytest
from failing_server import (
    ARCHIVE,
    CONTENT,
    broken_off,
    file_of,
    left,
    plain,
    ranged,
    says,
    set_of,
    sha256,
    zipped,
)

from repro import fetch, lock
from repro.errors import DataError, RoomError, UserError


def test_a_set_is_installed_verified_and_not_fetched_again(toy, server, tmp_path):
    assert fetch.install(toy, tmp_path) == "2 files images/*.png."
    assert left(tmp_path) == [
        "toy",
        "toy/.checksums.json",
        "toy/images",
        "toy/images/a.png",
        "toy/images/b.png",
    ]
    assert "All 2 checksums are right. It was there before." in fetch.install(toy, tmp_path)
    assert len(server.asked) == 1


def test_files_and_archives_go_where_they_belong(server, tmp_path):
    server.behave |= {"/a": plain(ARCHIVE), "/b": plain(b"text")}
    files = (
        file_of(server, ARCHIVE, "p.zip", into="train"),
        file_of(server, b"text", "b.txt", path="/b", into="lists"),
    )
    fetch.install(set_of(*files, check=lambda _: "Fine."), tmp_path)
    assert [name for name in left(tmp_path / "toy") if "." in name] == [
        ".checksums.json",
        "lists/b.txt",
        "train/images/a.png",
        "train/images/b.png",
    ]


SYMLINK = {"external_attr": (stat.S_IFLNK | 0o777) << 16, "create_system": 3}
flipped = bytearray(zipped({"images/a.png": os.urandom(3000)}))
flipped[1000] ^= 1
BAD_ARCHIVES = {
    "not an archive": (b"<html>", "no sound ZIP archive"),
    "truncated": (ARCHIVE[:-10], "no sound ZIP archive"),
    "a bit turned": (bytes(flipped), "no sound ZIP archive"),
    "upwards": (zipped({"../evil.txt": b""}), r"outside its folder \('../evil.txt'\)"),
    "upwards inside": (zipped({"a/../../evil.txt": b""}), "outside its folder"),
    "absolute": (zipped({"/tmp/evil.txt": b""}), "outside its folder"),
    "backslashes": (zipped({"..\\evil.txt": b""}), "outside its folder"),
    "a drive": (zipped({"C:evil.txt": b""}), "outside its folder"),
    "a link": (zipped({"images/a.png": b"/etc/passwd"}, **SYMLINK), r"holds a link \('images/a.png'\)"),
    "another layout": (zipped({"pictures/a.png": b""}), r"looked for 1 file images/\*.png in .*, found 0"),
}


@pytest.mark.parametrize("fault", BAD_ARCHIVES)
def test_a_bad_archive_is_refused_as_a_whole(server, tmp_path, fault):
    content, message = BAD_ARCHIVES[fault]
    server.behave["/a"] = plain(content)
    with pytest.raises(DataError, match=message):
        fetch.install(set_of(file_of(server, content, "images.zip")), tmp_path / "data")
    assert left(tmp_path) == ["data"]


def test_two_archives_with_one_name(server, tmp_path):
    server.behave |= {"/a": plain(ARCHIVE)}
    files = (file_of(server, ARCHIVE, "a.zip"), file_of(server, ARCHIVE, "b.zip"))
    with pytest.raises(DataError, match=r"b\.zip writes 'images/a.png' twice"):
        fetch.install(set_of(*files), tmp_path)
    assert left(tmp_path) == []


REFUSED = {
    "other content": plain(bytes(len(CONTENT))),
    "status 404": says(404),
    "too long": plain(CONTENT + b"x"),
}


@pytest.mark.parametrize("fault", REFUSED)
def test_a_refused_file_leaves_nothing(server, tmp_path, fault):
    server.behave["/a"] = REFUSED[fault]
    with pytest.raises(DataError):
        fetch.install(set_of(file_of(server)), tmp_path, attempts=1)
    assert left(tmp_path) == []


def test_a_broken_fetch_leaves_only_what_it_goes_on_with(server, tmp_path):
    server.behave |= {"/a": plain(ARCHIVE), "/b": broken_off(CONTENT, 100)}
    toy = set_of(file_of(server, ARCHIVE, "a.zip"), file_of(server, name="b.bin", path="/b"))
    with pytest.raises(DataError, match=r"b\.bin could not be fetched"):
        fetch.install(toy, tmp_path, attempts=1)
    (tmp_path / ".toy.partial" / "content").mkdir()  # of a process killed while it unpacked
    assert left(tmp_path) == [
        ".toy.partial",
        *(f".toy.partial/{n}" for n in (".lock", "a.zip", "b.bin.part", "content")),
    ]
    server.behave["/b"] = ranged(CONTENT)
    server.asked.clear()
    fetch.install(toy, tmp_path)
    assert server.asked == [("/b", "bytes=100-")]
    assert not (tmp_path / ".toy.partial").exists()


def test_too_little_room_is_said_before_anything_is_asked(toy, server, tmp_path, monkeypatch):
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=1))
    with pytest.raises(RoomError, match=r"toy needs 0 MB, but .* has 0 MB free. Make room"):
        fetch.install(toy, tmp_path)
    assert not server.asked
    assert left(tmp_path) == []


def test_an_archive_that_unpacks_to_more_than_the_disk_is_kept_for_later(toy, server, tmp_path, monkeypatch):
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=60_000_000))
    with pytest.raises(RoomError, match=r"images.zip unpacks to 0 MB, but .* has 60 MB free"):
        fetch.install(toy, tmp_path)
    assert [name for name in left(tmp_path) if "zip" in name] == [".toy.partial/images.zip"]
    monkeypatch.undo()
    fetch.install(toy, tmp_path)
    assert len(server.asked) == 1


def test_a_folder_that_cannot_be_made(toy, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(RoomError, match="cannot be written to: Not a directory"):
        fetch.install(toy, tmp_path / "file")


def test_a_second_process_is_kept_out(toy, tmp_path):
    (tmp_path / ".toy.partial").mkdir()
    with lock.hold(tmp_path / ".toy.partial", wait=False), pytest.raises(UserError, match="Another process"):
        fetch.install(toy, tmp_path)
    assert left(tmp_path) == [".toy.partial", ".toy.partial/.lock"]


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda place: (place / "images/a.png").write_bytes(b"a"), r"1 are not as .* such as images/a.png"),
        (lambda place: (place / "images/a.png").unlink(), r"1 are not as .* such as images/a.png"),
        (lambda place: (place / "images/c.png").write_bytes(b""), r"1 are not as .* such as images/c.png"),
        (lambda place: shutil.rmtree(place / "images"), r"found 0. The published layout is: images/\*.png"),
        (lambda place: (place / fetch.CHECKSUMS).write_text("["), "cannot be compared with its checksums"),
        (lambda place: (place / fetch.CHECKSUMS).write_text("[]"), "cannot be compared with its checksums"),
        (shutil.rmtree, "there is no folder"),
    ],
)
def test_a_damaged_set_is_named(toy, tmp_path, damage, message):
    fetch.install(toy, tmp_path)
    damage(tmp_path / "toy")
    with pytest.raises(DataError, match=message):
        fetch.verify(toy, tmp_path / "toy")


KILLED = """
import sys
from pathlib import Path
from repro import fetch
from repro.dataset import Dataset, File
file = File(name="a.bin", urls=(sys.argv[1],), checksum=sys.argv[2], size=512000)
toy = Dataset(name="toy", title="t", licence="l", citation="c", home="h", layout="a.bin", files=(file,),
              check=lambda folder: "There." if (folder / "a.bin").is_file() else "")
print(fetch.install(toy, Path("data")))
"""


def test_a_killed_fetch_goes_on(server, tmp_path):
    """Killed twice by SIGKILL in the middle of an answer; no byte that came is asked for again."""
    arrived = threading.Event()

    def stall(handler, wanted):
        start = int(wanted[6:-1]) if wanted else 0
        rest = CONTENT[start:]
        part = rest[:200_000]
        extra = {"Content_Range": f"bytes {start}-{len(CONTENT) - 1}/{len(CONTENT)}"} if wanted else {}
        handler.answer(206 if wanted else 200, part, length=len(rest), **extra)
        arrived.set()
        time.sleep(20)

    server.behave["/a"] = stall
    arguments = [sys.executable, "-c", KILLED, f"{server.url}/a", sha256(CONTENT)]
    part = tmp_path / "data" / ".toy.partial" / "a.bin.part"
    for have in (0, 1):
        arrived.clear()
        process = subprocess.Popen(arguments, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        assert arrived.wait(30)
        end = time.monotonic() + 10
        while time.monotonic() < end and not (part.exists() and part.stat().st_size > have * 131072):
            time.sleep(0.01)
        process.send_signal(signal.SIGKILL)
        process.wait()
        assert not (tmp_path / "data" / "toy").exists()
    there = part.stat().st_size
    assert there > 131072
    server.behave["/a"] = ranged(CONTENT)
    server.asked.clear()
    ended = subprocess.run(arguments, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert ended.stdout == "There.\n", ended.stderr
    assert server.asked == [("/a", f"bytes={there}-")]
    assert (tmp_path / "data" / "toy" / "a.bin").read_bytes() == CONTENT
    assert left(tmp_path / "data") == ["toy", "toy/.checksums.json", "toy/a.bin"]
