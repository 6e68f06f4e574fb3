"""pytest's fixtures for the tests of apps: the runs of their smallest presets, made once for all tests."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable


@dataclass(frozen=True)
class SmokeRun:
    """What the smoke preset of an experiment left behind.

    Attributes:
        folder: of the run.
        values: by the key of the figure. That every figure has one, which is finite, is the runner's rule.
        pictures: captions by name. Every one has been drawn in both schemes.
        lines: what the experiment logged.
    """

    folder: Path
    values: dict[str, float]
    pictures: dict[str, str]
    lines: list[str]


@pytest.fixture(scope="session")
def smoke_run(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], SmokeRun]:
    """Returns a function from an experiment's name to the run of its smoke preset.

    It is read from the folder that the variable SMOKE_RUNS names, where nox's session `papers` leaves its
    runs. Without the variable the experiment is run when it is first asked for.
    """
    given = os.environ.get("SMOKE_RUNS")
    runs = Path(given) if given is not None else tmp_path_factory.mktemp("smoke-runs")
    known: dict[str, SmokeRun] = {}

    def find(name: str) -> SmokeRun:
        if name not in known:
            if given is None:
                from repro import cli  # not before: every run of pytest loads this module

                assert cli.main(["run", name, "--device", "cpu", "--runs", str(runs)]) == 0
            (path,) = runs.glob(f"{name}/*/result.json")
            known[name] = _read(path.parent)
        return known[name]

    return find


def _read(folder: Path) -> SmokeRun:
    from repro import result

    found = result.read(folder)
    first, last = "seed 0: ", ("started", "resumed", "finished")
    lines = [
        line.partition("  ")[2] for line in (folder / "log.txt").read_text(encoding="utf-8").splitlines()
    ]
    told = [line.removeprefix(first) for line in lines if line.startswith(first)]
    return SmokeRun(
        folder,
        found.seeds[0].values,
        {picture.name: picture.caption for picture in found.pictures},
        [line for line in told if not line.startswith(last)],
    )
