from __future__ import annotations

import subprocess
import sys
from importlib.metadata import EntryPoint

import pytest

from repro import registry
from repro.errors import ExperimentError, UserError

pytestmark = pytest.mark.usefixtures("toys")


def test_names_papers_and_all_are_resolved_each_once():
    assert registry.resolve(["toy.walk", "toy"]) == ["toy.walk", "toy.single", "toy.two"]
    assert registry.resolve(["other"]) == ["other.walk"]
    assert registry.resolve(["all"]) == sorted(registry.entry_points())


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        (["toy.wakl"], r"no experiment or paper 'toy.wakl'. Did you mean toy.walk"),
        (["tyo"], r"Did you mean .*toy"),
        (["nonsense"], r"'nonsense'. There are: bad.fall, .*toy.walk, all"),
        ([], r"Name an experiment, a paper or `all`, before any --settings"),
    ],
)
def test_what_is_unknown_is_refused(asked, message):
    with pytest.raises(UserError, match=message):
        registry.resolve(asked)


def test_no_apps_at_all(monkeypatch):
    monkeypatch.setattr(registry, "entry_points", dict)
    with pytest.raises(UserError, match="No experiments are installed"):
        registry.resolve(["all"])


def test_what_cannot_be_imported_is_named():
    with pytest.raises(ExperimentError, match=r"bad.missing cannot be imported \(AttributeError"):
        registry.load("bad.missing")


def test_an_entry_point_to_something_else_is_named(monkeypatch):
    monkeypatch.setattr(
        registry, "entry_points", lambda: {"a.b": EntryPoint("a.b", "toys:WALK", registry.GROUP)}
    )
    with pytest.raises(
        ExperimentError, match=r"a.b: its entry point 'toys:WALK' is no experiment of that name"
    ):
        registry.load("a.b")


def test_unknown_names_are_refused_without_importing_anything_heavy():
    script = (
        "import sys\n"
        "from repro import cli\n"
        "assert cli.main(['run', 'nonsense']) == 2\n"
        "heavy = {'torch', 'jax', 'matplotlib', 'numpy', 'jinja2', 'skimage'} & sys.modules.keys()\n"
        "assert not heavy, heavy\n"
    )
    ended = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr
