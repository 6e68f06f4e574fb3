"""Constant pieces, exact, against ruptures; penalised fits against skchange: one thread, answers compared.

Each test runs its peer too and states the ratio of the least times beside its own.
"""

from __future__ import annotations

import subprocess
import sys
import time

import numpy as np
import pytest

from kspline_core import fit, fit_penalized

# KernelCPD's time does not depend on the signal: for the other kinds one number of pieces is enough
CASES = [
    *[("steps", n, pieces) for n in (1000, 10_000, 30_000) for pieces in (5, 20, 50)],
    *[
        (kind, n, 20)
        for n in (1000, 10_000)
        for kind in ("noise", "walk", "heavy tails", "sinusoid and jumps", "recording")
    ],
]


def least_time(call, rounds):
    times = []
    for _ in range(rounds):
        start = time.perf_counter()
        result = call()
        times.append(time.perf_counter() - start)
    return min(times), result


def cost_of(y, ends):
    return sum(((piece - piece.mean()) ** 2).sum() for piece in np.split(y, ends[:-1]))


@pytest.mark.benchmark(group="degree 0, exact, over ruptures' KernelCPD")
@pytest.mark.parametrize(("kind", "n", "pieces"), CASES)
def test_kernel_cpd(benchmark, request, make_signal, kind, n, pieces):
    ruptures = pytest.importorskip("ruptures")
    if n > 10_000:
        request.getfixturevalue("large")
    y = make_signal(kind, n, pieces)
    search = ruptures.KernelCPD(kernel="linear", min_size=1)
    peer, want = least_time(lambda: search.fit(y[:, None]).predict(n_bkps=pieces - 1), 3 if n == 1000 else 1)
    spline = benchmark.pedantic(fit, (y, pieces), {"threads": 1}, rounds=9, warmup_rounds=1)
    if kind == "recording":  # integers: ties
        assert spline.cost == pytest.approx(cost_of(y, want), rel=1e-12)
    else:
        assert spline.breakpoints[1:].tolist() == want
    benchmark.extra_info["KernelCPD / ours"] = peer / benchmark.stats.stats.min


PEAK = """
import sys
import numpy
from kspline_core import fit

def kilobytes():
    (line,) = [line for line in open("/proc/self/status") if line.startswith("VmHWM")]
    return int(line.split()[1])

y = numpy.load(sys.argv[1])
fit(y[:100_000], 50, threads=1)
open("/proc/self/clear_refs", "w").write("5")  # the peak begins here
before = kilobytes()
spline = fit(y, 50, threads=1)
print((kilobytes() - before) * 1024 / y.size)
"""


def extra_memory(y, path):
    """Bytes a sample by which the resident set grows at most during a fit in 50 pieces, values included."""
    np.save(path, y)
    return float(subprocess.check_output([sys.executable, "-c", PEAK, str(path)], text=True))


@pytest.mark.usefixtures("large")
@pytest.mark.benchmark(group="degree 0, exact, n = 1,000,000, K = 50")
def test_a_million_samples(benchmark, make_signal, tmp_path, kind):
    y = make_signal(kind, 1_000_000, 50)
    spline = benchmark.pedantic(fit, (y, 50), {"threads": 1}, rounds=3)
    # no peer gets here; the certificate: a Lagrangian bound from the penalised fit of nearly as many pieces
    penalty = float(fit(y, 49, threads=1).cost - fit(y, 51, threads=1).cost) / 2
    relaxed = fit_penalized(y, penalty)
    bound = relaxed.cost + penalty * (relaxed.pieces - 50)
    assert spline.cost >= bound * (1 - 1e-12)
    benchmark.extra_info["gap to the Lagrangian bound"] = float(1 - bound / spline.cost)
    benchmark.extra_info["bytes a sample"] = extra_memory(y, tmp_path / "y.npy")


@pytest.mark.benchmark(group="penalised, over skchange's FPOP")
@pytest.mark.parametrize("n", [10_000, 1_000_000])
def test_fpop(benchmark, request, make_signal, kind, n):
    detectors = pytest.importorskip("skchange.detectors")
    if n > 10_000:
        request.getfixturevalue("large")
    y = make_signal(kind, n, 50)
    penalty = 2 * np.log(n) * (np.abs(np.diff(y)).mean() / 1.128) ** 2  # BIC's, for the noise
    search = detectors.FPOP(penalty=penalty).fit(y[:, None])
    search.predict(y[:100, None])  # compiles
    peer, want = least_time(lambda: search.predict(y[:, None]), 5)
    spline = benchmark.pedantic(fit_penalized, (y, penalty), rounds=5, warmup_rounds=1)
    if kind == "recording":
        total = float(spline.cost) + penalty * spline.pieces
        assert cost_of(y, [*want.tolist(), n]) + penalty * (len(want) + 1) == pytest.approx(total, rel=1e-9)
    else:
        assert spline.breakpoints[1:-1].tolist() == want.tolist()
    benchmark.extra_info["skchange / ours"] = peer / benchmark.stats.stats.min
