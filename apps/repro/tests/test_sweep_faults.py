"""Sweeps on real Ray, of two nodes on loopback or of the command's own; much is killed on the way."""

from __future__ import annotations

import json
import os
import random
import re
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

from piecewise_testing import free_port
from repro import cli, devices

pytest.importorskip("ray")
pytestmark = pytest.mark.slow  # each starts Ray

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
KILLS = max(1, int(os.environ.get("FAULTS_KILLS", "6")) // 15)  # of a sweep's driver


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


def below(process: int) -> list[int]:
    """All processes that one has started, and those that they have."""
    listed = [path.read_text() for path in Path(f"/proc/{process}/task").glob("*/children")]
    children = [int(child) for line in listed for child in line.split()]
    return [one for child in children for one in (child, *below(child))]


@dataclass
class Nodes:
    """A head and a second node of one CPU each, and one GPU in name: Ray believes what it is told."""

    address: str
    head: subprocess.Popen[str]
    second: subprocess.Popen[str]


@pytest.fixture
def nodes(environment: dict[str, str], tmp_path: Path) -> Iterator[Nodes]:
    """They are gone in the end, with all that they started."""
    hosts = ("127.0.0.2", "127.0.0.3")  # Ray replaces 127.0.0.1 by the address to the outside
    port = free_port(hosts[0])
    folder = Path(tempfile.mkdtemp(prefix="ray-", dir="/tmp"))  # short: it becomes part of names of sockets
    head = ["--head", f"--port={port}", f"--temp-dir={folder}", "--no-monitor", "--include-dashboard=false"]
    common = ["--block", "--num-cpus=1", "--num-gpus=1", "--object-store-memory=80000000"]
    common += ["--include-log-monitor=False"]
    started: list[subprocess.Popen[str]] = []

    def start(host: str, *options: str) -> None:
        log = tmp_path / f"{host}.log"
        command = [str(SCRIPTS / "ray"), "start", *options, f"--node-ip-address={host}", *common]
        with log.open("w") as file:
            started.append(subprocess.Popen(command, stdout=file, stderr=file, text=True, env=environment))
        wait_until(lambda: "Ray runtime started" in log.read_text(), *started)

    try:
        start(hosts[0], *head)
        start(hosts[1], f"--address={hosts[0]}:{port}")
        yield Nodes(f"{hosts[0]}:{port}", *started)
    finally:
        for node in reversed(started):
            node.terminate()
        for node in started:
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
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # a background job ignores it
        )

    return start


def logs(tmp_path: Path) -> str:
    return "\n".join(path.read_text() for path in sorted(tmp_path.glob("runs/toy.walk/*/log.txt")))


def figures(runs: Path) -> dict[int, list[object]]:
    """The figures of every run, by its epochs; time is no part of a toy's figures."""
    found = [json.loads(path.read_text()) for path in sorted(runs.glob("toy.walk/*/result.json"))]
    return {result["identity"]["settings"]["epochs"]: result["figures"] for result in found}


def test_a_sweep_survives_a_worker_and_goes_on_after_its_driver(
    repro, nodes, environment, tmp_path, monkeypatch
):
    command = ("sweep", "toy.walk", *GRID, "--address", nodes.address)
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
    assert f"{4 - finished} seeds to do, on 2 nodes with 2 CPUs and 2 GPUs." in errors
    assert logs(tmp_path).count("finished in") == 4
    for path in tmp_path.glob("runs/toy.walk/*/log.txt"):
        text = path.read_text()
        epochs = json.loads((path.parent / "identity.json").read_text())["identity"]["settings"]["epochs"]
        assert [text.count(f"seed {s}: epoch {e} done") for s in (0, 1) for e in range(1, epochs + 2)] == [
            *[1] * epochs,
            0,
        ] * 2
    assert "epochs 8, pause 0.3, draws False" in out

    assert figures(tmp_path / "runs") == unbroken(environment, tmp_path, monkeypatch)


def unbroken(environment, tmp_path, monkeypatch) -> dict[int, list[object]]:
    """The figures of the same runs, made one by one in this process."""
    monkeypatch.syspath_prepend(environment["PYTHONPATH"])
    runs = tmp_path / "unbroken"
    for epochs in ("4", "8"):
        settings = ("--settings.epochs", epochs, "--settings.pause", "0", "--settings.no-draws")
        assert cli.main(["run", "toy.walk", *settings, "--seeds", "2", "--runs", str(runs)]) == 0
    found = figures(runs)
    assert len(found) == 2
    return found


