"""A sweep on a real cluster of two nodes on loopback, whose workers and driver are killed on the way."""

from __future__ import annotations

import json
import os
import re
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

from repro import cli

pytest.importorskip("ray")

LIMIT = 240  # seconds for any one step: far more than on an idle machine
GRID = (
    "--set",
    "epochs=4,8",
    "--set",
    "pause=0.3",
    "--set",
    "draws=false",
    "--seeds",
    "2",
    "--figures",
    "mean",
)
SCRIPTS = Path(sys.executable).parent


def wait_until(done: Callable[[], bool], *processes: subprocess.Popen[str]) -> None:
    limit = time.monotonic() + LIMIT
    while not done():
        assert time.monotonic() < limit, "it never came"
        for process in processes:
            assert process.poll() is None, process.communicate()
        time.sleep(0.05)


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    """Of every process: the toys are an app that is installed."""
    site = tmp_path / "site"
    information = site / "toys-0.1.dist-info"
    information.mkdir(parents=True)
    shutil.copy(Path(__file__).with_name("toys.py"), site)
    (information / "METADATA").write_text("Metadata-Version: 2.1\nName: toys\nVersion: 0.1\n")
    points = "toy.walk = toys:WALK\nbad.fall = toys:FALL\n"
    (information / "entry_points.txt").write_text(f"[repro.experiments]\n{points}")
    without = {k: v for k, v in os.environ.items() if not k.startswith("RAY_")}
    secret = {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": secrets.token_hex(32)}
    return without | secret | {"PYTHONPATH": str(site), "RAY_USAGE_STATS_ENABLED": "0", "COLUMNS": "200"}


@pytest.fixture
def address(environment: dict[str, str], tmp_path: Path) -> Iterator[str]:
    """A head and a second node with one CPU each; both are gone in the end, with all that they started."""
    hosts = ("127.0.0.2", "127.0.0.3")  # Ray replaces 127.0.0.1 by the address to the outside
    with socket.socket() as free:
        free.bind((hosts[0], 0))
        port = free.getsockname()[1]
    folder = Path(tempfile.mkdtemp(prefix="ray-", dir="/tmp"))  # short: it becomes part of names of sockets
    head = ["--head", f"--port={port}", f"--temp-dir={folder}", "--no-monitor", "--include-dashboard=false"]
    common = ["--block", "--num-cpus=1", "--object-store-memory=80000000", "--include-log-monitor=False"]

    nodes: list[subprocess.Popen[str]] = []

    def start(host: str, *options: str) -> None:
        log = tmp_path / f"{host}.log"
        command = [str(SCRIPTS / "ray"), "start", *options, f"--node-ip-address={host}", *common]
        with log.open("w") as file:
            nodes.append(subprocess.Popen(command, stdout=file, stderr=file, text=True, env=environment))
        wait_until(lambda: "Ray runtime started" in log.read_text(), *nodes)

    try:
        start(hosts[0], *head)
        start(hosts[1], f"--address={hosts[0]}:{port}")
        yield f"{hosts[0]}:{port}"
    finally:
        for node in reversed(nodes):
            node.terminate()
        for node in nodes:
            node.wait(timeout=60)
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def repro(environment: dict[str, str], tmp_path: Path) -> Callable[..., subprocess.Popen[str]]:
    def start(*arguments: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [str(SCRIPTS / "repro"), *arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=environment,
            cwd=tmp_path,
            start_new_session=True,
        )

    return start


def logs(tmp_path: Path) -> str:
    return "\n".join(path.read_text() for path in sorted(tmp_path.glob("runs/toy.walk/*/log.txt")))


def figures(runs: Path) -> dict[int, list[object]]:
    """The figures of every run, by its epochs; time is no part of a toy's figures."""
    found = [json.loads(path.read_text()) for path in sorted(runs.glob("toy.walk/*/result.json"))]
    return {result["identity"]["settings"]["epochs"]: result["figures"] for result in found}


@pytest.mark.slow
def test_a_sweep_survives_a_worker_and_goes_on_after_its_driver(
    repro, address, environment, tmp_path, monkeypatch
):
    command = ("sweep", "toy.walk", *GRID, "--address", address)
    driver = repro(*command)
    wait_until(lambda: "epoch 2 done" in logs(tmp_path), driver)
    log = next(
        path for path in tmp_path.glob("runs/toy.walk/*/log.txt") if "epoch 2 done" in path.read_text()
    )
    seed = re.findall(r"seed (\d): epoch 2 done", log.read_text())[-1]
    os.kill(int(re.findall(rf"seed {seed}: given to process (\d+)", log.read_text())[-1]), signal.SIGKILL)
    wait_until(lambda: f"seed {seed}: resumed" in log.read_text(), driver)
    wait_until(lambda: "finished in" in logs(tmp_path), driver)
    driver.kill()
    _, errors = driver.communicate()
    assert "its worker died (WorkerCrashedError); tried again (1 of 2)" in errors
    finished = logs(tmp_path).count("finished in")
    assert 1 <= finished < 4

    again = repro(*command)
    out, errors = again.communicate(timeout=LIMIT)
    assert again.returncode == 0, errors
    assert f"{4 - finished} seeds to do, on 2 nodes with 2 CPUs." in errors
    assert logs(tmp_path).count("finished in") == 4
    for path in tmp_path.glob("runs/toy.walk/*/log.txt"):
        text = path.read_text()
        epochs = json.loads((path.parent / "identity.json").read_text())["identity"]["settings"]["epochs"]
        assert [text.count(f"seed {s}: epoch {e} done") for s in (0, 1) for e in range(1, epochs + 2)] == [
            *[1] * epochs,
            0,
        ] * 2
    assert "epochs 8, pause 0.3, draws False" in out

    monkeypatch.syspath_prepend(environment["PYTHONPATH"])
    for epochs in ("4", "8"):
        settings = ("--settings.epochs", epochs, "--settings.pause", "0", "--settings.no-draws")
        assert (
            cli.main(["run", "toy.walk", *settings, "--seeds", "2", "--runs", str(tmp_path / "unbroken")])
            == 0
        )
    assert figures(tmp_path / "runs") == figures(tmp_path / "unbroken")
    assert len(figures(tmp_path / "runs")) == 2
