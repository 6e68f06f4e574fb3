"""All numbers of pieces at once, penalised fits, and the choice among them."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import ruptures
from hypothesis import given, settings
from hypothesis import strategies as st

from kspline_core import fit, fit_path, fit_penalized, penalty_path, select

EPS = np.finfo(float).eps


def steps(rng, n=400, pieces=8, noise=1.0):
    return np.repeat(rng.permutation(pieces) * 4.0, n // pieces) + noise * rng.standard_normal(n)


@pytest.mark.parametrize("method", ["dense", "functional"])
@pytest.mark.parametrize("weighted", [False, True])
def test_a_path_holds_every_fit(rng, method, weighted):
    y = steps(rng)
    w = rng.uniform(0, 2, y.size) * (rng.random(y.size) < 0.8) if weighted else None
    path = fit_path(y, 20, weights=w, method=method)
    assert len(path) == path.max_pieces == 20
    for k, spline in enumerate(path, start=1):
        want = fit(y, k, weights=w, method="dense")
        np.testing.assert_array_equal(spline.breakpoints, want.breakpoints)
        np.testing.assert_array_equal(spline.values, want.values)
        assert spline.cost == path.costs[k - 1] == want.cost


@pytest.mark.parametrize("degree", [1, 2, 3])
def test_a_path_of_polynomials(rng, degree):
    y = steps(rng, 120).cumsum()
    path = fit_path(y, 10, degree, min_size=5)
    for k in (1, 2, 5, 10):
        want = fit(y, k, degree, min_size=5)
        np.testing.assert_array_equal(path.breakpoints(k), want.breakpoints)
        np.testing.assert_array_equal(path[k].coefficients, want.coefficients)


def test_a_path_to_as_many_pieces_as_samples(rng):
    y = rng.standard_normal(9)
    for method in ("dense", "functional"):
        path = fit_path(y, 9, method=method)
        np.testing.assert_array_equal(path.breakpoints(9), np.arange(10))
        assert path.costs[-1] <= 9 * (8 * EPS * np.abs(y).max()) ** 2
    assert repr(path) == "KSplinePath(n=9, max_pieces=9, degree=0)"
    with pytest.raises(IndexError, match="from 1 to max_pieces = 9; got 10"):
        path[10]


@pytest.mark.parametrize(("degree", "method"), [(0, "dense"), (0, "functional"), (1, "dense"), (2, "dense")])
def test_uneven_samples_with_gaps(rng, degree, method):
    y, x = steps(rng, 120), rng.uniform(0.1, 1, 120).cumsum()
    holes = np.where(rng.random(120) < 0.2, np.nan, y)
    options = {"x": x, "missing": "drop", "method": method}
    path = fit_path(holes, 12, degree, **options)
    for k in (1, 3, 12):
        want = fit(holes, k, degree, x=x, missing="drop", method="dense")
        np.testing.assert_array_equal(path[k].breakpoints, want.breakpoints)
        np.testing.assert_array_equal(path[k].coefficients, want.coefficients)
        np.testing.assert_array_equal(path[k].x, x)
        assert path.costs[k - 1] == want.cost
    assert fit_penalized(holes, 10.0, degree, **options).pieces == 1 + np.argmin(
        fit_path(holes, 40, degree, **options).costs + 10.0 * np.arange(40)
    )
    assert max(penalty_path(holes, 8.0, 1e9, degree, **options).pieces) <= 40
    assert select(holes, "bic", max_pieces=12, degree=degree, x=x, missing="drop").path.degree == degree


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(1, 40), st.integers(0, 3), st.integers(1, 4), st.booleans())
def test_a_penalised_fit_is_the_best_of_the_path(seed, n, degree, min_size, weighted):
    rng = np.random.default_rng(seed)
    w = rng.uniform(0.1, 3, n) * (rng.random(n) < 0.8) if weighted else None
    present = n if w is None else int(np.count_nonzero(w))
    if present < min_size:
        return
    y = np.round(rng.standard_normal(n) * 8) + rng.standard_normal(n)
    path = fit_path(y, present // min_size, degree, weights=w, min_size=min_size)
    for penalty in (0.3, 3.0, 30.0, 1e6):
        spline = fit_penalized(y, penalty, degree, weights=w, min_size=min_size)
        totals = path.costs + penalty * np.arange(path.max_pieces)
        assert spline.cost + penalty * (spline.pieces - 1) == pytest.approx(totals.min(), rel=1e-11)
        lengths = np.diff(np.r_[0, np.cumsum(np.ones(n) if w is None else w > 0)][spline.breakpoints])
        assert lengths.min() >= min_size


@settings(max_examples=40, deadline=None)
@given(st.sampled_from(["steps", "noise", "walk", "tails"]), st.integers(2, 2000), st.integers(0, 2**32 - 1))
def test_functional_and_inequality_pruning_agree(kind, n, seed):
    rng = np.random.default_rng(seed)
    y = {
        "steps": np.repeat(rng.standard_normal(10) * 4, -(-n // 10))[:n] + rng.standard_normal(n),
        "noise": rng.standard_normal(n),
        "walk": rng.standard_normal(n).cumsum(),
        "tails": rng.standard_t(1.5, n),
    }[kind]
    for penalty in (4.0, 2 * np.log(n) + 1):
        found, want = (
            fit_penalized(y, penalty, method="functional"),
            fit_penalized(y, penalty, method="dense"),
        )
        np.testing.assert_array_equal(found.breakpoints, want.breakpoints)


@pytest.mark.parametrize("penalty", [2.0, 20.0, 200.0])
def test_penalised_equals_pelt(rng, penalty):
    y = steps(rng)
    pelt = ruptures.Pelt(model="l2", jump=1, min_size=1).fit(y)
    assert fit_penalized(y, penalty).breakpoints[1:].tolist() == pelt.predict(pen=penalty)
    assert fit_penalized(y, np.inf).pieces == 1


def test_the_unit_of_the_penalty(rng):
    y = steps(rng)
    want = fit_penalized(y, 12.0)
    for shift in (1000, -700):
        scaled = fit_penalized(np.ldexp(y, shift // 2), np.ldexp(12.0, shift))
        np.testing.assert_array_equal(scaled.breakpoints, want.breakpoints)
    far = fit_penalized(np.round(y * 64) / 64 + 1e12, 12.0)
    np.testing.assert_array_equal(far.breakpoints, fit_penalized(np.round(y * 64) / 64, 12.0).breakpoints)
    assert fit_penalized(y.astype(np.float32), 12.0).values.dtype == np.float32


def hull(costs, low, high):
    """Numbers of pieces at the corners of the lower convex hull, whose slopes meet (low, high)."""
    k = np.arange(1, costs.size + 1)
    penalties = np.geomspace(low, high, 20001)
    best = k[np.argmin(costs + penalties[:, None] * k, axis=1)]
    return best[np.r_[True, np.diff(best) != 0]].tolist()


@pytest.mark.parametrize(("degree", "min_size"), [(0, 1), (0, 3), (1, 2)])
def test_the_penalty_path_is_the_lower_hull(rng, degree, min_size):
    y = steps(rng, 80)
    low, high = 0.5, 500.0
    path = penalty_path(y, low, high, degree, min_size=min_size)
    costs = fit_path(y, 80 // min_size, degree, min_size=min_size).costs
    # a corner whose range of penalties is shorter than the grid's step may be missing from `hull`
    assert set(hull(costs, low, high)) <= set(path.pieces)
    assert path.pieces == sorted(path.pieces, reverse=True)
    assert path.penalties[0] == low
    assert path.penalties[-1] == high
    assert (np.diff(path.penalties) >= 0).all()
    for spline, a, b in zip(path.splines, path.penalties[:-1], path.penalties[1:], strict=True):
        for penalty in (a, b, (a + b) / 2):
            totals = costs + penalty * np.arange(costs.size)
            total = spline.cost + penalty * (spline.pieces - 1)
            assert total == pytest.approx(totals.min(), rel=1e-10)
    assert penalty_path(y, 1e8, 2e8).pieces == [1]
    assert repr(penalty_path(y, 1e8, 2e8)) == "PenaltyPath(low=1e+08, high=2e+08, pieces=[1])"


@pytest.mark.parametrize("criterion", ["bic", "mbic", "slope"])
@pytest.mark.parametrize("scale", [1e-6, 1.0, 1e6])
def test_clear_steps_are_counted(rng, criterion, scale):
    y = steps(rng) * scale
    choice = select(y, criterion, max_pieces=30)
    assert choice.pieces == 8
    assert choice.spline.pieces == 8
    assert choice.values.shape == (30,)
    assert np.argmin(choice.values) == 7
    assert select(fit_path(y, 30), criterion).pieces == 8


@pytest.mark.parametrize("criterion", ["bic", "mbic"])
def test_an_exact_fit_is_not_split_further(rng, criterion):
    assert select(steps(rng, noise=0.0), criterion, max_pieces=20).pieces == 8
    assert select(np.ones(30), criterion).pieces == 1


def test_missing_samples_and_straight_pieces(rng):
    y = np.concatenate([np.arange(60.0), 100 - np.arange(60.0)]) + rng.standard_normal(120)
    w = (rng.random(120) < 0.8).astype(float)
    assert select(y, "bic", degree=1, weights=w, max_pieces=8, min_size=3).pieces == 2


def criteria(y, w, max_pieces, degree):
    """The three formulas as published, on costs and partitions of `fit` and numpy's least squares."""
    from math import lgamma, log

    n = int(np.count_nonzero(w))
    costs, logs = [], []
    for k in range(1, max_pieces + 1):
        ends = fit(y, k, degree, weights=w).breakpoints
        total, sizes = 0.0, 0.0
        for a, b in itertools.pairwise(ends):
            j = a + np.flatnonzero(w[a:b])
            sizes += log(j.size)
            root = np.sqrt(w[j])
            basis = np.vander((j - j.mean()) / n, degree + 1) * root[:, None]
            residual = root * y[j] - basis @ np.linalg.lstsq(basis, root * y[j], rcond=None)[0]
            total += float(residual @ residual)
        costs.append(total)
        logs.append(sizes)
    parameters = [k * (degree + 1) + (k - 1) for k in range(1, max_pieces + 1)]
    bic = [n * log(c / n) + p * log(n) for c, p in zip(costs, parameters, strict=True)]
    variance = costs[-1] / (n - max_pieces)
    mbic = []
    for m, (c, sizes) in enumerate(zip(costs, logs, strict=True)):  # m change points
        between = costs[0] - c
        log_factor = 0.5 * (n - m + 1) * np.log1p(between / c) + lgamma(0.5 * (n - m + 1))
        log_factor += -lgamma(0.5 * (n + 1)) + 0.5 * m * log(costs[0] / variance)
        log_factor += -0.5 * sizes + (0.5 - m) * log(n)
        mbic.append(-2 * log_factor)
    k = np.arange(1, max_pieces + 1)
    shape = k * (2 * np.log(n / k) + 5 + degree)
    half = max_pieces // 2
    kappa = -np.polyfit(shape[half:], costs[half:], 1)[0]
    return {"bic": bic, "mbic": mbic, "slope": np.array(costs) + 2 * kappa * shape}


