"""Offsets, scales, dtypes, strides, threads and instruction sets: none of them may change the answer."""

from __future__ import annotations

import numpy as np
import pytest

from kspline_core import fit
from kspline_core._native import core

EPS = np.finfo(float).eps
DEGREES = range(4)


def on_a_grid(rng, shape):
    """Samples on a grid so coarse that adding the offset and taking it off again rounds nothing."""
    return np.round(rng.standard_normal(shape).cumsum(-1) * 64) / 64


@pytest.mark.parametrize("degree", DEGREES)
@pytest.mark.parametrize("offset", [1e9, 1e12, -1e12])
@pytest.mark.parametrize("weighted", [False, True])
def test_an_offset_changes_nothing(rng, offset, degree, weighted):
    y = on_a_grid(rng, 300)
    w = rng.uniform(0.5, 2, 300) if weighted else None
    near, far = fit(y, 7, degree, weights=w), fit(y + offset, 7, degree, weights=w)
    np.testing.assert_array_equal(far.breakpoints, near.breakpoints)
    assert far.cost == near.cost  # differences of samples are exact, and nothing else enters
    # one rounding of value + offset
    np.testing.assert_allclose(far.values - offset, near.values, rtol=0, atol=EPS * abs(offset))


@pytest.mark.parametrize("degree", DEGREES)
def test_a_jump_of_1e12_leaves_the_noise_on_both_sides_visible(rng, degree):
    left, right = on_a_grid(rng, 60), on_a_grid(rng, 60)
    spline = fit(np.concatenate([left, right + 1e12]), 2, degree)
    np.testing.assert_array_equal(spline.breakpoints, [0, 60, 120])
    want = fit(left, 1, degree).cost + fit(right, 1, degree).cost
    assert spline.cost == pytest.approx(want, rel=8 * EPS)


@pytest.mark.parametrize("degree", DEGREES)
@pytest.mark.parametrize("exponent", [-1060, -500, 500, 1000])
def test_a_power_of_two_changes_nothing(rng, exponent, degree):
    """Down to subnormal samples and up to squares that overflow."""
    y = np.round(rng.standard_normal(100) * 64)  # integers: representable as subnormals too
    plain, scaled = fit(y, 5, degree), fit(np.ldexp(y, exponent), 5, degree)
    np.testing.assert_array_equal(scaled.breakpoints, plain.breakpoints)
    atol = max(64 * EPS * np.ldexp(1.0, exponent) * np.abs(y).max(), 4 * np.finfo(float).smallest_subnormal)
    np.testing.assert_allclose(scaled.values, np.ldexp(plain.values, exponent), rtol=0, atol=atol)


@pytest.mark.parametrize("scale", [1e-300, 1e300])
def test_the_unit_of_weights_changes_nothing(rng, scale):
    y, w = rng.standard_normal(80), rng.uniform(0.1, 1, 80)
    np.testing.assert_array_equal(
        fit(y, 6, 2, weights=w * scale).breakpoints, fit(y, 6, 2, weights=w).breakpoints
    )


@pytest.mark.parametrize("degree", DEGREES)
@pytest.mark.parametrize("value", [0.0, 0.1, 1e300])
def test_constant_signal(value, degree):
    spline = fit(np.full(50, value), 4, degree)
    assert spline.cost == 0
    np.testing.assert_array_equal(spline.values, value)
    np.testing.assert_array_equal(spline.breakpoints, [0, 1, 2, 3, 50])  # ties: leftmost


@pytest.mark.parametrize("degree", DEGREES)
def test_equal_weights_are_no_weights(rng, degree):
    """Two recursions, one by closed-form gains and one by Givens rotations, against each other."""
    y = rng.standard_normal((4, 700)).cumsum(-1)
    plain, weighted = fit(y, 9, degree), fit(y, 9, degree, weights=np.full(700, 0.5))
    np.testing.assert_array_equal(weighted.breakpoints, plain.breakpoints)
    np.testing.assert_allclose(2 * weighted.cost, plain.cost, rtol=1e-12)  # 700 roundings, random signs
    np.testing.assert_allclose(weighted.values, plain.values, rtol=0, atol=256 * EPS * np.abs(y).max())


@pytest.mark.parametrize("degree", DEGREES)
@pytest.mark.parametrize("weighted", [False, True])
def test_every_instruction_set_gives_the_same_bits(rng, degree, weighted):
    y = rng.standard_normal((3, 1030)).cumsum(-1)
    w = rng.uniform(0, 2, y.shape) if weighted else None
    results = [
        core.fit(y[:, None], None if w is None else w[:, None], 12, degree, 5, 1, name)
        for name in core.instruction_sets()
    ]
    assert "baseline" in core.instruction_sets()
    for result in results[1:]:
        for ours, theirs in zip(result, results[0], strict=True):
            np.testing.assert_array_equal(ours, theirs)


