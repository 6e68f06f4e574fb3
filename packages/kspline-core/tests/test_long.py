"""`lagrangian` and `greedy` against `dense` and their own bounds; `test_exact.py` counts out partitions."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from kspline_core import fit
from kspline_core._native import core

EPS = np.finfo(float).eps
KINDS = ("pieces", "noise", "walk", "smooth walk", "heavy tails", "sinusoid", "ties", "constant")


def make_signal(kind, n, rng):
    noise = rng.standard_normal(n)
    if kind == "pieces":
        return np.repeat(rng.standard_normal(10), -(-n // 10))[:n] * 3 + noise
    if kind == "walk":
        return noise.cumsum()
    if kind == "smooth walk":
        return noise.cumsum().cumsum() / n
    if kind == "heavy tails":
        return rng.standard_t(1.5, n)
    if kind == "sinusoid":
        return 4 * np.sin(np.arange(n) * 20 / n) + 5 * (np.arange(n) % 331 > 200) + noise / 3
    if kind == "ties":
        return rng.integers(0, 2, n).astype(float)
    return np.zeros(n) if kind == "constant" else noise


signals = st.integers(1, 12).flatmap(
    lambda n: st.one_of(
        hnp.arrays(np.float64, n, elements=st.floats(-1e3, 1e3, width=32)),
        hnp.arrays(np.float64, n, elements=st.integers(-3, 3)),
    )
)


def slack(want, y, w):
    """Both sides round: the sums relatively, an exact fit by a few eps of the range per sample."""
    return 1e-10 * want + len(y) * w.max() * (64 * EPS * np.ptp(y)) ** 2


def check_certificate(spline, optimum, allowed):
    """The optimum lies between the bounds, whatever the method missed."""
    assert spline.certificate.lower <= optimum + allowed
    assert optimum <= spline.certificate.upper + allowed
    assert spline.certificate.gap == spline.certificate.upper - spline.certificate.lower >= 0
    assert spline.certificate.upper == spline.cost


@settings(max_examples=150, deadline=None)
@given(st.data(), signals, st.integers(0, 3), st.booleans())
def test_the_certificate_of_greedy_holds(data, y, degree, weighted):
    n = len(y)
    w = (
        np.array(data.draw(st.lists(st.sampled_from([0.0, 0.3, 1.0, 7.0]), min_size=n, max_size=n)))
        if weighted
        else np.ones(n)
    )
    w[0] = 1
    seen = np.count_nonzero(w)
    min_size = data.draw(st.integers(1, min(3, seen)))
    pieces = data.draw(st.integers(1, seen // min_size))
    want = float(fit(y, pieces, degree, weights=w, min_size=min_size, method="dense").cost)
    greedy = fit(y, pieces, degree, weights=w, min_size=min_size, method="greedy")
    check_certificate(greedy, want, slack(want, y, w))
    counts = np.concatenate([[0], np.cumsum(w > 0)])
    assert np.diff(counts[greedy.breakpoints]).min() >= min_size


@settings(max_examples=40, deadline=None)
@given(
    st.sampled_from(KINDS),
    st.integers(0, 3),
    st.integers(2, 60),
    st.sampled_from([1, 1, 9]),
    st.booleans(),
    st.integers(0, 99),
)
def test_equals_dense(kind, degree, pieces, min_size, weighted, seed):
    rng = np.random.default_rng(seed)
    y = make_signal(kind, 2000, rng)
    w = rng.uniform(0.2, 2, y.size) * (rng.uniform(size=y.size) > 0.1) if weighted else np.ones(y.size)
    options = {"weights": w if weighted else None, "min_size": min_size}
    dense = fit(y, pieces, degree, method="dense", **options)
    exact = fit(y, pieces, degree, method="lagrangian", **options)
    allowed = slack(float(dense.cost), y, w)
    assert abs(exact.cost - dense.cost) <= allowed
    if kind not in ("ties", "constant"):  # the optimum is unique
        np.testing.assert_array_equal(exact.breakpoints, dense.breakpoints)
    check_certificate(fit(y, pieces, degree, method="greedy", **options), dense.cost, allowed)


@pytest.mark.parametrize("degree", [0, 1])
@pytest.mark.parametrize("kind", KINDS)
def test_longer_than_any_table(rng, kind, degree):
    """From 8192 samples on the search for the penalty and the bound of `greedy` go by steps of samples."""
    y = make_signal(kind, 20000, rng)
    exact = fit(y, 6, degree, method="lagrangian")
    dense = fit(y, 6, degree, method="dense")
    assert exact.cost == pytest.approx(dense.cost, rel=1e-11, abs=0)
    if kind not in ("ties", "constant"):
        np.testing.assert_array_equal(exact.breakpoints, dense.breakpoints)
    check_certificate(fit(y, 6, degree, method="greedy"), dense.cost, 1e-11 * dense.cost)


@pytest.mark.parametrize("degree", [0, 1])
@pytest.mark.parametrize(
    ("kind", "gap"),
    [("pieces", 0.05), ("sinusoid", 0.05), ("walk", 0.05), ("noise", 0.05), ("heavy tails", 0.6)],
)
def test_greedy_is_near_and_its_bound_tight(rng, kind, gap, degree):
    """What merging and bound reached when written, with room: lone peaks are not kept."""
    spline = fit(make_signal(kind, 100_000, rng), 10, degree, method="greedy")
    assert spline.certificate.gap <= gap * spline.cost


@pytest.mark.parametrize("method", ["lagrangian", "greedy"])
@pytest.mark.parametrize("degree", range(4))
def test_an_offset_changes_nothing(rng, degree, method):
    y = np.round(rng.standard_normal(3000).cumsum() * 64) / 64
    near, far = (fit(y + offset, 9, degree, method=method) for offset in (0, 1e12))
    np.testing.assert_array_equal(far.breakpoints, near.breakpoints)
    assert far.cost == near.cost


@pytest.mark.parametrize("degree", range(4))
def test_a_jump_of_1e12_leaves_the_noise_on_both_sides_visible(rng, degree):
    parts = [np.round(make_signal("pieces", 1500, rng) * 64) / 64 for _ in range(2)]
    y = np.concatenate([parts[0], parts[1] + 1e12])
    exact, dense = fit(y, 9, degree, method="lagrangian"), fit(y, 9, degree, method="dense")
    np.testing.assert_array_equal(exact.breakpoints, dense.breakpoints)


@pytest.mark.parametrize("degree", range(4))
def test_a_steep_line_hides_nothing(rng, degree):
    y = make_signal("pieces", 3000, rng) + 1e6 * np.arange(3000)
    exact, dense = fit(y, 9, degree, method="lagrangian"), fit(y, 9, degree, method="dense")
    assert exact.cost == pytest.approx(dense.cost, rel=1e-9)


def test_float32_and_abscissae(rng):
    y = make_signal("walk", 3000, rng).astype(np.float32)
    x = rng.uniform(0.1, 1, 3000).cumsum()
    exact, dense = (fit(y, 12, 1, x=x, method=method) for method in ("lagrangian", "dense"))
    np.testing.assert_array_equal(exact.breakpoints, dense.breakpoints)
    assert exact.values.dtype == np.float32


@pytest.mark.parametrize("degree", range(4))
@pytest.mark.parametrize("method", ["lagrangian", "greedy"])
def test_every_instruction_set_gives_the_same_bits(rng, degree, method):
    y = make_signal("pieces", 3001, rng)[None, None]
    first, *others = [
        core.fit(y, None, 12, degree, 1, 1, name, method=method) for name in core.instruction_sets()
    ]
    for other in others:
        for ours, theirs in zip(other, first, strict=True):
            np.testing.assert_array_equal(ours, theirs)


def test_a_batch_has_a_certificate_per_signal(rng):
    spline = fit(rng.standard_normal((2, 3, 200)), 4, method="greedy")
    assert spline.certificate.gap.shape == (2, 3)
    assert spline[1, 2].certificate.lower == spline.certificate.lower[1, 2]
    assert fit(rng.standard_normal((2, 50)), 4)[0].certificate is None


@pytest.mark.parametrize("method", ["lagrangian", "greedy"])
def test_what_the_methods_refuse(rng, method):
    y = rng.standard_normal((2, 50))
    with pytest.raises(ValueError, match=f"method='{method}' fits signals of one channel"):
        fit(y, 3, channels=True, method=method)
    with pytest.raises(ValueError, match=f"method='{method}' knows neither `fixed` nor `forbidden`"):
        fit(y, 3, fixed=[7], method=method)


def test_an_exception_in_progress_ends_a_long_fit(rng):
    def progress(_):
        raise InterruptedError

    with pytest.raises(InterruptedError):
        fit(rng.standard_normal(200_000), 50, 1, method="lagrangian", progress=progress)