@pytest.mark.parametrize("degree", [0, 1])
@pytest.mark.parametrize("weighted", [False, True])
def test_criteria_are_the_published_formulas(rng, degree, weighted):
    y = steps(rng, 160)
    w = rng.uniform(0.5, 2, 160) * (rng.random(160) < 0.8) if weighted else np.ones(160)
    want = criteria(y, w, 14, degree)
    path = fit_path(y, 14, degree, weights=w)
    for name in ("bic", "mbic", "slope")[:: 1 if degree == 0 else 2]:
        np.testing.assert_allclose(select(path, name).values, want[name], rtol=1e-9)


@pytest.mark.parametrize(("criterion", "least"), [("bic", 9), ("mbic", 9), ("slope", 8)])
@pytest.mark.parametrize("pieces", [1, 4, 12])
def test_the_true_number_is_found(criterion, least, pieces):
    """Steps of twice the noise, at least 25 samples apart: a chance of some 5 % to err, 10 % by slope."""
    right = 0
    for seed in range(10):
        rng = np.random.default_rng(seed)
        ends = np.r_[0, np.sort(rng.choice(np.arange(1, 40), pieces - 1, replace=False)) * 25, 1000]
        levels = 2.0 * rng.choice([-1, 1], pieces).cumsum()
        y = np.repeat(levels, np.diff(ends)) + rng.standard_normal(1000)
        right += select(y, criterion, max_pieces=40).pieces == pieces
    assert right >= least


