"""Against ruptures, an independent library for change points."""

from __future__ import annotations

import numpy as np
import pytest
import ruptures

from kspline_core import fit

KINDS = ("piecewise", "noise", "walk")


def make_signal(kind, n, rng):
    if kind == "noise":
        return rng.standard_normal(n)
    if kind == "walk":
        return rng.standard_normal(n).cumsum()
    return np.repeat(rng.standard_normal(10), n // 10) * 3 + rng.standard_normal(n // 10 * 10)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("pieces", [2, 3, 8, 25])
@pytest.mark.parametrize("min_size", [1, 7])
def test_degree_0_equals_kernel_cpd(rng, kind, pieces, min_size):
    y = make_signal(kind, 400, rng)
    want = ruptures.KernelCPD(kernel="linear", min_size=min_size).fit(y[:, None]).predict(n_bkps=pieces - 1)
    spline = fit(y, pieces, 0, min_size=min_size)
    np.testing.assert_array_equal(spline.breakpoints[1:], want)


@pytest.mark.parametrize("kind", KINDS)
def test_degree_1_equals_dynp(rng, kind):
    y = make_signal(kind, 150, rng)
    columns = np.column_stack([y, np.ones(y.size), np.arange(y.size)])
    want = ruptures.Dynp(model="linear", jump=1, min_size=4).fit(columns).predict(n_bkps=3)
    spline = fit(y, 4, 1, min_size=4)
    np.testing.assert_array_equal(spline.breakpoints[1:], want)


@pytest.mark.parametrize("degree", range(4))
def test_cost_equals_polyfit_on_the_same_pieces(rng, degree):
    y = make_signal("walk", 600, rng)
    spline = fit(y, 12, degree)
    want = 0.0
    for a, b in zip(spline.breakpoints[:-1], spline.breakpoints[1:], strict=True):
        x = np.linspace(-1, 1, b - a)
        p = np.polynomial.Polynomial.fit(x, y[a:b], min(degree, b - a - 1))
        want += float(((p(x) - y[a:b]) ** 2).sum())
        np.testing.assert_allclose(spline.values[a:b], p(x), rtol=0, atol=1e-12 * np.abs(y).max())
    assert float(spline.cost) == pytest.approx(want, rel=1e-11)
