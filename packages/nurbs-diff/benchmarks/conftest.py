"""One thread for every benchmark, and at the end what each peer takes as a multiple of ours."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
import torch

sys.path.insert(0, str(Path(__file__).parent))  # for peers, whatever pytest's import mode

_times: dict[str, dict[str, float]] = {}

#: NURBSDiff 2.0 (compiled; not on the package index) and the peers that are, milliseconds, one thread, on
#: one and the same machine. The re-written gather formulation stands for it where its ratios to them come
#: within 20 % of these.
NURBSDIFF = {
    "forward, batch 1": (14.3, {"torchnodo": 15.1, "splinepy": 20.5, "geomdl": 850.0}),
    "forward, batch 16": (608.0, {"torchnodo": 282.0}),
    "forward + backward, batch 1": (36.0, {"torchnodo": 42.1}),
    "forward + backward, batch 16": (1201.0, {"torchnodo": 704.0}),
}


@pytest.fixture(autouse=True)
def _one_thread():
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture
def timed(benchmark):
    """Times a call under a name in a group: `timed(group, name, call, rounds)` returns its result.

    Ours runs last in each group; the ratios of the peers to it go into `extra_info`.
    """

    def run(group, name, call, *, rounds):
        benchmark.group = group
        result = benchmark.pedantic(call, rounds=rounds, warmup_rounds=1)
        times = _times.setdefault(group, {})
        times[name] = benchmark.stats.stats.min
        if name == "ours":
            for peer in times.keys() - {"ours"}:
                benchmark.extra_info[f"{peer} / ours"] = times[peer] / times["ours"]
        return result

    return run


def pytest_terminal_summary(terminalreporter):
    if not _times:
        return
    terminalreporter.section("smallest times, and those of the peers as multiples of ours")
    for group, times in _times.items():
        terminalreporter.write_line(group)
        for name, seconds in times.items():
            ratio = f"{seconds / times['ours']:8.1f}x" if "ours" in times else ""
            terminalreporter.write_line(f"    {name:30} {1e3 * seconds:10.3f} ms {ratio}")
        milliseconds, peers = NURBSDIFF.get(group, (0.0, {}))
        for peer in peers.keys() & times.keys():
            ours, theirs = times["gather"] / times[peer], milliseconds / peers[peer]
            verdict = (
                "within 20 %" if 0.8 <= ours / theirs <= 1.2 else f"NOT within 20 %: {ours / theirs:.2f}"
            )
            terminalreporter.write_line(
                f"    gather / {peer} = {ours:.3f}; NURBSDiff / {peer} = {theirs:.3f}: {verdict}"
            )
