"""Two processes in one folder: one works, the other says so, nothing is lost."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest
from commands import WALK, assert_no_half_file, ended, kill, left_over, logged, start, until

pytestmark = pytest.mark.slow  # of repro, CI tests two runs at once
RUN = (*WALK, "--seeds", "2", "--settings.epochs", "20", "--settings.pause", "0.1")


def both(*arguments: str, folder: Path, program: Path | None = None) -> list[tuple[int, str, str]]:
    options = {} if program is None else {"program": program}
    processes = [start(*arguments, folder=folder, **options) for _ in range(2)]
    return sorted(ended(process) for process in processes)


def test_two_of_the_same_run_started_at_once(tmp_path: Path) -> None:
    (worked, _, _), (refused, _, err) = both(*RUN, folder=tmp_path)
    assert (worked, refused) == (0, 2)
    assert "Another process is at work in " in err
    assert "Wait for it, or start anew with --fresh." in err
    (path,) = tmp_path.glob("runs/toy.walk/*/result.json")
    assert len(json.loads(path.read_text())["seeds"]) == 2
    log = (path.parent / "log.txt").read_text()
    assert all(
        log.count(f"seed {seed}: epoch {epoch} done") == 1 for seed in (0, 1) for epoch in range(1, 21)
    )
    assert_no_half_file(tmp_path)
    assert not left_over(tmp_path)


def test_two_fetches_of_one_set_started_at_once(tmp_path: Path) -> None:
    from serving import PROGRAM, serving

    with serving(tmp_path, pause=0.02):
        (worked, out, _), (refused, _, err) = both("data", "fetch", "toy", folder=tmp_path, program=PROGRAM)
    assert (worked, refused) == (0, 2)
    assert "Another process is at work in " in err
    assert "images/b.bin" not in err
    assert sorted(path.name for path in (tmp_path / "data" / "toy").rglob("*.bin")) == ["a.bin", "b.bin"]
    assert not left_over(tmp_path)
    assert "2 files" in out


def test_the_lock_of_a_killed_process_is_none(tmp_path: Path) -> None:
    process = start(*RUN, folder=tmp_path)
    until(logged(tmp_path, "seed 0: epoch 2 done"), process)
    assert kill(process)
    assert list(tmp_path.glob("runs/*/*/.lock"))
    code, _, err = ended(start(*RUN, folder=tmp_path))
    assert code == 0, err


@pytest.mark.parametrize("temporary", [".walk.json.99999.tmp"])
def test_what_a_kill_left_is_cleaned_up(temporary: str, tmp_path: Path) -> None:
    process: subprocess.Popen[str] = start(*RUN, folder=tmp_path)
    until(logged(tmp_path, "seed 0: epoch 2 done"), process)
    kill(process)
    (seed,) = tmp_path.glob("runs/*/*/seed-0")
    (seed / temporary).write_text("[0.9, ")
    code, _, err = ended(start(*RUN, folder=tmp_path))
    assert code == 0, err
    assert not left_over(tmp_path)
