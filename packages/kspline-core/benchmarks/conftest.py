"""The signals of all benchmarks. `KSPLINE_BENCH_LARGE=1` adds the long ones, which take minutes."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

#: steps in noise, noise alone and a random walk are what the solvers were tuned on; the others are not
KINDS = ("steps", "noise", "walk", "heavy tails", "sinusoid and jumps", "recording")


def pytest_generate_tests(metafunc):
    marks = [mark for mark in metafunc.definition.iter_markers("parametrize") if "kind" in mark.args[0]]
    if "kind" in metafunc.fixturenames and not marks:
        metafunc.parametrize("kind", KINDS)


@pytest.fixture(scope="session")
def large():
    """Skips the test unless long signals are wanted."""
    if os.environ.get("KSPLINE_BENCH_LARGE") != "1":
        pytest.skip("KSPLINE_BENCH_LARGE=1 is not set")


@pytest.fixture(scope="session")
def make_signal():
    def make(kind, n, pieces, seed=0):
        rng = np.random.default_rng(seed)
        levels = np.repeat(rng.standard_normal(pieces) * 3, -(-n // pieces))[:n]
        noise = rng.standard_normal(n)
        if kind == "recording":
            return recording(n)
        return {
            "steps": levels + noise,
            "noise": noise,
            "walk": noise.cumsum(),
            "heavy tails": levels + rng.standard_t(2, n),
            "sinusoid and jumps": 3 * np.sin(np.arange(n) * 30 / n) + levels + noise,
        }[kind]

    return make


def recording(n):
    """Lines of fluorescence micrographs, one after the other."""
    folder = os.environ.get("REPRO_DATA")
    path = Path(folder or ".") / "images" / "dsb2018_nuclei_520x696.npz"
    if folder is None or not path.is_file():
        pytest.skip("REPRO_DATA names no folder with images/dsb2018_nuclei_520x696.npz")
    with np.load(path) as archive:
        return archive["image"].ravel()[:n].astype(np.float64)
