from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

pytestmark = pytest.mark.usefixtures("toys")
TOYS = Path(__file__).with_name("toys.py")
RUN = ("run", "toy.walk", "--seeds", "2", "--device", "cpu", "--settings.pause", "0.2", "--settings.no-draws")


def start(*arguments: str) -> subprocess.Popen[str]:
    command = [sys.executable, str(TOYS), *arguments]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def wait_for(text: str, process: subprocess.Popen[str]) -> Path:
    """Waits until a run's log holds a text; returns the folder of the run."""
    limit = time.monotonic() + 60
    while time.monotonic() < limit and process.poll() is None:
        for log in Path("runs").glob("*/*/log.txt"):
            if text in log.read_text():
                return log.parent
        time.sleep(0.02)
    process.kill()
    raise AssertionError(f"{text!r} never came: {process.communicate()}")


def test_after_a_kill_nothing_finished_is_repeated_and_the_result_is_the_same():
    process = start(*RUN)
    folder = wait_for("seed 1: epoch 2 done", process)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert process.returncode == -signal.SIGKILL
    assert not (folder / "result.json").exists()

    resumed = start(*RUN)
    _, err = resumed.communicate(timeout=60)
    assert resumed.returncode == 0, err
    log = (folder / "log.txt").read_text()
    for epoch in (1, 2, 3, 4):
        assert log.count(f"seed 0: epoch {epoch} done") == 1
        assert log.count(f"seed 1: epoch {epoch} done") == 1
    assert "resumed: toy.walk" in log
    assert "seed 0: finished before, not repeated" in log
    assert "seed 1: resumed" in log

    unbroken = start(*RUN, "--runs", "unbroken")
    assert unbroken.wait(timeout=60) == 0
    unbroken.communicate()
    (other,) = Path("unbroken").glob("toy.walk/*/result.json")
    one, two = (json.loads(path.read_text()) for path in (folder / "result.json", other))
    assert one["figures"] == two["figures"]
    assert one["sha256"] == two["sha256"]
    assert [seed["resumed"] for seed in one["seeds"]] == [False, True]


def test_a_second_process_keeps_out_of_a_run_and_an_interrupt_ends_the_first():
    process = start(*RUN)
    folder = wait_for("epoch 1 done", process)
    second = start(*RUN)
    _, err = second.communicate(timeout=60)
    assert second.returncode == 2
    assert f"Another process is at work in {folder}" in err
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=20)
    assert process.returncode == 130
    assert "The same command goes on where it stopped" in err
    assert "Traceback" not in err
    assert sorted(path.name for path in Path("runs/toy.walk").iterdir()) == [".lock", folder.name]
