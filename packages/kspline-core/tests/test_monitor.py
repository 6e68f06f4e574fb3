"""Long runs: progress is told, and Ctrl-C or an exception in the callback ends them."""

from __future__ import annotations

import threading
import time
from itertools import pairwise

import numpy as np
import pytest

from kspline_core import fit

LONG = {"pieces": 40, "degree": 3}  # on one signal of 60,000 samples: well over 5 seconds on any machine


@pytest.fixture
def long_signal(rng):
    return rng.standard_normal(60_000)


def test_progress_rises_from_the_calling_thread(rng):
    seen = []
    fit(rng.standard_normal(20_000), 20, 3, progress=lambda done: seen.append((done, threading.get_ident())))
    fractions = [done for done, _ in seen]
    assert fractions[-1] == 1.0
    assert len(fractions) > 1
    assert all(0 <= a <= b <= 1 for a, b in pairwise(fractions))
    assert {thread for _, thread in seen} == {threading.get_ident()}


@pytest.mark.parametrize("threads", [1, 3])
def test_an_exception_in_the_callback_ends_the_fit(long_signal, threads):
    def refuse(done):
        raise LookupError(f"enough at {done:.0%}")

    start = time.monotonic()
    with pytest.raises(LookupError, match=r"enough at \d%"):
        fit(np.stack([long_signal] * 3), **LONG, threads=threads, progress=refuse)
    assert time.monotonic() - start < 1


@pytest.mark.parametrize("threads", [1, 3])
def test_ctrl_c_ends_the_fit_within_a_second(interrupted, long_signal, threads):
    with pytest.raises(KeyboardInterrupt):
        fit(np.stack([long_signal] * 3), **LONG, threads=threads)
    assert time.monotonic() - interrupted[0] < 1


def test_the_calling_thread_waits_with_its_ears_open(long_signal):
    """Its own signal is done at once, another takes long: it must still hear the callback."""
    short = np.zeros_like(long_signal)
    weights = np.ones((2, short.size))
    weights[0, 100:] = 0  # few samples to see: no work

    def refuse(done):
        raise LookupError

    with pytest.raises(LookupError):
        fit(np.stack([short, long_signal]), **LONG, weights=weights, threads=2, progress=refuse)


def test_progress_must_be_callable(unchecked):
    with pytest.raises(TypeError, match="`progress` must be callable or None; got 3 of type int"):
        unchecked.fit([1.0, 2.0], 1, progress=3)
