"""One file is downloaded, from a server that fails on purpose."""

from __future__ import annotations

import pytest
from failing_server import CONTENT, broken_off, file_of, first, left, plain, ranged, says, sha256, sleeps

from repro import download
from repro.dataset import File
from repro.errors import DataError, RoomError


def get(file, folder, **changes):
    pauses = []
    settings = {"pause": pauses.append, "timeout": (10.0, 10.0)} | changes
    return download.download(file, folder, **settings), pauses


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