@pytest.mark.parametrize("n", [1, 2, 3, 4, 5, 7, 8, 9, 15, 16, 17, 255, 256, 257, 260, 263, 300])
def test_sizes_around_tiles_vectors_and_blocks(rng, n):
    y = rng.standard_normal(n)
    for pieces in {1, min(2, n), min(3, n), (n + 1) // 2, n}:
        for min_size in {1, max(1, n // pieces // 2), n // pieces}:
            spline = fit(y, pieces, 1, min_size=min_size)
            weighted = fit(y, pieces, 1, min_size=min_size, weights=np.ones(n))
            np.testing.assert_array_equal(spline.breakpoints, weighted.breakpoints)
            assert np.diff(spline.breakpoints).min() >= min_size
            assert spline.breakpoints[0] == 0
            assert spline.breakpoints[-1] == n


@pytest.mark.parametrize("degree", DEGREES)
def test_a_batch_is_its_signals_one_by_one(rng, degree):
    y = rng.standard_normal((2, 3, 120))
    w = rng.uniform(0, 1, (2, 3, 120))
    batch = fit(y, 5, degree, weights=w, min_size=2)
    v = rng.standard_normal(y.shape)
    for index in np.ndindex(2, 3):
        one = fit(y[index], 5, degree, weights=w[index], min_size=2)
        for name in ("breakpoints", "coefficients", "values", "cost"):
            np.testing.assert_array_equal(getattr(batch, name)[index], getattr(one, name))
            np.testing.assert_array_equal(getattr(batch[index], name), getattr(one, name))
        np.testing.assert_array_equal(batch.vjp(v)[index], one.vjp(v[index]))


def test_threads_change_nothing(rng):
    y = rng.standard_normal((37, 400))
    one, many = fit(y, 6, 1, threads=1), fit(y, 6, 1, threads=8)
    for name in ("breakpoints", "coefficients", "values", "cost"):
        np.testing.assert_array_equal(getattr(one, name), getattr(many, name))
    v = rng.standard_normal((5, 37, 400))
    np.testing.assert_array_equal(one.jvp(v, threads=1), one.jvp(v, threads=8))


def test_float32_is_summed_in_float64(rng):
    y = rng.standard_normal((3, 500)).astype(np.float32) + np.float32(1e3)
    single, double = fit(y, 5, 2), fit(y.astype(np.float64), 5, 2)
    assert single.values.dtype == np.float32
    np.testing.assert_array_equal(single.breakpoints, double.breakpoints)
    np.testing.assert_array_equal(single.cost, double.cost)
    np.testing.assert_array_equal(single.values, double.values.astype(np.float32))
    assert single.jvp(y).dtype == np.float32


@pytest.mark.parametrize("dtype", [np.int64, np.int16, np.uint8, np.bool_])
def test_integers_become_float64(rng, dtype):
    y = rng.integers(0, 2, 40).astype(dtype)
    assert fit(y, 3).values.dtype == np.float64
    np.testing.assert_array_equal(fit(y, 3).values, fit(y.astype(float), 3).values)


def test_any_strides(rng):
    y = rng.standard_normal((60, 8))
    want = fit(np.ascontiguousarray(y.T[:, ::-2]), 4, 1)
    got = fit(y.T[:, ::-2], 4, 1)
    np.testing.assert_array_equal(got.values, want.values)
    np.testing.assert_array_equal(got.vjp(y.T[:, ::-2]), want.vjp(np.ascontiguousarray(y.T[:, ::-2])))
    np.testing.assert_array_equal(
        fit(y.T, 4, weights=np.broadcast_to(2.0, 60)).values,
        fit(y.T, 4, weights=np.full((8, 60), 2.0)).values,
    )


def test_empty_batch():
    spline = fit(np.empty((0, 5)), 2, 1)
    assert spline.breakpoints.shape == (0, 3)
    assert spline.coefficients.shape == (0, 2, 2)
    assert spline.values.shape == spline.jvp(np.empty((0, 5))).shape == (0, 5)


def test_the_input_is_left_alone(rng):
    y, w = rng.standard_normal(50), rng.uniform(0, 1, 50)
    before = y.copy(), w.copy()
    fit(y, 3, 2, weights=w).values[:] = 0
    np.testing.assert_array_equal(y, before[0])
    np.testing.assert_array_equal(w, before[1])
