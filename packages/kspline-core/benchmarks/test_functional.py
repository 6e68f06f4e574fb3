"""Functional pruning against ruptures, and penalised fits against skchange: one thread, same answer.

Each row runs its peer in the same test, checks that both find the same breakpoints, and states the ratio of
the least times as `extra_info`. `KSPLINE_BENCH_LARGE=1` adds n = 30,000 and n = 1,000,000 (minutes, most of
them ruptures').
"""

from __future__ import annotations

import os
import time

import numpy as np
import pytest

from kspline_core import fit, fit_penalized

LARGE = os.environ.get("KSPLINE_BENCH_LARGE") == "1"
KINDS = ("constants", "noise", "walk", "tails", "sinusoid", "integers")
# the peer's time does not depend on the signal: for the other kinds one number of pieces is enough
CASES = [
    *[
        ("constants", n, pieces)
        for n in (1000, 10_000, *([30_000] if LARGE else []))
        for pieces in (5, 20, 50)
    ],
    *[(kind, n, 20) for n in (1000, 10_000) for kind in KINDS[1:]],
]


def make_signal(kind, n, pieces, seed=0):
    """The last three are not what the solver was tuned on."""
    rng = np.random.default_rng(seed)
    levels = np.repeat(rng.standard_normal(pieces) * 3, -(-n // pieces))[:n]
    noise = rng.standard_normal(n)
    return {
        "constants": levels + noise,
        "noise": noise,
        "walk": noise.cumsum(),
        "tails": levels + rng.standard_t(2, n),
        "sinusoid": 3 * np.sin(np.arange(n) * 30 / n) + levels + noise,
        "integers": np.round(levels + 2 * noise) + noise / 1024,
    }[kind]


def least_time(call, rounds):
    times = []
    for _ in range(rounds):
        start = time.perf_counter()
        result = call()
        times.append(time.perf_counter() - start)
    return min(times), result


def kernel_cpd(y, pieces):
    ruptures = pytest.importorskip("ruptures")
    search = ruptures.KernelCPD(kernel="linear", min_size=1)
    return search.fit(y[:, None]).predict(n_bkps=pieces - 1)


@pytest.mark.benchmark(group="functional pruning over KernelCPD")
@pytest.mark.parametrize(("kind", "n", "pieces"), CASES)
def test_kernel_cpd(benchmark, kind, n, pieces):
    y = make_signal(kind, n, pieces)
    peer, want = least_time(lambda: kernel_cpd(y, pieces), 3 if n == 1000 else 1)
    spline = benchmark.pedantic(fit, (y, pieces), {"threads": 1}, rounds=5, warmup_rounds=1)
    assert spline.breakpoints[1:].tolist() == want
    benchmark.extra_info["times KernelCPD"] = peer / benchmark.stats.stats.min


@pytest.mark.skipif(not LARGE, reason="KSPLINE_BENCH_LARGE=1 is not set")
@pytest.mark.benchmark(group="exact, n = 1,000,000, K = 50")
@pytest.mark.parametrize("kind", KINDS)
def test_a_million_samples(benchmark, kind):
    y = make_signal(kind, 1_000_000, 50)
    spline = benchmark.pedantic(fit, (y, 50), {"threads": 1}, rounds=3)
    # no peer gets here; the certificate: a Lagrangian bound from the penalised fit of nearly as many pieces
    penalty = float(fit(y, 49, threads=1).cost - fit(y, 51, threads=1).cost) / 2
    relaxed = fit_penalized(y, penalty)
    bound = relaxed.cost + penalty * (relaxed.pieces - 50)
    assert spline.cost >= bound * (1 - 1e-12)
    benchmark.extra_info["gap to the Lagrangian bound"] = float(spline.cost - bound)


@pytest.mark.benchmark(group="penalised over skchange's FPOP")
@pytest.mark.parametrize("n", [10_000, *([1_000_000] if LARGE else [])])
@pytest.mark.parametrize("kind", KINDS)
def test_fpop(benchmark, kind, n):
    detectors = pytest.importorskip("skchange.detectors")
    y = make_signal(kind, n, 50)
    penalty = 2 * np.log(n)
    search = detectors.FPOP(penalty=penalty).fit(y[:, None])
    search.predict(y[:100, None])  # compiles
    peer, want = least_time(lambda: search.predict(y[:, None]), 3)
    spline = benchmark.pedantic(fit_penalized, (y, penalty), rounds=3, warmup_rounds=1)
    assert spline.breakpoints[1:-1].tolist() == want.tolist()
    benchmark.extra_info["times skchange"] = peer / benchmark.stats.stats.min
