"""`repro data` against a server that fails on purpose."""

from __future__ import annotations

import hashlib
import io
import os
import re
import shutil
import signal
import stat
import subprocess
import sys
import threading
import time
import zipfile
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.metadata import EntryPoint
from pathlib import Path
from types import SimpleNamespace
from urllib.parse import urlsplit

import pytest

from repro import download, fetch, lock
from repro.dataset import Dataset, File, require
from repro.errors import DataError, RoomError, UserError

CONTENT = bytes(range(256)) * 2000  # 512 kB: several chunks


def zipped(members: dict[str, bytes], **changes) -> bytes:
    memory = io.BytesIO()
    with zipfile.ZipFile(memory, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            info = zipfile.ZipInfo(name)
            for attribute, value in changes.items():
                setattr(info, attribute, value)
            archive.writestr(info, content)
    return memory.getvalue()


ARCHIVE = zipped({"images/a.png": b"a" * 1000, "images/b.png": b"b" * 1000})


@dataclass
class Server:
    """Serves each path by the behaviour that a test gives it, and keeps every request."""

    url: str = ""
    behave: dict[str, object] = field(default_factory=dict)
    asked: list[tuple[str, str | None]] = field(default_factory=list)


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        state: Server = self.server.state  # pyright: ignore[reportAttributeAccessIssue]
        path = urlsplit(self.path).path  # a proxy is asked for the whole address
        wanted = self.headers.get("Range")
        state.asked.append((self.path, wanted))
        self.close_connection = True
        state.behave[path](self, wanted)

    def log_message(self, *_):
        pass

    def answer(self, status, content=b"", length=None, **headers):
        self.send_response(status)
        self.send_header("Content-Length", str(len(content) if length is None else length))
        self.send_header("Connection", "close")
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(content)


def plain(content):
    """A server that knows no ranges."""
    return lambda handler, _: handler.answer(200, content)


def ranged(content, at_most=None):
    """A server that knows ranges, and breaks off after `at_most` bytes of each answer."""

    def give(handler, wanted):
        start = int(re.match(r"bytes=(\d+)-", wanted)[1]) if wanted else 0
        if start >= len(content):
            handler.answer(416, Content_Range=f"bytes */{len(content)}")
            return
        rest = content[start:]
        extra = {"Content_Range": f"bytes {start}-{len(content) - 1}/{len(content)}"} if wanted else {}
        handler.answer(206 if wanted else 200, rest[:at_most], length=len(rest), **extra)

    return give


def broken_off(content, at):
    """A server that always stops after the same bytes and knows no ranges."""
    return lambda handler, _: handler.answer(200, content[:at], length=len(content))


def first(*behaviours):
    """Behaves otherwise at each request; as the last one in the end."""
    left = list(behaviours)
    return lambda handler, wanted: (left.pop(0) if len(left) > 1 else left[0])(handler, wanted)


def says(status):
    return lambda handler, _: handler.answer(status, b"an error page")


def sleeps(handler, _):
    time.sleep(2)
    handler.answer(200, CONTENT)


@pytest.fixture(scope="module")
def listening():
    httpd = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    httpd.daemon_threads = True
    httpd.handle_error = lambda *_: None  # clients that hang up are what is tested
    threading.Thread(target=httpd.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
    yield httpd
    httpd.shutdown()
    httpd.server_close()


@pytest.fixture
def server(listening, monkeypatch):
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
    listening.state = Server(url=f"http://127.0.0.1:{listening.server_port}")
    return listening.state


def sha256(content: bytes) -> str:
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


def file_of(server, content=CONTENT, name="a.bin", *, size=True, path="/a", **changes) -> File:
    return File(
        name=name,
        urls=(server.url + path,),
        checksum=sha256(content),
        size=len(content) if size else None,
        **changes,
    )


def get(file, folder, **changes):
    pauses = []
    settings = {"pause": pauses.append, "timeout": (10.0, 10.0)} | changes
    return download.download(file, folder, **settings), pauses


def left(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*"))


# one file ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [True, False])
@pytest.mark.parametrize("behaviour", [plain(CONTENT), ranged(CONTENT)])
def test_a_sound_file_arrives_and_is_told_of(server, tmp_path, behaviour, size):
    server.behave["/a"] = behaviour
    told = []
    path, pauses = get(file_of(server, size=size), tmp_path, progress=lambda *told_of: told.append(told_of))
    assert path.read_bytes() == CONTENT
    assert left(tmp_path) == ["a.bin"]
    assert told[-1] == ("a.bin", len(CONTENT), len(CONTENT))
    assert not pauses
    get(file_of(server, size=size), tmp_path)
    assert len(server.asked) == 1  # it is there: nobody is asked again


def test_an_answer_that_breaks_off_is_continued_by_range(server, tmp_path):
    server.behave["/a"] = ranged(CONTENT, at_most=200_000)
    path, pauses = get(file_of(server), tmp_path)
    assert path.read_bytes() == CONTENT
    assert [wanted for _, wanted in server.asked] == [None, "bytes=200000-", "bytes=400000-"]
    assert pauses == [1.0, 2.0]


def test_a_server_without_ranges_sends_it_all_again(server, tmp_path):
    server.behave["/a"] = first(broken_off(CONTENT, 200_000), plain(CONTENT))
    assert get(file_of(server), tmp_path)[0].read_bytes() == CONTENT
    assert [wanted for _, wanted in server.asked] == [None, "bytes=200000-"]


def test_a_range_from_elsewhere_is_not_taken(server, tmp_path):
    wrong = lambda handler, _: handler.answer(206, CONTENT[:50], Content_Range="bytes 0-49/512000")  # noqa: E731
    server.behave["/a"] = first(broken_off(CONTENT, 200_000), wrong, plain(CONTENT))
    assert get(file_of(server), tmp_path)[0].read_bytes() == CONTENT
    assert [wanted for _, wanted in server.asked] == [None, "bytes=200000-", None]


@pytest.mark.parametrize("behaviour", [ranged(CONTENT), says(416)])
def test_a_part_that_is_whole_already(server, tmp_path, behaviour):
    (tmp_path / "a.bin.part").write_bytes(CONTENT)
    server.behave["/a"] = first(behaviour, plain(CONTENT))
    assert get(file_of(server, size=False), tmp_path)[0].read_bytes() == CONTENT
    assert get(file_of(server), tmp_path)[0].read_bytes() == CONTENT


def test_a_part_of_another_file_is_thrown_away_and_all_asked_anew(server, tmp_path):
    (tmp_path / "a.bin.part").write_bytes(b"old" * 1000)
    server.behave["/a"] = ranged(CONTENT)
    assert get(file_of(server), tmp_path)[0].read_bytes() == CONTENT
    assert [wanted for _, wanted in server.asked] == ["bytes=3000-", None]


def test_a_busy_server_is_asked_again(server, tmp_path):
    server.behave["/a"] = first(says(503), says(500), says(429), plain(CONTENT))
    path, pauses = get(file_of(server), tmp_path)
    assert path.read_bytes() == CONTENT
    assert pauses == [1.0, 2.0, 4.0]


def test_a_slow_server_is_asked_again(server, tmp_path):
    server.behave["/a"] = first(sleeps, plain(CONTENT))
    assert get(file_of(server), tmp_path, timeout=(10.0, 0.7))[0].read_bytes() == CONTENT


def test_the_second_address_is_tried(server, tmp_path):
    server.behave |= {"/gone": says(404), "/a": plain(CONTENT)}
    file = File(name="a", urls=(f"{server.url}/gone", f"{server.url}/a"), checksum=sha256(CONTENT))
    assert get(file, tmp_path)[0].read_bytes() == CONTENT


WRONG = bytes(len(CONTENT))
REFUSED = {
    "status 404": (says(404), r"/a: the server says 404\.", []),
    "status 403": (says(403), r"/a: the server says 403\.", []),
    "status 500": (says(500), r"/a: the server says 500, 4 times\. Check the network", []),
    "status 503": (says(503), r"/a: the server says 503, 4 times", []),
    "too slow": (sleeps, r"/a: no answer in time, 4 times", []),
    "truncated, no ranges": (
        broken_off(CONTENT, 100),
        r"4 times.*the same command goes on after the 100 bytes that are here",
        ["a.bin.part"],
    ),
    "truncated to nothing": (broken_off(CONTENT, 0), "4 times.*after the 0 bytes", ["a.bin.part"]),
    "short, and says so": (plain(CONTENT[:-1]), "it broke off, 4 times", ["a.bin.part"]),
    "other content": (plain(WRONG), r"wrong SHA256 \(\w{16}\.\.\. where \w{16}\.\.\. is declared\)", []),
    "other content, ranged": (ranged(WRONG), "wrong SHA256", []),
    "one bit turned": (plain(b"\x01" + CONTENT[1:]), "wrong SHA256", []),
    "too long": (
        plain(CONTENT + b"x"),
        r"more than the declared 512,000 bytes\. They were removed",
        [],
    ),
    "an error page as 200": (plain(b"<html>no</html>"), "it broke off", ["a.bin.part"]),
}


@pytest.mark.parametrize("fault", REFUSED)
def test_a_bad_download_is_refused(server, tmp_path, fault):
    behaviour, message, kept = REFUSED[fault]
    server.behave["/a"] = behaviour
    with pytest.raises(DataError, match=f"a.bin could not be fetched.*{message}"):
        get(file_of(server), tmp_path, timeout=(10.0, 0.1 if behaviour is sleeps else 10.0))
    assert left(tmp_path) == kept


@pytest.mark.parametrize("content", [b"", b"<html>no</html>", CONTENT[:-1], CONTENT + b"x", WRONG])
def test_a_file_without_a_stated_size_is_refused_by_its_checksum(server, tmp_path, content):
    server.behave["/a"] = plain(content)
    with pytest.raises(DataError, match="wrong SHA256"):
        get(file_of(server, size=False), tmp_path)
    assert left(tmp_path) == []


def test_no_network(server, tmp_path):
    file = File(name="a", urls=("http://127.0.0.1:1/a",), checksum=sha256(b""))
    with pytest.raises(DataError, match=r"127.0.0.1:1/a: Connection refused, 4 times. Check the network"):
        get(file, tmp_path)
    assert left(tmp_path) == []


def test_through_a_proxy(server, tmp_path, monkeypatch):
    server.behave["/a"] = ranged(CONTENT, at_most=300_000)
    monkeypatch.setenv("HTTP_PROXY", server.url)
    file = File(name="a", urls=("http://data.invalid/a",), checksum=sha256(CONTENT))
    assert get(file, tmp_path)[0].read_bytes() == CONTENT
    assert server.asked == [("http://data.invalid/a", None), ("http://data.invalid/a", "bytes=300000-")]


def test_a_proxy_that_does_not_answer(server, tmp_path, monkeypatch):
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    file = File(name="a", urls=("http://data.invalid/a",), checksum=sha256(CONTENT))
    with pytest.raises(DataError, match=r"the proxy does not answer \(Connection refused\)"):
        get(file, tmp_path)


def test_a_full_disk(server, tmp_path):
    server.behave["/a"] = plain(CONTENT)
    (tmp_path / "a.bin.part").symlink_to("/dev/full")  # the kernel itself says that there is no room
    with pytest.raises(
        RoomError, match=r"the disk is full .*MB free\)\. Make room or take another --folder; the same"
    ):
        get(file_of(server), tmp_path)


# a set ------------------------------------------------------------------------------------------------------


def set_of(*files: File, name="toy", least=1, **changes) -> Dataset:
    facts = {"title": "Toys", "licence": "CC0", "citation": "Euler 1744", "home": "https://toys.invalid"}
    facts |= {"layout": "images/*.png", "check": lambda folder: require(folder, {"images/*.png": least})}
    return Dataset(name=name, files=files, **(facts | changes))


@pytest.fixture
def toy(server):
    server.behave["/a"] = ranged(ARCHIVE)
    return set_of(file_of(server, ARCHIVE, "images.zip"), experiments=("toy.walk",))


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


@pytest.mark.parametrize("fault", ["other content", "status 404", "too long"])
def test_a_refused_file_leaves_nothing(server, tmp_path, fault):
    server.behave["/a"] = REFUSED[fault][0]
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


# the command ------------------------------------------------------------------------------------------------


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


# declarations -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"checksum": "md5:" + "0" * 32}, "`checksum` of a must be sha256: or sha512:"),
        ({"checksum": "sha256:" + "0" * 63}, "`checksum` of a must be"),
        ({"checksum": "sha256:" + "A" * 64}, "in lower case"),
        ({"checksum": ""}, "`checksum` of a must be"),
        ({"urls": ()}, "`urls` of a is empty"),
        ({"name": "b/a"}, "`name` must be a bare file name; got 'b/a'"),
        ({"into": "../b"}, "`into` of a must stay within"),
        ({"into": "/b"}, "`into` of a must stay within"),
    ],
)
def test_a_file_that_cannot_be_checked_is_no_file(changes, message):
    with pytest.raises(ValueError, match=message):
        File(**({"name": "a", "urls": ("https://a.invalid/a",), "checksum": sha256(b"")} | changes))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"name": "../a"}, "`name` must be of lower-case letters"),
        ({"licence": " "}, "`licence` of toy is empty: it is shown before anything is fetched"),
        ({"by_hand": ""}, "toy must have either `files` or `by_hand`"),
    ],
)
def test_a_set_says_what_it_is(changes, message):
    with pytest.raises(ValueError, match=message):
        set_of(**({"by_hand": "Write."} | changes))
