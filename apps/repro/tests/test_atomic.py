from __future__ import annotations

import os

import pytest

from repro import atomic


def test_a_file_is_written_and_replaced(tmp_path):
    path = tmp_path / "a.txt"
    atomic.write(path, "one")
    atomic.write(path, b"two")
    assert path.read_text() == "two"
    assert os.listdir(tmp_path) == ["a.txt"]  # noqa: PTH208  (hidden files included)


def test_when_writing_fails_the_old_content_stays_and_nothing_else(tmp_path, monkeypatch):
    path = tmp_path / "a.txt"
    atomic.write(path, "one")

    def fail(_):
        raise OSError("disk full")

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(OSError, match="disk full"):
        atomic.write(path, "two")
    assert path.read_text() == "one"
    assert os.listdir(tmp_path) == ["a.txt"]  # noqa: PTH208


def test_text_that_is_no_unicode_leaves_nothing(tmp_path):
    with pytest.raises(UnicodeEncodeError):
        atomic.write(tmp_path / "a.txt", "\ud800")
    assert not os.listdir(tmp_path)  # noqa: PTH208


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
def test_what_is_not_finite_is_never_written(tmp_path, value):
    with pytest.raises(ValueError, match="not JSON compliant"):
        atomic.write_json(tmp_path / "a.json", {"x": [value]})
    assert not os.listdir(tmp_path)  # noqa: PTH208
