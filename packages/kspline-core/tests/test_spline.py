"""The result: its polynomials, its Jacobian, and how it shows itself."""

from __future__ import annotations

import matplotlib.figure
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kspline_core import fit

EPS = np.finfo(float).eps
DEGREES = range(4)


def dense_jacobian(spline):
    """B (B^T W B)^-1 B^T W, piece by piece, by numpy's SVD."""
    n = spline.values.size
    w = np.ones(n) if spline.weights is None else spline.weights
    jacobian = np.zeros((n, n))
    for a, b in zip(spline.breakpoints[:-1], spline.breakpoints[1:], strict=True):
        seen = np.flatnonzero(w[a:b] > 0)
        terms = min(spline.degree + 1, seen.size)
        x = (np.arange(b - a) - seen.mean()) / (b - a)
        basis = np.vander(x, terms)
        root = np.sqrt(w[a:b])
        jacobian[a:b, a:b] = basis @ np.linalg.pinv(basis * root[:, None]) * root
    return jacobian


@pytest.mark.parametrize("degree", DEGREES)
@pytest.mark.parametrize("weighted", [False, True])
def test_jacobian_is_the_block_projector(rng, degree, weighted):
    y = rng.standard_normal(90).cumsum()
    w = rng.uniform(0.1, 2, 90) * (rng.random(90) > 0.2) if weighted else None
    spline = fit(y, 8, degree, weights=w)
    want = dense_jacobian(spline)
    eye = np.eye(90)
    np.testing.assert_allclose(
        spline.jvp(eye).T, want, rtol=0, atol=1e-11
    )  # the reference squares no condition
    np.testing.assert_allclose(spline.vjp(eye), want, rtol=0, atol=1e-11)
    np.testing.assert_allclose(spline.jvp(np.where(want.any(0), y, 0)), spline.values, rtol=0, atol=1e-10)


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 80), st.integers(0, 3), st.booleans(), st.data())
def test_projector_is_idempotent_and_self_adjoint(n, degree, weighted, data):
    pieces = data.draw(st.integers(1, n))
    rng = np.random.default_rng(data.draw(st.integers(0, 2**32 - 1)))
    w = rng.uniform(0.1, 10, n) if weighted else None
    spline = fit(rng.standard_normal(n), pieces, degree, weights=w)
    u, v = rng.standard_normal((2, n))
    once = spline.jvp(v)
    # a projector of norm at most sqrt(max w / min w) = 10; sums of at most 80 terms
    atol = 10 * 80 * EPS * np.abs(v).max()
    np.testing.assert_allclose(spline.jvp(once), once, rtol=0, atol=10 * atol)
    assert u @ once == pytest.approx(spline.vjp(u) @ v, abs=80 * atol)
    if not weighted:
        np.testing.assert_array_equal(spline.vjp(v), once)
        assert np.linalg.norm(once) <= np.linalg.norm(v) * (1 + 80 * EPS)


def test_degree_0_averages_within_pieces():
    """Theorem 1 of the paper: every entry of a block is 1 / |I|."""
    spline = fit(np.array([0.0, 0.0, 0.0, 5.0, 5.0]), 2)
    want = np.zeros((5, 5))
    want[:3, :3], want[3:, 3:] = 1 / 3, 1 / 2
    np.testing.assert_allclose(spline.jvp(np.eye(5)), want, rtol=0, atol=2 * EPS)


@pytest.mark.parametrize("degree", DEGREES)
def test_jacobian_equals_finite_differences_while_no_breakpoint_moves(rng, degree):
    y = np.repeat(rng.standard_normal(5) * 20, 12) + rng.standard_normal(60)
    spline = fit(y, 5, degree)
    step = 1e-5
    plus, minus = fit(y + step * np.eye(60), 5, degree), fit(y - step * np.eye(60), 5, degree)
    assert (plus.breakpoints == spline.breakpoints).all()
    assert (minus.breakpoints == spline.breakpoints).all()
    difference = (plus.values - minus.values) / (2 * step)
    # the forward is linear as long as no breakpoint moves: only rounding, eps * |y| / step, remains
    np.testing.assert_allclose(
        difference, spline.jvp(np.eye(60)), rtol=0, atol=8 * EPS * np.abs(y).max() / step
    )


def test_a_long_piece_keeps_its_digits():
    j = np.arange(200_001.0)
    y = 3.0 - 2e-4 * j + 5e-10 * j**2 + 1e-15 * j**3
    spline = fit(y, 1, 3)
    np.testing.assert_allclose(spline.values, y, rtol=0, atol=64 * EPS * np.abs(y).max())
    np.testing.assert_allclose(spline.coefficients[0], [3.0, -2e-4, 5e-10, 1e-15], rtol=1e-9)


@pytest.mark.parametrize("degree", DEGREES)
def test_coefficients_are_powers_of_the_distance_from_the_piece_start(rng, degree):
    spline = fit(rng.standard_normal((4, 80)).cumsum(-1), 6, degree)
    for row in range(4):
        one = spline[row]
        for i in range(6):
            a, b = one.breakpoints[i : i + 2]
            values = np.polynomial.polynomial.polyval(np.arange(b - a), one.coefficients[i])
            np.testing.assert_allclose(
                values, one.values[a:b], rtol=0, atol=256 * EPS * np.abs(one.values).max()
            )


@pytest.mark.parametrize("degree", DEGREES)
def test_to_ppoly(rng, degree):
    pytest.importorskip("scipy", reason="scipy is not installed")
    spline = fit(rng.standard_normal(40), 5, degree)
    polynomial = spline.to_ppoly()
    np.testing.assert_allclose(polynomial(np.arange(40)), spline.values, rtol=0, atol=256 * EPS)
    assert polynomial.x[-1] == 40


def test_plot(rng):
    y = rng.standard_normal(40)
    spline = fit(y, 5, 2)
    axes = matplotlib.figure.Figure().add_subplot()
    assert spline.plot(y, ax=axes) is axes
    assert len(axes.lines) == 6
    np.testing.assert_array_equal(axes.lines[0].get_ydata(), y)
    assert len(spline.plot().lines) == 5
    matplotlib.pyplot.close("all")


def test_repr(rng):
    one = fit([0.0, 0.0, 1.0], 2)
    assert repr(one) == "KSpline(n=3, pieces=2, degree=0, cost=0)"
    assert repr(fit(np.zeros((4, 2, 5)), 2, 1)) == (
        "KSpline(batch=(4, 2), n=5, pieces=2, degree=1, total_cost=0)"
    )
