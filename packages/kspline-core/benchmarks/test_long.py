"""Long signals in straight pieces, exact; greedy fits beside their certificate. One thread.

No peer fits straight pieces exactly at this size: the answer is held against the bound of the greedy method,
and at n = 10,000 against the dense programme.
"""

from __future__ import annotations

import pytest

from kspline_core import fit

SIZES = [10_000, 100_000, 1_000_000]


@pytest.mark.benchmark(group="degree 1, exact, K = 50")
@pytest.mark.parametrize("n", SIZES)
def test_degree_1(benchmark, request, make_signal, kind, n):
    if n == SIZES[-1]:
        request.getfixturevalue("large")
    y = make_signal(kind, n, 50)
    rounds = {10_000: 9, 100_000: 3}.get(n, 1)
    spline = benchmark.pedantic(fit, (y, 50, 1), {"threads": 1}, rounds=rounds)
    other = fit(y, 50, 1, method="greedy", threads=1)
    assert other.certificate.lower <= spline.cost <= other.cost * (1 + 1e-12)
    if n == SIZES[0]:
        assert spline.cost == pytest.approx(float(fit(y, 50, 1, method="dense").cost), rel=1e-12)


@pytest.mark.benchmark(group="greedy, K = 50, with its certificate")
@pytest.mark.parametrize("degree", [0, 1])
@pytest.mark.parametrize("n", SIZES[1:])
def test_greedy(benchmark, request, make_signal, kind, n, degree):
    if n == SIZES[-1]:
        request.getfixturevalue("large")
    y = make_signal(kind, n, 50)
    spline = benchmark.pedantic(
        fit, (y, 50, degree), {"method": "greedy", "threads": 1}, rounds=3, warmup_rounds=1
    )
    assert spline.certificate.lower <= spline.cost
    if n == SIZES[1]:
        benchmark.extra_info["over the best"] = float(spline.cost / fit(y, 50, degree, threads=1).cost) - 1
    benchmark.extra_info["gap"] = float(spline.certificate.gap / spline.cost)
