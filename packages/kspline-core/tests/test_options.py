"""Abscissae, channels, constraints and missing samples: against all partitions, counted out."""

from __future__ import annotations

from itertools import combinations, pairwise

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from kspline_core import fit

EPS = np.finfo(float).eps
DEGREES = range(4)


def residual(y, x, w, degree):
    """What numpy's SVD leaves of the samples of positive weight; abscissae mapped to [-1, 1]."""
    seen = w > 0
    if np.count_nonzero(seen) <= degree + 1:
        return 0.0
    u = x[seen]
    u = (2 * u - u[0] - u[-1]) / (u[-1] - u[0])
    root = np.sqrt(w[seen])
    z = y[seen] - y[seen].mean()
    a = np.vander(u, degree + 1) * root[:, None]
    rest = root * z - a @ np.linalg.lstsq(a, root * z, rcond=None)[0]
    return float(rest @ rest)


def best_cost(y, x, w, pieces, degree, min_size=1, fixed=(), forbidden=()):
    """Least cost over all partitions; y and w have shape (channels, n). None: there is no partition."""
    n = y.shape[-1]
    seen = np.concatenate([[0], np.cumsum((w > 0).any(axis=0))])
    free = set(range(1, n)) - set(forbidden) - set(fixed)
    if set(fixed) & set(forbidden) or len(fixed) > pieces - 1:
        return None
    costs = {}
    best = None
    for chosen in combinations(sorted(free), pieces - 1 - len(fixed)):
        ends = (0, *sorted((*chosen, *fixed)), n)
        if any(seen[b] - seen[a] < min_size for a, b in pairwise(ends)):
            continue
        total = 0.0
        for a, b in pairwise(ends):
            if (a, b) not in costs:
                costs[a, b] = sum(residual(y[c, a:b], x[a:b], w[c, a:b], degree) for c in range(len(y)))
            total += costs[a, b]
        best = total if best is None else min(best, total)
    return best


def slack(want, y, w):
    """Both sides round: the sums relatively, an exact fit by a few eps of the range per sample."""
    return 1e-9 * want + y.size * w.max() * (256 * EPS * np.ptp(y)) ** 2


@settings(max_examples=250, deadline=None)
@given(st.data(), st.integers(1, 12), st.integers(0, 3), st.integers(1, 3), st.booleans(), st.booleans())
def test_every_combination_against_brute_force(data, n, degree, channels, uneven, weighted):
    rng = np.random.default_rng(data.draw(st.integers(0, 2**32 - 1)))
    y = rng.standard_normal((channels, n)).round(2)
    x = np.cumsum(rng.uniform(0.1, 3, n)) - 4 if uneven else np.arange(float(n))
    w = np.ones((channels, n))
    if weighted:
        w = rng.uniform(0.1, 3, (channels, n)) * (rng.random((channels, n)) > 0.25)
        assume((w > 0).any())
    places = st.lists(st.integers(1, n - 1), unique=True, max_size=3) if n > 1 else st.just([])
    fixed, forbidden = data.draw(places), data.draw(places)
    min_size = data.draw(st.integers(1, 3))
    pieces = data.draw(st.integers(1, n))
    want = best_cost(y, x, w, pieces, degree, min_size, fixed, forbidden)
    options = {
        "x": x if uneven else None,
        "weights": w if weighted else None,
        "min_size": min_size,
        "fixed": fixed or None,
        "forbidden": forbidden or None,
        "channels": True,
    }
    if want is None:
        with pytest.raises(ValueError, match=r"`pieces` is too large|`fixed`"):
            fit(y, pieces, degree, **options)
        return
    spline = fit(y, pieces, degree, **options)
    assert abs(spline.cost - want) <= slack(want, y, w)
    ends = spline.breakpoints.tolist()
    assert set(fixed) <= set(ends)
    assert not set(forbidden) & set(ends)
    seen = np.concatenate([[0], np.cumsum((w > 0).any(axis=0))])
    assert min(seen[b] - seen[a] for a, b in pairwise(ends)) >= min_size
    own = sum(
        residual(y[c, a:b], x[a:b], w[c, a:b], degree) for a, b in pairwise(ends) for c in range(channels)
    )
    assert abs(spline.cost - own) <= slack(want, y, w)


