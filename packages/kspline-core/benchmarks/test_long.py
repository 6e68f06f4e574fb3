"""Long signals on one thread, exact and greedy: `pytest benchmarks`. Answers are compared."""

from __future__ import annotations

import numpy as np
import pytest

from kspline_core import fit

N = 100_000


def make_signal(kind):
    rng = np.random.default_rng(0)
    noise = rng.standard_normal(N)
    if kind == "walk":
        return noise.cumsum()
    if kind == "heavy tails":
        return rng.standard_t(2, N)
    if kind == "sinusoid":
        return 4 * np.sin(np.arange(N) * 20 / N) + 5 * (np.arange(N) % 9973 > 5000) + noise
    return noise + np.repeat(3 * rng.standard_normal(20), N // 20) * (kind == "pieces")


@pytest.mark.parametrize("degree", [0, 1])
@pytest.mark.parametrize("kind", ["pieces", "noise", "walk", "heavy tails", "sinusoid"])
@pytest.mark.parametrize("method", ["lagrangian", "greedy"])
@pytest.mark.benchmark(group="long signals, K = 20")
def test_long(benchmark, kind, method, degree):
    y = make_signal(kind)
    spline = benchmark.pedantic(fit, (y, 20, degree), {"method": method, "threads": 1}, rounds=1)
    other = fit(y, 20, degree, method="greedy", threads=1)
    assert other.certificate.lower <= spline.cost <= other.cost * (1 + 1e-12)
