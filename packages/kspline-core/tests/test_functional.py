"""Functional pruning against the dense programme; `test_exact.py` has it against all partitions."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kspline_core import fit, fit_penalized
from kspline_core._method import DENSE_OVER_FUNCTIONAL_UP_TO, DENSE_UP_TO, choose
from kspline_core._native import core

EPS = np.finfo(float).eps
KINDS = ("constants", "noise", "walk", "tails", "sinusoid", "integers", "equal")


def make_signal(kind, n, rng):
    levels = np.repeat(rng.standard_normal(12) * 3, -(-n // 12))[:n]
    noise = rng.standard_normal(n)
    return {
        "constants": levels + noise,
        "noise": noise,
        "walk": noise.cumsum(),
        "tails": levels + rng.standard_t(1.5, n),
        "sinusoid": 4 * np.sin(np.arange(n) * 20 / n) + levels + noise,
        "integers": np.round(noise * 1.5),
        "equal": np.full(n, 0.1),
    }[kind]


def check_against_dense(y, pieces, weights=None):
    dense = fit(y, pieces, weights=weights, method="dense")
    found = fit(y, pieces, weights=weights, method="functional")
    scale = 1.0 if weights is None else weights.max()
    # K levels may each leave 1e-13 of the cost, or the square of 32 eps of the range for each sample
    slack = pieces * 1e-13 * dense.cost + pieces * len(y) * scale * (32 * EPS * np.ptp(y)) ** 2
    assert abs(found.cost - dense.cost) <= slack
    assert found.pieces == pieces
    return found, dense


@settings(max_examples=80, deadline=None)
@given(st.sampled_from(KINDS), st.integers(2, 700), st.integers(0, 2**32 - 1), st.data())
def test_equals_dense(kind, n, seed, data):
    rng = np.random.default_rng(seed)
    y = make_signal(kind, n, rng)
    pieces = data.draw(st.integers(1, min(n, 60)))
    found, dense = check_against_dense(y, pieces)
    if kind not in ("integers", "equal"):  # the optimum is unique
        np.testing.assert_array_equal(found.breakpoints, dense.breakpoints)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("weighted", [False, True])
def test_equals_dense_where_breakpoints_are_ruled_out_first(rng, kind, weighted):
    y = make_signal(kind, 2000, rng)
    w = rng.uniform(0.5, 2, 2000) * (rng.random(2000) < 0.9) if weighted else None
    for pieces in (8, 25):
        check_against_dense(y, pieces, w)


@pytest.mark.parametrize("kind", ["noise", "walk", "tails"])
def test_where_penalties_are_tuned_on_steps(rng, kind):
    """From 16384 samples on by steps of 8, from 131072 on by steps of 64 first.

    A penalised fit is the best of its number of pieces, and knows nothing of either.
    """
    short, long = make_signal(kind, 17_000, rng), make_signal(kind, 135_000, rng)
    check_against_dense(short, 8)
    penalties = np.geomspace(np.ptp(long) ** 2 * long.size, 1, 80)
    want = next(s for s in (fit_penalized(long, p) for p in penalties) if s.pieces > 7)
    found = fit(long, want.pieces, method="functional")
    np.testing.assert_array_equal(found.breakpoints, want.breakpoints)


@pytest.mark.parametrize("offset", [1e9, -1e12, 1e12])
@pytest.mark.parametrize("kind", ["constants", "walk"])
def test_an_offset_changes_nothing(rng, offset, kind):
    y = np.round(make_signal(kind, 3000, rng) * 64) / 64  # so coarse that the offset rounds nothing
    near, far = fit(y, 20, method="functional"), fit(y + offset, 20, method="functional")
    np.testing.assert_array_equal(far.breakpoints, near.breakpoints)
    assert far.cost == near.cost


def test_a_jump_of_1e12_leaves_the_noise_on_both_sides_visible(rng):
    left, right = (np.round(make_signal("constants", 400, rng) * 64) / 64 for _ in range(2))
    y = np.concatenate([left, right + 1e12])
    check_against_dense(y, 10)


@pytest.mark.parametrize("exponent", [-1060, -500, 500, 1000])
def test_a_power_of_two_changes_nothing(rng, exponent):
    y = np.round(rng.standard_normal(800) * 64)
    plain = fit(y, 12, method="functional")
    scaled = fit(np.ldexp(y, exponent), 12, method="functional")
    np.testing.assert_array_equal(scaled.breakpoints, plain.breakpoints)


def test_float32(rng):
    y = make_signal("constants", 1500, rng).astype(np.float32)
    spline = fit(y, 12, method="functional")
    assert spline.values.dtype == np.float32
    np.testing.assert_array_equal(
        spline.breakpoints, fit(y.astype(np.float64), 12, method="dense").breakpoints
    )


@pytest.mark.parametrize("name", core.instruction_sets())
@pytest.mark.parametrize("kind", ["constants", "walk", "tails"])
def test_instruction_sets_give_the_same_bits(rng, name, kind):
    rows = make_signal(kind, 4000, rng)[None, None]
    got = core.fit(rows, None, 15, 0, 1, 1, name, method="functional")
    want = core.fit(rows, None, 15, 0, 1, 1, "baseline", method="functional")
    for a, b in zip(got, want, strict=True):
        np.testing.assert_array_equal(a, b)


def test_auto_takes_functional_pruning_for_long_signals_of_degree_0(rng):
    y = make_signal("constants", 5000, rng)
    np.testing.assert_array_equal(fit(y, 9).breakpoints, fit(y, 9, method="functional").breakpoints)


def test_a_batch_is_its_signals(rng):
    y = np.stack([make_signal(kind, 700, rng) for kind in KINDS])
    spline = fit(y, 9, method="functional", threads=2)
    for i, row in enumerate(y):
        np.testing.assert_array_equal(spline.breakpoints[i], fit(row, 9, method="functional").breakpoints)


def test_in_pieces_of_memory(rng):
    """Past 8 million argmins, here four levels of 2.2 million, the levels are solved in halves."""
    ends = np.array([0, 300_000, 700_000, 1_000_001, 1_500_000, 2_000_000, 2_200_000])
    y = np.repeat([0.0, 1.0, 3.0, 2.0, -1.0, 0.0], np.diff(ends))
    y += rng.uniform(-0.2, 0.2, y.size)  # less than half a step: each sample shows its level
    np.testing.assert_array_equal(fit(y, 6, method="functional").breakpoints, ends)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"degree": 1}, "method='functional' works for degree 0 only; got degree 1"),
        ({"min_size": 2}, "`min_size` forbids some; got min_size 2. Use method='dense'"),
        ({"fixed": [3]}, "method='functional' knows neither `fixed` nor `forbidden`"),
        ({"forbidden": [3]}, "method='functional' knows neither `fixed` nor `forbidden`"),
        ({"channels": True}, "method='functional' fits signals of one channel"),
    ],
)
def test_what_it_refuses_auto_gives_to_another_method(rng, options, message):
    y = rng.standard_normal((2, 9)) if "channels" in options else rng.standard_normal(9)
    with pytest.raises(ValueError, match=message):
        fit(y, 2, method="functional", **options)
    n = DENSE_UP_TO[0] + 1
    found = choose(
        "auto",
        n,
        options.get("degree", 0),
        min_size=options.get("min_size", 1),
        channels="channels" in options,
        marked="fixed" in options or "forbidden" in options,
    )
    assert found != "functional"
    plain = {"min_size": 1, "channels": False, "marked": False}
    assert choose("auto", DENSE_OVER_FUNCTIONAL_UP_TO, 0, **plain) == "dense"
    assert choose("auto", DENSE_OVER_FUNCTIONAL_UP_TO + 1, 0, **plain) == "functional"


def test_abscissae_do_not_matter_for_constants(rng):
    y, x = make_signal("constants", 1500, rng), rng.uniform(0.1, 1, 1500).cumsum()
    spline = fit(y, 12, x=x, method="functional")
    np.testing.assert_array_equal(spline.breakpoints, fit(y, 12).breakpoints)
    np.testing.assert_array_equal(spline.x, x)


def test_progress_reaches_the_end_and_can_stop_it(rng):
    y = rng.standard_normal(400_000).cumsum()
    seen = []
    fit(y, 20, method="functional", progress=seen.append)
    assert seen == sorted(seen)
    assert seen[-1] == 1

    def stop(fraction):
        raise InterruptedError

    with pytest.raises(InterruptedError):
        fit(y, 20, method="functional", progress=stop)
