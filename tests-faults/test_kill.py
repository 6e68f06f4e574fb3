"""kill -9 at random moments of every long command: no half file, nothing done twice, the same end.

`FAULTS_KILLS` sets the number of kills of all tests together; 6 unless told, and the nox session `faults`
asks for more. Each command gets its share; those whose share is no whole kill are skipped.
"""

from __future__ import annotations

import json
import os
import random
import shutil
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from commands import WALK, assert_no_half_file, ended, kill, left_over, start
from readers import CORPUS

pytestmark = pytest.mark.slow  # of repro, CI tests one kill and one run at once with another
KILLS = int(os.environ.get("FAULTS_KILLS", "6"))
HERE = Path(__file__).parent


def kills_of(share: float) -> int:
    count = round(KILLS * share)
    if not count:
        pytest.skip(f"its share of {KILLS} kills is none; the nox session `faults` has more")
    return count


def survive(
    begin: Callable[[Path], subprocess.Popen[str]],
    outcome: Callable[[Path], Any],
    folder: Path,
    kills: int,
    code: int = 0,
) -> list[Path]:
    """Kills a command so often, then lets it end; the outcome must be that of a run that nobody killed.

    The moments are drawn evenly over the time that the unbroken run took. Where the command has ended before,
    the next kills are of a new run in another folder. Returns the folders.
    """
    rng = random.Random(f"{folder.name} {kills}")
    whole = folder / "unbroken"
    whole.mkdir(parents=True)
    begun = time.monotonic()
    got, out, err = ended(begin(whole), 300)
    assert got == code, out + err
    took = time.monotonic() - begun
    want = outcome(whole)
    places: list[Path] = []
    done = 0
    while done < kills or not places:
        place = folder / f"killed-{len(places)}"
        place.mkdir()
        places.append(place)
        while done < kills:
            process = begin(place)
            time.sleep(rng.uniform(0, took))
            if not kill(process):
                break  # it was finished
            done += 1
            assert_no_half_file(place)
        got, out, err = ended(begin(place), 300)
        assert got == code, out + err
        assert outcome(place) == want
        assert_no_half_file(place)
        assert not left_over(place)
    return places


def figures(folder: Path) -> dict[str, Any]:
    """Of all experiments, with the identities of their runs; times are measured, so they differ."""
    found = {}
    for path in folder.glob("runs/*/2*/result.json"):
        result = json.loads(path.read_text())
        measured = [figure for figure in result["figures"] if figure["unit"] not in ("s", "ms", "min")]
        found[path.parts[-3]] = result["sha256"], measured
    assert found
    return found


def logs(folder: Path) -> list[str]:
    return [path.read_text() for path in folder.glob("runs/*/2*/log.txt")]


def test_run(tmp_path: Path, record_property: pytest.RecordProperty) -> None:
    run = (*WALK, "--seeds", "3", "--settings.epochs", "8", "--settings.pause", "0.05")
    kills = kills_of(0.27)
    for place in survive(lambda folder: start(*run, folder=folder), figures, tmp_path / "run", kills):
        (log,) = logs(place)
        for seed in range(3):
            # of an epoch whose checkpoint is written but whose line is not, the line never comes
            assert all(log.count(f"seed {seed}: epoch {epoch} done") <= 1 for epoch in range(1, 9))
            assert log.count(f"seed {seed}: finished in") <= 1
    record_property("kills survived: run", kills)


def test_fetch(tmp_path: Path, record_property: pytest.RecordProperty) -> None:
    from serving import PROGRAM, serving

    def outcome(folder: Path) -> dict[str, bytes]:
        place = folder / "data" / "toy"
        return {path.name: path.read_bytes() for path in place.rglob("*") if path.is_file()}

    def begin(folder: Path) -> subprocess.Popen[str]:
        shutil.copy(tmp_path / "served.json", folder)
        return start("data", "fetch", "toy", folder=folder, program=PROGRAM)

    kills = kills_of(0.2)
    with serving(tmp_path, pause=0.02) as asked:
        survive(begin, outcome, tmp_path / "fetch", kills)
    if kills > 5:
        assert any(asked), "no download was continued"
    record_property("kills survived: data fetch", kills)


def test_report(tmp_path: Path, record_property: pytest.RecordProperty) -> None:
    def begin(folder: Path) -> subprocess.Popen[str]:
        if not (folder / "runs").exists():
            shutil.copytree(CORPUS / "results", folder / "runs")
            (folder / "report.html").write_text("<html>the old page</html>")
        return start("report", folder=folder)

    def outcome(folder: Path) -> int:
        return (folder / "report.html").read_text().count("data:image/webp")

    kills = kills_of(0.12)
    survive(begin, outcome, tmp_path / "report", kills)
    record_property("kills survived: report", kills)


def test_demo(tmp_path: Path, record_property: pytest.RecordProperty) -> None:
    kills = kills_of(0.08)
    program = HERE / "few_toys.py"
    survive(lambda folder: start("demo", folder=folder, program=program), figures, tmp_path / "demo", kills)
    record_property("kills survived: demo", kills)


@pytest.mark.parametrize("name", ["segmentation", "splinenet", "silhouette"])
def test_training(name: str, tmp_path: Path, record_property: pytest.RecordProperty) -> None:
    """The weights are the same to the last bit."""
    kills = kills_of(0.06)
    survive(
        lambda folder: start(name, folder=folder, program=HERE / "training.py"),
        lambda folder: (folder / "learned.txt").read_text(),
        tmp_path / name,
        kills,
    )
    record_property(f"kills survived: training, {name}", kills)


@pytest.mark.parametrize(
    "name", ["dsa.figure3", "implicit_splines.coins", "pde_priors.livecell", "metaballs.gmm"]
)
def test_experiment(name: str, tmp_path: Path, record_property: pytest.RecordProperty) -> None:
    """An experiment of each paper at its smallest preset."""
    kills = kills_of(0.035)
    program = shutil.which("repro") or pytest.skip("the command `repro` is not on the path")
    options = ("--preset", "smoke", "--device", "cpu", "--seeds", "1")
    survive(
        lambda folder: start("run", name, *options, folder=folder, program=program),
        figures,
        tmp_path / name,
        kills,
    )
    record_property(f"kills survived: {name}", kills)