@pytest.mark.parametrize("degree", DEGREES)
def test_abscissae_against_polyfit_piece_by_piece(rng, degree):
    x = np.cumsum(rng.exponential(2, 150)) + 1e3
    y = np.sin(x / 20) + 0.1 * rng.standard_normal(150)
    spline = fit(y, 6, degree, x=x)
    for i, (a, b) in enumerate(pairwise(spline.breakpoints)):
        want = np.polynomial.Polynomial.fit(x[a:b], y[a:b], min(degree, b - a - 1))
        np.testing.assert_allclose(spline.values[a:b], want(x[a:b]), rtol=0, atol=1e-12)
        powers = np.polynomial.polynomial.polyval(x[a:b] - x[a], spline.coefficients[i])
        np.testing.assert_allclose(powers, spline.values[a:b], rtol=0, atol=1e-11)


@pytest.mark.parametrize("degree", DEGREES)
@pytest.mark.parametrize("weighted", [False, True])
def test_even_abscissae_are_none(rng, degree, weighted):
    y = rng.standard_normal((3, 120)).cumsum(-1)
    w = rng.uniform(0.5, 2, y.shape) if weighted else None
    plain = fit(y, 7, degree, weights=w)
    even = fit(y, 7, degree, weights=w, x=np.arange(120) * 0.25 - 3)
    np.testing.assert_array_equal(even.breakpoints, plain.breakpoints)
    np.testing.assert_allclose(even.values, plain.values, rtol=0, atol=256 * EPS * np.abs(y).max())
    powers = 4.0 ** np.arange(degree + 1)  # per unit of x
    # a third derivative over a piece of a few samples loses digits
    np.testing.assert_allclose(even.coefficients, plain.coefficients * powers, rtol=1e-7, atol=1e-9)


@pytest.mark.parametrize("degree", DEGREES)
@pytest.mark.parametrize("exponent", [-1000, -300, 300, 900])
def test_the_unit_of_the_abscissae_changes_nothing(rng, degree, exponent):
    y, x = rng.standard_normal(90).cumsum(), np.cumsum(rng.uniform(0.5, 2, 90)).round(3)
    plain, scaled = fit(y, 6, degree, x=x), fit(y, 6, degree, x=np.ldexp(x, exponent))
    np.testing.assert_array_equal(scaled.breakpoints, plain.breakpoints)
    np.testing.assert_array_equal(scaled.values, plain.values)
    assert scaled.cost == plain.cost
    v = rng.standard_normal(90)
    np.testing.assert_array_equal(scaled.vjp(v), plain.vjp(v))


def test_abscissae_of_each_signal(rng):
    y, x = rng.standard_normal((4, 50)), np.cumsum(rng.uniform(0.1, 2, (4, 50)), axis=-1)
    batch = fit(y, 5, 2, x=x)
    v = rng.standard_normal((2, 4, 50))
    for i in range(4):
        one = fit(y[i], 5, 2, x=x[i])
        np.testing.assert_array_equal(batch[i].values, one.values)
        np.testing.assert_array_equal(batch[i].x, x[i])
        np.testing.assert_array_equal(batch.vjp(v)[:, i], one.vjp(v[:, i]))
    shared = fit(y, 5, 2, x=x[0])
    np.testing.assert_array_equal(shared[1:][2].values, fit(y[3], 5, 2, x=x[0]).values)