def test_a_sweep_survives_the_loss_of_a_node(repro, nodes, environment, tmp_path, monkeypatch):
    driver = repro("sweep", "toy.walk", *GRID, "--address", nodes.address)
    # two seeds are at work, so there is one on each node
    wait_until(lambda: len(set(re.findall(r"given to process (\d+)", logs(tmp_path)))) == 2, driver)
    for process in (*below(nodes.second.pid), nodes.second.pid):
        os.kill(process, signal.SIGKILL)
    out, errors = driver.communicate(timeout=LIMIT)
    assert driver.returncode == 0, errors
    assert re.search(r"its worker died \(\w+\); tried again \(1 of 2\)", errors), errors
    assert out
    assert figures(tmp_path / "runs") == unbroken(environment, tmp_path, monkeypatch)


# In a process of its own, as Ray reads its secret once.
MEETING = """
import os, sys, time
from pathlib import Path
import toys
from repro import _sweep_ray, sweep

def meet(order):
    gpu = os.environ["CUDA_VISIBLE_DEVICES"]
    (order.folder / f"{order.seed}").write_text(f"{gpu} {order.device} {order.shares_gpu}")
    limit = time.monotonic() + 60
    while len(list(order.folder.iterdir())) < 4:
        assert time.monotonic() < limit, "the others never came"
        time.sleep(0.05)

_sweep_ray.work = meet
(point,) = sweep.expand([toys.WALK], [], preset="smoke", seeds=4, device="cuda", data=None)
ended = []
with _sweep_ray.connect(sys.argv[1], cpus=0.25, gpus=0.5) as cluster:
    for seed in range(4):
        cluster.submit(_sweep_ray.Task(point, seed, Path("meeting")))
    while len(ended) < 4:
        ended += cluster.ended(timeout=1.0)
print([task.error for task in ended])
"""


def test_two_tasks_share_a_gpu(nodes, environment, tmp_path):
    """Each of four waits for the others, so none ends unless all run at once, two on each GPU."""
    (tmp_path / "meeting").mkdir()
    command = [sys.executable, "-c", MEETING, nodes.address]
    done = subprocess.run(
        command, env=environment, cwd=tmp_path, text=True, capture_output=True, timeout=LIMIT, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "[None, None, None, None]"
    assert [path.read_text() for path in (tmp_path / "meeting").iterdir()] == ["0 cuda True"] * 4


def test_a_gpu_in_name_only_is_not_used(repro, nodes, tmp_path):
    """A node that says it has a GPU, whose libraries see none: no figure of a CPU passes for one of a GPU."""
    if devices.sees_cuda("torch"):
        pytest.skip("there is a CUDA device")
    driver = repro("sweep", "toy.walk", *GRID, "--gpus", "0.5", "--cpus", "0.5", "--address", nodes.address)
    _, errors = driver.communicate(timeout=LIMIT)
    assert driver.returncode == 1
    assert "--device cuda: torch sees no CUDA device here" in errors
    assert not list(tmp_path.glob("runs/toy.walk/*/result.json"))


def test_a_sweep_on_its_own_survives_kills(repro, environment, tmp_path, monkeypatch, record_property):
    command = ("sweep", "toy.walk", *GRID)
    begun = time.monotonic()
    whole = repro(*command, "--runs", "whole", "--output", "whole")
    _, errors = whole.communicate(timeout=LIMIT)
    took = time.monotonic() - begun
    assert whole.returncode == 0, errors
    want = figures(tmp_path / "whole")
    moments = random.Random(0)
    kills = 0
    for place in (f"killed-{k}" for k in range(KILLS)):
        folders = ("--runs", place, "--output", place)
        driver = repro(*command, *folders)
        time.sleep(moments.uniform(0.1, 0.9) * took)
        os.killpg(driver.pid, signal.SIGKILL)
        driver.communicate()
        kills += driver.returncode == -signal.SIGKILL  # or it had ended
        _, errors = repro(*command, *folders).communicate(timeout=LIMIT)
        assert figures(tmp_path / place) == want, errors
    assert kills
    record_property("kills survived: sweep", kills)
    assert want == unbroken(environment, tmp_path, monkeypatch)


def test_ctrl_c_ends_a_sweep(repro, tmp_path, record_property):
    driver = repro("sweep", "toy.walk", *GRID)
    wait_until(lambda: "epoch 2 done" in logs(tmp_path), driver)
    driver.send_signal(signal.SIGINT)
    begun = time.monotonic()
    out, errors = driver.communicate(timeout=60)
    seconds = time.monotonic() - begun
    assert driver.returncode == 130, errors
    assert "Traceback" not in out + errors
    assert "Interrupted. The same command goes on where it stopped." in errors
    print(f"sweep: {seconds:.2f} s", file=sys.stderr)
    assert seconds < 2.0
    record_property("interrupts: sweep", 1)
