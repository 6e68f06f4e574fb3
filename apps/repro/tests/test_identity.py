from __future__ import annotations

import dataclasses
from importlib import metadata

import pytest

from repro import registry
from repro.errors import ExperimentError
from repro.identity import folder_checksum, identify


@pytest.fixture
def made(toys):
    def make(experiment=None, **changes):
        given = {"preset": "smoke", "settings": toys.Settings(), "seeds": 1, "device": "cpu", "data": None}
        return identify(experiment or toys.WALK, **(given | changes))

    return make


def test_the_same_is_the_same(made, toys):
    assert made().sha256 == made(settings=toys.Settings(sizes=[1, 2])).sha256  # JSON knows no tuples


def test_everything_that_matters_makes_another_run(made, toys, tmp_path):
    (tmp_path / "a.txt").write_text("a")
    others = [
        made(),
        made(toys.ELSEWHERE),
        made(preset="quick"),
        made(settings=toys.Settings(epochs=5)),
        made(seeds=2),
        made(device="cuda"),
        made(data=tmp_path),
        made(dataclasses.replace(toys.WALK, data=lambda: {"a.png": "1" * 64})),
        made(dataclasses.replace(toys.WALK, packages=("numpy", "rich"))),
    ]
    assert len({identity.sha256 for identity in others}) == len(others)


def test_versions_are_those_installed_with_the_app_among_them(made, monkeypatch):
    monkeypatch.setattr(registry, "distribution", lambda name: "jinja2")
    assert made().packages == {name: metadata.version(name) for name in ("jinja2", "numpy")}


def test_the_checksum_of_a_folder_follows_names_and_contents(tmp_path):
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "x").write_text("1")
    before = folder_checksum(tmp_path)
    assert folder_checksum(tmp_path) == before
    (tmp_path / "b" / "x").write_text("2")
    assert folder_checksum(tmp_path) != before
    (tmp_path / "b" / "x").write_text("1")
    assert folder_checksum(tmp_path) == before
    (tmp_path / "b" / "x").rename(tmp_path / "b" / "y")
    assert folder_checksum(tmp_path) != before


@pytest.mark.parametrize("value", [float("nan"), object()])
def test_settings_that_are_no_plain_finite_values(made, toys, value):
    with pytest.raises(ExperimentError, match=r"toy.walk: its settings are not all plain finite values"):
        made(settings=toys.Settings(pause=value))


def test_a_package_that_is_not_installed(made, toys):
    with pytest.raises(ExperimentError, match=r"toy.walk names the package 'no-such-thing', which is not"):
        made(dataclasses.replace(toys.WALK, packages=("no-such-thing",)))


def test_data_that_cannot_be_read(made, toys):
    def missing():
        raise FileNotFoundError("coins.png")

    with pytest.raises(ExperimentError, match=r"its data cannot be read \(FileNotFoundError: coins.png\)"):
        made(dataclasses.replace(toys.WALK, data=missing))
