"""Disks that are full or read-only: said before or when it happens; what was finished stays."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from commands import TOYS, WALK, assert_no_half_file, ended, left_over, start
from readers import CORPUS

LARGEST = 2500  # bytes: `walk.json` of some hundred epochs is larger, so is `result.json`


def test_a_disk_that_fills_up_in_a_seed(tmp_path: Path, record_property: pytest.RecordProperty) -> None:
    run = (*WALK, "--seeds", "2", "--settings.epochs", "100")
    code, out, err = ended(start(*run, folder=tmp_path, largest=LARGEST))
    assert code == 1, err
    assert "toy.walk was stopped: files may not become so large" in err
    assert (
        "Finished seeds and checkpoints are kept. Make room or take another --runs; the same command" in err
    )
    assert "Traceback" not in out + err
    assert_no_half_file(tmp_path)
    assert not left_over(tmp_path)
    code, _, err = ended(start(*run, folder=tmp_path))
    assert code == 0, err
    record_property("full disks: in a seed", 1)


def test_a_disk_that_fills_up_after_the_seeds(tmp_path: Path, record_property: pytest.RecordProperty) -> None:
    run = (*WALK, "--seeds", "2", "--settings.epochs", "3")
    code, out, err = ended(start(*run, folder=tmp_path, largest=LARGEST))
    assert code == 1, err
    assert "result.json" in err
    assert "Traceback" not in out + err
    assert len(list(tmp_path.glob("runs/toy.walk/*/seed-*/outcome.json"))) == 2
    assert_no_half_file(tmp_path)
    assert not left_over(tmp_path)
    code, _, err = ended(start(*run, folder=tmp_path))
    assert code == 0, err
    (log,) = tmp_path.glob("runs/toy.walk/*/log.txt")
    assert "seed 0: finished before, not repeated" in log.read_text()
    assert log.read_text().count("seed 0: epoch 1 done") == 1
    record_property("full disks: after the seeds", 1)


@pytest.mark.parametrize("largest", [0, 100])
def test_a_disk_that_is_full_from_the_start(
    largest: int, tmp_path: Path, record_property: pytest.RecordProperty
) -> None:
    code, out, err = ended(start(*WALK, folder=tmp_path, largest=largest))
    assert code == 1, err
    assert "toy.walk was stopped: files may not become so large" in err
    assert "Traceback" not in out + err
    assert not list(tmp_path.glob("runs/toy.walk/2*"))  # no run without an identity
    record_property(f"full disks: from the start, {largest} bytes", 1)


def test_a_page_that_does_not_fit(tmp_path: Path, record_property: pytest.RecordProperty) -> None:
    shutil.copytree(CORPUS / "results", tmp_path / "runs")
    (tmp_path / "report.html").write_text("<html>the old page</html>")
    code, out, err = ended(start("report", folder=tmp_path, largest=LARGEST))
    assert code == 2, err
    assert "MB cannot be written: files may not become so large at report.html" in err
    assert "Traceback" not in out + err
    assert (tmp_path / "report.html").read_text() == "<html>the old page</html>"
    assert not left_over(tmp_path)
    record_property("full disks: the page", 1)


def mounted(script: str, options: str) -> subprocess.CompletedProcess[str]:
    """Runs a script with a small disk of its own at `disk`, in a namespace that ends with it."""
    if shutil.which("unshare") is None:
        pytest.skip("there is no `unshare` to mount a disk of its own")
    mount = f"mkdir disk && mount -t tmpfs -o {options} tmpfs disk || exit 77; {script}"
    found = subprocess.run(["unshare", "-rm", "sh", "-c", mount], capture_output=True, text=True, check=False)
    if found.returncode == 77 or "unshare" in found.stderr:
        pytest.skip(f"no disk of its own may be mounted here: {found.stderr.strip()}")
    return found


REPRO = f"{sys.executable} {TOYS} {' '.join(WALK)} --runs disk/runs"


def test_a_real_disk_that_is_full(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, record_property: pytest.RecordProperty
) -> None:
    monkeypatch.chdir(tmp_path)
    again = f"{REPRO} --settings.epochs 400"
    script = (
        f"head -c 60000 /dev/zero > disk/ballast; {again}; echo first $?; "
        f"find disk -name '*.tmp'; rm disk/ballast; mount -o remount,size=2m disk; "
        f"{again} >/dev/null; echo then $?"
    )
    found = mounted(script, "size=96k")
    assert "the disk is full at " in found.stderr, found.stderr
    assert "MB free)" in found.stderr
    assert "Traceback" not in found.stderr
    assert found.stdout.split() == ["first", "1", "then", "0"]
    record_property("full disks: a real one", 1)


def test_a_disk_that_is_read_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, record_property: pytest.RecordProperty
) -> None:
    monkeypatch.chdir(tmp_path)
    found = mounted(f"mount -o remount,ro disk; {REPRO}; echo $?; ls disk", "size=96k")
    assert "disk/runs cannot be written to (Read-only file system). Choose another." in found.stderr
    assert found.stdout.split() == ["2"]
    record_property("full disks: a read-only one", 1)


@pytest.mark.slow
def test_a_checkpoint_that_does_not_fit_leaves_the_last_one(tmp_path: Path) -> None:
    """Of the packages' trainings: in one process, whose files may not grow."""
    script = f"""
import json, resource, sys
sys.path.insert(0, {str(Path(__file__).parent)!r})
from pathlib import Path
import torch, jax.numpy as jnp
from make_corpus import fitting
from fuzzy_metaballs._fitting import silhouette
from implicit_seg.training import _checkpoint
from nurbs_diff.splinenet import _train

def save(size):
    state = {{"model": torch.zeros(size)}}
    yield lambda: _checkpoint.save(Path("segmentation"), {{}}, state)
    yield lambda: _train._save(Path("splinenet"), state)
    fit = fitting()
    fit.losses = [0.0] * size
    yield lambda: silhouette._save(Path("fit.npz"), "s", fit)

for write in save(1):
    write()
whole = {{path.name: path.read_bytes() for path in Path().iterdir()}}
resource.setrlimit(resource.RLIMIT_FSIZE, (8000, 8000))
refused = 0
for write in save(10000):
    try:
        write()
    except OSError:
        refused += 1
assert {{path.name: path.read_bytes() for path in Path().iterdir()}} == whole
print(refused)
"""
    found = subprocess.run(
        [sys.executable, "-c", script],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
        env=os.environ,
    )
    assert found.stdout.split() == ["3"], found.stderr
