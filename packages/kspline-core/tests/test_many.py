"""Signals of different lengths."""

from __future__ import annotations

import time

import numpy as np
import pytest

from kspline_core import fit, fit_many


@pytest.fixture
def signals(rng):
    return [rng.standard_normal(n).cumsum() for n in (30, 1, 200, 17, 64, 65)]


@pytest.mark.parametrize("threads", [None, 1, 4])
def test_each_is_what_fit_returns_alone(signals, threads):
    pieces = [3, 1, 9, 2, 5, 5]
    weights = [np.linspace(0.5, 1, y.size) for y in signals]
    x = [None if i == 1 else np.sqrt(np.arange(y.size)) for i, y in enumerate(signals)]
    fixed = [[5], None, [100, 120], None, None, [7]]
    got = fit_many(signals, pieces, 2, threads=threads, weights=weights, x=x, fixed=fixed, min_size=1)
    for i, (y, k) in enumerate(zip(signals, pieces, strict=True)):
        want = fit(y, k, 2, weights=weights[i], x=x[i], fixed=fixed[i])
        np.testing.assert_array_equal(got[i].values, want.values)
        np.testing.assert_array_equal(got[i].breakpoints, want.breakpoints)


def test_one_number_of_pieces_for_all(signals):
    got = fit_many([signals[0], signals[2]], 4, min_size=3)
    assert [s.pieces for s in got] == [4, 4]
    assert fit_many([], 4) == []
    ragged = fit_many([np.zeros((2, 9)), np.zeros((2, 4))], 2, channels=True)
    assert [s.values.shape for s in ragged] == [(2, 9), (2, 4)]


def test_progress(signals):
    seen = []
    fit_many(signals, 1, progress=seen.append)
    assert seen[-1] == 1.0
    assert seen == sorted(seen)


@pytest.mark.parametrize("threads", [1, 3])
def test_ctrl_c_ends_all(interrupted, rng, threads):
    with pytest.raises(KeyboardInterrupt):
        fit_many([rng.standard_normal(60_000 + i) for i in range(4)], 40, 3, threads=threads)
    assert time.monotonic() - interrupted[0] < 1.5  # the fits' threads end within a second, then the pool


def test_messages(unchecked, signals):
    with pytest.raises(ValueError, match=r"signals\[1\]: `pieces` is too large"):
        unchecked.fit_many(signals, 2)
    with pytest.raises(TypeError, match=r"signals\[0\]: `y` must hold float32, float64 or integers"):
        unchecked.fit_many([np.array(["a"])], 1)
    with pytest.raises(
        ValueError, match="`weights` must hold one entry for each of the 6 signals; got 1 entries"
    ):
        unchecked.fit_many(signals, 1, weights=[None])
    with pytest.raises(
        ValueError, match="`pieces` must hold one entry for each of the 6 signals; got 2 entries"
    ):
        unchecked.fit_many(signals, [1, 2])
    with pytest.raises(TypeError, match="`x` must hold one entry for each signal; got a float"):
        unchecked.fit_many(signals, 1, x=1.0)
    with pytest.raises(TypeError, match="`fit_many` has no option `weight`; it has x, weights, "):
        unchecked.fit_many(signals, 1, weight=None)
