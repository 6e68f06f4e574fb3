"""Degrees above 0 against NumPy, the layer, the dense programme: one thread, answers compared.

The ratio of a group's rows is what counts; the seconds belong to the machine.
"""

from __future__ import annotations

import numpy as np
import pytest

from kspline_core import fit


def kspline(y, pieces, degree):
    return fit(y, pieces, degree, min_size=degree + 2, threads=1).breakpoints[1:].tolist()


def numpy_dp(y, pieces, degree):
    """The plain reference: prefix sums, and one vector operation for all levels and starts of an end."""
    n, smallest = y.size, degree + 2
    j = np.arange(n) - n / 2
    moments = [np.concatenate([[0], np.cumsum(f)]) for f in (np.ones(n), y, y * y, j, j * j, j * y)]
    best = np.full((pieces + 1, n + 1), np.inf)
    back = np.zeros((pieces + 1, n + 1), dtype=int)
    best[0, 0] = 0
    for end in range(smallest, n + 1):
        starts = slice(0, end - smallest + 1)
        one, s, ss, x, xx, xs = (m[end] - m[starts] for m in moments)
        cost = ss - s * s / one
        if degree == 1:
            cost = cost - (xs - x * s / one) ** 2 / (xx - x * x / one)
        total = best[:pieces, starts] + cost
        back[1:, end] = total.argmin(axis=1)
        best[1:, end] = total.min(axis=1)
    ends = [n]
    for k in range(pieces, 1, -1):
        ends.append(int(back[k, ends[-1]]))
    return ends[::-1]


@pytest.fixture(scope="module")
def degree_1(make_signal):
    y = np.cumsum(make_signal("steps", 2000, 20)) / 10
    return y, numpy_dp(y, 20, 1)


@pytest.mark.benchmark(group="degree 1, n = 2000, K = 20")
@pytest.mark.parametrize("peer", [kspline, numpy_dp])
def test_degree_1(benchmark, degree_1, peer):
    y, want = degree_1
    result = benchmark.pedantic(peer, (y, 20, 1), rounds=3, warmup_rounds=1)
    assert result == want


@pytest.mark.benchmark(group="layer, batch 64 x 1024, K = 10, degree 1")
@pytest.mark.parametrize("direction", ["forward", "backward"])
def test_layer(benchmark, direction):
    y = np.random.default_rng(0).standard_normal((64, 1024)).cumsum(-1)
    spline = fit(y, 10, 1, threads=1)
    if direction == "forward":
        result = benchmark.pedantic(fit, (y, 10, 1), {"threads": 1}, rounds=3).values
    else:
        result = benchmark(spline.vjp, y, threads=1)
    np.testing.assert_allclose(
        result, spline.values, rtol=0, atol=1e-12 * np.abs(y).max()
    )  # J^T y = J y = values


@pytest.mark.benchmark(group="dense dynamic programme, n = 4000")
@pytest.mark.parametrize("pieces", [20, 50])
@pytest.mark.parametrize("degree", range(4))
def test_dense(benchmark, make_signal, degree, pieces):
    """Cells a second: there are n^2 (K - 1) / 2."""
    y = make_signal("steps", 4000, pieces)
    spline = benchmark.pedantic(fit, (y, pieces, degree), {"method": "dense", "threads": 1}, rounds=9)
    np.testing.assert_allclose(spline.jvp(y), spline.values, rtol=0, atol=1e-11 * np.abs(y).max())
    benchmark.extra_info["Gcell/s"] = 4000**2 * (pieces - 1) / 2 / benchmark.stats.stats.min / 1e9