@pytest.mark.parametrize("degree", DEGREES)
@pytest.mark.parametrize("weighted", [False, True])
def test_jacobian_with_abscissae_and_channels(rng, degree, weighted):
    y, x = rng.standard_normal((2, 40)).cumsum(-1), np.cumsum(rng.uniform(0.1, 2, 40))
    w = rng.uniform(0.1, 2, y.shape) * (rng.random(y.shape) > 0.2) if weighted else None
    spline = fit(y, 4, degree, x=x, weights=w, channels=True)
    eye = np.eye(80).reshape(80, 2, 40)
    jacobian, transposed = spline.jvp(eye).reshape(80, 80).T, spline.vjp(eye).reshape(80, 80)
    want = np.zeros((80, 80))
    for c in range(2):
        weights = np.ones(40) if w is None else w[c]
        for a, b in pairwise(spline.breakpoints):
            seen = np.flatnonzero(weights[a:b] > 0)
            u = (x[a:b] - x[a:b][seen].mean()) / (x[b - 1] - x[a] + 1)
            basis = np.vander(u, min(degree + 1, seen.size))
            root = np.sqrt(weights[a:b])
            block = slice(40 * c + a, 40 * c + b)
            want[block, block] = basis @ np.linalg.pinv(basis * root[:, None]) * root
    np.testing.assert_allclose(jacobian, want, rtol=0, atol=1e-10)
    np.testing.assert_allclose(transposed, want, rtol=0, atol=1e-10)


def test_channels_share_their_breakpoints(rng):
    y = rng.standard_normal((3, 2, 60)).cumsum(-1)
    spline = fit(y, 5, 1, channels=True)
    assert spline.breakpoints.shape == (3, 6)
    assert spline.coefficients.shape == (3, 2, 5, 2)
    assert spline.values.shape == (3, 2, 60)
    assert spline.cost.shape == (3,)
    assert spline.channels == 2
    np.testing.assert_allclose(spline.cost, ((y - spline.values) ** 2).sum((1, 2)), rtol=1e-12)
    one = spline[1]
    np.testing.assert_array_equal(one.values, fit(y[1], 5, 1, channels=True).values)
    np.testing.assert_array_equal(fit(y[:, :1], 5, 1, channels=True).values[:, 0], fit(y[:, 0], 5, 1).values)
    twice = fit(np.stack([y[:, 0], y[:, 0]], axis=1), 5, 1, channels=True)
    np.testing.assert_array_equal(twice.breakpoints, fit(y[:, 0], 5, 1).breakpoints)
    assert repr(spline).startswith("KSpline(batch=(3,), channels=2, n=60, pieces=5, degree=1, total_cost=")
    assert repr(one).startswith("KSpline(channels=2, n=60, ")


def test_a_channel_of_large_offset_leaves_the_other_visible(rng):
    y = np.round(rng.standard_normal((2, 200)).cumsum(-1) * 64) / 64
    plain, shifted = fit(y, 6, 1, channels=True), fit(y + np.array([[1e12], [0.0]]), 6, 1, channels=True)
    np.testing.assert_array_equal(shifted.breakpoints, plain.breakpoints)
    np.testing.assert_allclose(shifted.cost, plain.cost, rtol=8 * EPS)


@pytest.mark.parametrize("channels", [False, True])
def test_missing_samples_are_dropped(rng, channels):
    y = rng.standard_normal((2, 30))
    holes = y.copy()
    holes[0, [0, 4, 29]] = np.nan
    holes[1, 7] = np.nan
    spline = fit(holes, 4, 1, missing="drop", channels=channels)
    want = fit(y, 4, 1, weights=~np.isnan(holes), channels=channels)
    np.testing.assert_array_equal(spline.breakpoints, want.breakpoints)
    np.testing.assert_array_equal(spline.values, want.values)
    np.testing.assert_array_equal(spline.weights, ~np.isnan(holes))
    assert fit(y, 4, 1, missing="drop").weights is None
    weighted = fit(holes, 4, 1, missing="drop", weights=np.full(30, 2.0), channels=channels)
    np.testing.assert_array_equal(weighted.breakpoints, want.breakpoints)
    np.testing.assert_allclose(weighted.cost, 2 * want.cost, rtol=1e-12)


def test_a_channel_without_samples_in_a_piece(rng):
    y = np.stack([np.repeat([0.0, 5.0], 10), np.repeat([1.0, 2.0], 10)])
    y[1, 10:] = np.nan
    spline = fit(y, 2, 1, channels=True, missing="drop")
    np.testing.assert_array_equal(spline.breakpoints, [0, 10, 20])
    np.testing.assert_array_equal(spline.values[1], np.repeat([1.0, 0.0], 10))  # nothing is known there


