"""Exact methods against all partitions, counted out, and against the rule for ties in rational arithmetic."""

from __future__ import annotations

from fractions import Fraction
from functools import cache
from itertools import combinations, pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from kspline_core import fit

EPS = np.finfo(float).eps


def segment_cost(y, w, start, stop, degree):
    """Least squares by numpy's SVD, centred, on the samples of positive weight."""
    j = np.flatnonzero(w[start:stop] > 0)
    if j.size <= degree + 1:
        return 0.0
    root = np.sqrt(w[start:stop][j])
    z = y[start:stop][j] - y[start:stop][j].mean()
    x = (j - j.mean()) / j.size
    a = np.vander(x, degree + 1) * root[:, None]
    residual = root * z - a @ np.linalg.lstsq(a, root * z, rcond=None)[0]
    return float(residual @ residual)


def partitions(n, pieces, w, min_size):
    counts = np.concatenate([[0], np.cumsum(w > 0)])
    for inner in combinations(range(1, n), pieces - 1):
        ends = (0, *inner, n)
        if all(counts[b] - counts[a] >= min_size for a, b in pairwise(ends)):
            yield ends


def brute_force(y, w, pieces, degree, min_size):
    n = len(y)
    cost = {(a, b): segment_cost(y, w, a, b, degree) for a in range(n) for b in range(a + 1, n + 1)}
    return min(sum(cost[pair] for pair in pairwise(ends)) for ends in partitions(n, pieces, w, min_size))


def exact_methods(degree, min_size=1):
    return ["dense", "lagrangian"] + ["functional"] * (degree == 0 and min_size == 1)


def check_against_brute_force(y, w, pieces, degree, min_size):
    weights = np.ones(len(y)) if w is None else w
    want = brute_force(y, weights, pieces, degree, min_size)
    allowed = set(partitions(len(y), pieces, weights, min_size))
    # both sides round: the sums relatively, an exact fit by a few eps of the range per sample
    slack = 1e-10 * want + len(y) * weights.max() * (64 * EPS * np.ptp(y)) ** 2
    for method in exact_methods(degree, min_size):
        spline = fit(y, pieces, degree, weights=w, min_size=min_size, method=method)
        ends = tuple(spline.breakpoints.tolist())
        assert ends in allowed, method
        assert abs(spline.cost - want) <= slack, method
        own = sum(segment_cost(y, weights, a, b, degree) for a, b in pairwise(ends))
        assert abs(spline.cost - own) <= slack, method
        assert spline.certificate is None


signals = st.integers(1, 14).flatmap(
    lambda n: st.one_of(
        hnp.arrays(np.float64, n, elements=st.floats(-1e3, 1e3, width=32)),
        hnp.arrays(np.float64, n, elements=st.integers(-3, 3)),
    )
)


@settings(max_examples=150, deadline=None)
@given(st.data(), signals, st.integers(0, 3))
def test_cost_is_that_of_the_best_partition(data, y, degree):
    min_size = data.draw(st.integers(1, min(4, len(y))))
    pieces = data.draw(st.integers(1, len(y) // min_size))
    check_against_brute_force(y, None, pieces, degree, min_size)


@settings(max_examples=150, deadline=None)
@given(st.data(), signals, st.integers(0, 3))
def test_weighted_cost_is_that_of_the_best_partition(data, y, degree):
    elements = st.one_of(st.just(0.0), st.floats(0.1, 10.0))
    w = data.draw(hnp.arrays(np.float64, len(y), elements=elements).filter(lambda w: (w > 0).any()))
    min_size = data.draw(st.integers(1, min(3, np.count_nonzero(w))))
    pieces = data.draw(st.integers(1, np.count_nonzero(w) // min_size))
    check_against_brute_force(y, w, pieces, degree, min_size)


@pytest.mark.parametrize("degree", range(4))
@pytest.mark.parametrize("n", [1, 2, 7, 14])
def test_every_number_of_pieces(rng, n, degree):
    y = rng.standard_normal(n)
    costs = []
    for pieces in range(1, n + 1):
        check_against_brute_force(y, None, pieces, degree, 1)
        costs.append(float(fit(y, pieces, degree).cost))
    assert np.all(np.diff(costs) <= 1e-12 * costs[0])  # a further piece never costs more
    assert costs[-1] <= n * (8 * EPS * np.abs(y).max()) ** 2  # n pieces: each sample its own


def exact_segment_cost(y, degree):
    """Sum of squared residuals in rational arithmetic."""
    total = Fraction(sum(int(v) ** 2 for v in y))
    for p, square in orthogonal_powers(len(y), degree):
        total -= sum(int(a) * b for a, b in zip(y, p, strict=True)) ** 2 / square
    return total


@cache
def orthogonal_powers(n, degree):
    """Gram-Schmidt on the powers of the index: the polynomials and their squared lengths."""
    basis = []
    for power in range(min(degree + 1, n)):
        p = [Fraction(j) ** power for j in range(n)]
        for q, square in basis:
            c = sum(a * b for a, b in zip(p, q, strict=True)) / square
            p = [a - c * b for a, b in zip(p, q, strict=True)]
        basis.append((p, sum(a * a for a in p)))
    return basis


@settings(max_examples=150, deadline=None)
@given(st.data(), st.lists(st.integers(0, 3), min_size=2, max_size=8), st.integers(0, 3))
def test_among_ties_the_leftmost_breakpoints_win(data, y, degree):
    n = len(y)
    pieces = data.draw(st.integers(1, n))
    cost = {(a, b): exact_segment_cost(y[a:b], degree) for a in range(n) for b in range(a + 1, n + 1)}

    def key(ends):
        total = sum(cost[pair] for pair in pairwise(ends))
        return total, ends[::-1]  # then the last breakpoint leftmost, then the one before it, ...

    want = min(partitions(n, pieces, np.ones(n), 1), key=key)
    for method in ("dense", *["functional"] * (degree == 0)):  # "lagrangian" may return another
        for weights in (None, np.full(n, 3.0)):
            assert tuple(fit(y, pieces, degree, weights=weights, method=method).breakpoints.tolist()) == want


def test_missing_samples_are_not_read_and_are_predicted(rng):
    y = np.concatenate([np.arange(10.0), np.full(10, 20.0)])
    missing = np.array([3, 9, 15])
    w = np.ones(20)
    w[missing] = 0
    holes = y.copy()
    holes[missing] = np.nan
    spline = fit(holes, 2, 1, weights=w)
    # the breakpoint stands right after the last sample that was seen
    np.testing.assert_array_equal(spline.breakpoints, [0, 9, 20])
    assert spline.values[9] == pytest.approx(20.0, abs=32 * EPS * 20)
    np.testing.assert_allclose(np.delete(spline.values, 9), np.delete(y, 9), rtol=0, atol=64 * EPS * 20)


def test_whole_weights_equal_repeated_samples(rng):
    """A weight of 2 is the same as seeing the sample twice, in the cost of a constant piece."""
    y = rng.standard_normal(15)
    w = rng.integers(1, 4, 15)
    spline = fit(y, 3, 0, weights=w)
    repeated = fit(np.repeat(y, w), 3, 0)
    assert spline.cost == pytest.approx(float(repeated.cost), rel=1e-13)
    np.testing.assert_array_equal(np.cumsum(np.r_[0, w])[spline.breakpoints], repeated.breakpoints)