def test_the_choice_is_drawn(rng):
    pyplot = pytest.importorskip("matplotlib.pyplot")
    choice = select(steps(rng), "bic", max_pieces=12)
    assert repr(choice) == "Selection(pieces=8, criterion='bic', max_pieces=12)"
    axes = choice.plot()
    assert axes.get_xlabel() == "pieces"
    np.testing.assert_array_equal(axes.lines[0].get_ydata(), choice.values)
    pyplot.close(axes.figure)


Y = np.arange(10.0)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            lambda: fit_path(np.zeros((2, 5)), 2),
            r"must be one signal of one channel, .*\(2, 5\)",
        ),
        (lambda: fit_path(np.zeros(0), 1), "at least one sample"),
        (lambda: fit_path(Y, 11), "`pieces` is too large"),
        (lambda: fit_path(Y, 3, weights=np.zeros(10)), "no sample of `y` is left"),
        (lambda: fit_path(np.full(3, np.nan), 1, missing="drop"), "no sample of `y` is left"),
        (lambda: fit_path(Y, 3, x=Y[::-1]), "`x` must be strictly increasing"),
        (lambda: fit_path(Y, 3, x=Y[1:]), r"`x` must have the shape of one signal, \(10,\)"),
        (lambda: penalty_path(Y * 1e154, 1.0, 1e308), "the costs leave the range of float64"),
        (lambda: select(Y * 1e200), "the costs leave the range of float64"),
        (lambda: fit_path(np.r_[Y, np.nan], 3), "`y` must be finite"),
        (lambda: fit_penalized(Y, 0.0), "`penalty` must be positive; got 0"),
        (lambda: fit_penalized(Y, np.nan), "`penalty` must be positive; got nan"),
        (lambda: fit_penalized(Y, 1.0, 1, method="functional"), "degree 0 only; got degree 1"),
        (lambda: penalty_path(Y, 2.0, 1.0), "`high` must be finite and more than `low`, 2; got 1"),
        (lambda: penalty_path(Y, 2.0, np.inf), "`high` must be finite"),
        (lambda: select(fit_path(Y, 3), max_pieces=3), "`max_pieces` belongs to the path"),
        (lambda: select(fit_path(Y, 3), missing="drop"), "`missing` belongs to the path"),
        (lambda: select(fit_path(Y, 3, 1), "mbic"), "derived for degree 0; the path has degree 1"),
        (lambda: select(fit_path(Y, 3), "slope"), "at least 8 pieces.*max_pieces is 3"),
    ],
)
def test_refusals(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_wrong_kinds(unchecked):
    with pytest.raises(TypeError, match="`penalty` must be a number; got 'a'"):
        unchecked.fit_penalized(Y, "a")
    with pytest.raises(ValueError, match="`criterion` must be one of 'bic', 'mbic', 'slope'; got 'aic'"):
        unchecked.select(Y, "aic")
    with pytest.raises(ValueError, match="`missing` must be 'error' or 'drop'; got 'keep'"):
        unchecked.fit_path(Y, 3, missing="keep")
    with pytest.raises(ValueError, match="method='lagrangian' is for a given number of pieces"):
        unchecked.fit_path(Y, 3, method="lagrangian")
    with pytest.raises(ValueError, match="method='greedy' is for a given number of pieces"):
        unchecked.fit_penalized(Y, 1.0, method="greedy")