def test_masks_of_each_signal(rng):
    y = rng.standard_normal((3, 40))
    fixed, forbidden = np.zeros((3, 40), bool), rng.random((3, 40)) < 0.5
    fixed[[0, 1, 2], [5, 17, 30]] = True
    forbidden &= ~fixed
    forbidden[:, 0] = False
    batch = fit(y, 6, fixed=fixed, forbidden=forbidden)
    for i in range(3):
        one = fit(y[i], 6, fixed=fixed[i], forbidden=np.flatnonzero(forbidden[i]))
        np.testing.assert_array_equal(batch.breakpoints[i], one.breakpoints)
    shared = fit(y, 6, forbidden=forbidden[0])
    assert not forbidden[0][shared.breakpoints[:, 1:-1]].any()


def test_constraints_that_already_hold_change_nothing(rng):
    y = rng.standard_normal(700).cumsum()
    plain = fit(y, 12, 2)
    inner = plain.breakpoints[1:-1]
    others = np.setdiff1d(np.arange(1, 700), inner)
    for constraint in (
        {"fixed": inner},
        {"fixed": inner[::3]},
        {"forbidden": others},
        {"forbidden": others[::2]},
    ):
        held = fit(y, 12, 2, **constraint)
        np.testing.assert_array_equal(held.breakpoints, plain.breakpoints)
        np.testing.assert_array_equal(held.values, plain.values)


def test_a_fixed_breakpoint_splits_the_problem(rng):
    y = rng.standard_normal(300).cumsum()
    split = fit(y, 2, 3, fixed=[130])
    assert split.cost == pytest.approx(float(fit(y[:130], 1, 3).cost + fit(y[130:], 1, 3).cost), rel=1e-12)
    least = min(float(fit(y[:130], k, 1).cost + fit(y[130:], 9 - k, 1).cost) for k in range(1, 9))
    assert float(fit(y, 9, 1, fixed=[130]).cost) == pytest.approx(least, rel=1e-10)


def test_to_ppoly_and_plot_with_abscissae_and_channels(rng):
    x = np.cumsum(rng.uniform(0.1, 2, 40))
    y = rng.standard_normal((2, 40))
    spline = fit(y, 5, 3, x=x, channels=True)
    polynomial = spline.to_ppoly()
    np.testing.assert_allclose(polynomial(x).T, spline.values, rtol=0, atol=1e-11)
    np.testing.assert_allclose(fit(y[0], 5, 1, x=x).to_ppoly()(x), fit(y[0], 5, 1, x=x).values, atol=1e-11)
    axes = spline.plot(y)
    assert len(axes.lines) == 2 + 2 * 5
    assert axes.get_xlabel() == "x"
    first = axes.lines[2]
    assert first.get_xdata()[0] == pytest.approx(x[0] - (x[1] - x[0]) / 2)
    one = fit(y[0, :1], 1, x=x[:1])
    assert one.to_ppoly()(x[0]) == y[0, 0]
    assert len(one.plot(y[0, :1]).lines) == 2
    import matplotlib.pyplot as plt

    plt.close("all")


@pytest.mark.parametrize("degree", DEGREES)
@pytest.mark.parametrize(
    ("scale", "weight"), [(1e308, 1.0), (1.0, 1e308), (1.0, 1e-310), (1e-310, 1e-310)], ids=str
)
def test_extreme_units(rng, degree, scale, weight):
    y = rng.uniform(-1, 1, (2, 30))
    plain, extreme = fit(y, 3, degree), fit(scale * y, 3, degree, weights=np.full(30, weight))
    np.testing.assert_array_equal(extreme.breakpoints, plain.breakpoints)
    # subnormal numbers have fewer digits: one unit in their last place per sample
    atol = 64 * EPS * scale + 30 * np.finfo(float).smallest_subnormal
    np.testing.assert_allclose(extreme.values, scale * plain.values, rtol=0, atol=atol)
    v = rng.uniform(-1, 1, (2, 30))
    np.testing.assert_allclose(extreme.vjp(v), plain.vjp(v), rtol=0, atol=1e-12)
    np.testing.assert_allclose(extreme.jvp(scale * v), scale * plain.vjp(v), rtol=0, atol=atol)
    with np.errstate(over="ignore", under="ignore"):
        np.testing.assert_allclose(extreme.cost, plain.cost * scale * scale * weight, rtol=1e-9, atol=1e-307)


