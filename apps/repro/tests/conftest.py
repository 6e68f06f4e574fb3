"""Puts the toy experiments in the place of the installed apps and the test into an empty folder; a server."""

from __future__ import annotations

import importlib.util
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from http.server import ThreadingHTTPServer
    from types import ModuleType

    from failing_server import Server

    from repro.dataset import Dataset

TOYS = Path(__file__).with_name("toys.py")
sys.path.insert(0, str(TOYS.parent))  # for the modules beside this one, in every import mode of pytest


@dataclass(frozen=True)
class Outcome:
    code: int
    out: str
    err: str


@pytest.fixture
def toys(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> ModuleType:
    specification = importlib.util.spec_from_file_location("toys", TOYS)
    assert specification
    assert specification.loader
    module = importlib.util.module_from_spec(specification)
    monkeypatch.setitem(sys.modules, "toys", module)
    specification.loader.exec_module(module)
    monkeypatch.setattr("repro.registry.entry_points", module.entry_points)
    monkeypatch.setattr("repro.devices.sees_cuda", lambda framework: False)  # asking torch takes seconds
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "200")
    return module


@pytest.fixture
def repro(toys: ModuleType, capsys: pytest.CaptureFixture[str]) -> Callable[..., Outcome]:
    """The command `repro` over the toys: `repro("run", "toy.walk")`."""
    from repro import cli

    def command(*arguments: Any) -> Outcome:
        capsys.readouterr()
        try:
            code = cli.main([str(argument) for argument in arguments])
        except SystemExit as ended:  # the parser's way to show help and faults
            code = int(ended.code or 0)
        return Outcome(code, *capsys.readouterr())

    return command


@pytest.fixture
def run_of() -> Callable[[str], Path]:
    """The only run of an experiment."""

    def find(name: str) -> Path:
        (folder,) = (path for path in Path("runs", name).iterdir() if path.is_dir())
        return folder

    return find


@pytest.fixture(scope="session")
def listening() -> Iterator[ThreadingHTTPServer]:
    import failing_server

    with failing_server.listening() as httpd:
        yield httpd


@pytest.fixture
def server(listening: ThreadingHTTPServer, monkeypatch: pytest.MonkeyPatch) -> Server:
    """A server that behaves as the test tells it to."""
    from failing_server import Server

    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
    state = Server(url=f"http://127.0.0.1:{listening.server_port}")
    listening.state = state  # pyright: ignore[reportAttributeAccessIssue]
    return state


@pytest.fixture
def toy(server: Server) -> Dataset:
    """A set of one archive, which the server serves."""
    from failing_server import ARCHIVE, file_of, ranged, set_of

    server.behave["/a"] = ranged(ARCHIVE)
    return set_of(file_of(server, ARCHIVE, "images.zip"), experiments=("toy.walk",))