def test_weights_of_very_different_size(rng):
    y = rng.standard_normal(40)
    w = np.where(np.arange(40) < 20, 1e300, 1e-300)
    spline = fit(y, 2, 1, weights=w, fixed=[20])
    np.testing.assert_allclose(spline.values, fit(y, 2, 1, fixed=[20]).values, rtol=0, atol=64 * EPS)
    assert np.isfinite(spline.vjp(y)).all()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"missing": "zero"}, "`missing` must be 'error' or 'drop'; got 'zero'"),
        ({"y": [np.nan, 1, 2, 3, 4, 5]}, r"y\[0\] = nan. Repair it, .* \(`missing='drop'` for NaN\)"),
        ({"y": [np.inf, 1, 2, 3, 4, 5], "missing": "drop"}, r"y\[0\] = inf"),
        ({"channels": True}, r"`y` must have shape \(..., channels, n\) .* got \(6,\). Pass y\[None\]"),
        ({"channels": True, "y": np.empty((0, 6))}, r"with a channel at least .* got \(0, 6\)"),
        ({"x": [0, 1, 2]}, r"`x` must have the shape of one signal, \(6,\), or of all, \(6,\); got \(3,\)"),
        ({"x": [0, 1, 2, 2, 4, 5]}, r"`x` must be strictly increasing; x\[2\] = 2 >= x\[3\] = 2. Sort"),
        ({"x": [0, 1, np.nan, 3, 4, 5]}, r"`x` must be finite; x\[2\] = nan"),
        ({"x": [0, 1e-60, 1, 2, 3, 4]}, "`x` has neighbours closer than 1e-40 of its range"),
        ({"fixed": [0]}, r"`fixed` must lie from 1 to 5, .*; fixed\[0\] = 0. The ends 0 and 6 are always"),
        ({"forbidden": [2, 6]}, r"`forbidden` must lie from 1 to 5, .*; forbidden\[1\] = 6"),
        ({"fixed": [[1, 2]]}, r"`fixed` as positions must have one dimension; got shape \(1, 2\)"),
        ({"fixed": [True, False]}, r"`fixed` as a mask must have the shape of one signal, \(6,\)"),
        ({"forbidden": [True] * 6}, r"`forbidden` must not hold 0: .* Set forbidden\[..., 0\] = False"),
        ({"fixed": [2], "forbidden": [2]}, "`fixed` and `forbidden` contradict each other: both hold 2"),
        (
            {"fixed": [2, 3], "min_size": 2},
            "too little between the breakpoints 2 and 3: fewer than `min_size` = 2",
        ),
        ({"fixed": [1, 2, 3]}, "`fixed` holds 3 breakpoints, but 3 pieces have only 2. Raise .* at least 4"),
        ({"forbidden": [1, 2, 3, 4]}, "at most 2 pieces are possible, and 3 asked for"),
    ],
)
def test_messages(unchecked, options, message):
    with pytest.raises(ValueError, match=message):
        unchecked.fit(**{"y": np.arange(6.0), "pieces": 3, **options})


def test_messages_name_the_signal(unchecked):
    y = np.zeros((2, 6))
    fixed = np.zeros((2, 6), bool)
    fixed[1, [2, 3, 4]] = True
    with pytest.raises(ValueError, match=r"`fixed` holds 3 breakpoints \(signal 1\)"):
        fit(y, 2, fixed=fixed)
    with pytest.raises(ValueError, match=r"contradict each other \(signal 1\): both hold 2"):
        fit(y, 2, fixed=fixed, forbidden=fixed)
    with pytest.raises(ValueError, match=r"x\[1, 3\] = 3 >= x\[1, 4\] = 0"):
        fit(y, 2, x=[[0, 1, 2, 3, 4, 5], [0, 1, 2, 3, 0, 5]])
    with pytest.raises(TypeError, match=r"`fixed` must hold integers .* got dtype float64"):
        unchecked.fit(y, 2, fixed=[2.0])
    with pytest.raises(IndexError, match=r"too many indices: the batch has shape \(2,\)"):
        fit(y, 2)[0, 1]
