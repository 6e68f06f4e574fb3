"""One thread for every benchmark, and at the end what each peer takes as a multiple of ours."""

from __future__ import annotations

import pytest
import torch

_times: dict[str, dict[str, float]] = {}


@pytest.fixture(autouse=True)
def _one_thread():
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture
def timed(benchmark):
    """Times a call under a name in a group: `timed(group, name, call, rounds)` returns its result.

    Ours runs last in each group; the ratios of the peers to it go into `extra_info`, and so does the share of
    `share_of`, which runs first.
    """

    def run(group, name, call, *, rounds, share_of=None):
        benchmark.group = group
        result = benchmark.pedantic(call, rounds=rounds, warmup_rounds=1)
        times = _times.setdefault(group, {})
        times[name] = benchmark.stats.stats.min
        if name == "ours":
            for peer in times.keys() - {"ours"}:
                benchmark.extra_info[f"{peer} / ours"] = times[peer] / times["ours"]
        if share_of in times and share_of != name:
            benchmark.extra_info["share of the step"] = times[name] / times[share_of]
        return result

    return run


def pytest_terminal_summary(terminalreporter):
    if not _times:
        return
    terminalreporter.section("smallest times, and those of the peers as multiples of ours")
    for group, times in _times.items():
        terminalreporter.write_line(group)
        for name, seconds in times.items():
            ratio = f"{seconds / times['ours']:8.2f}x" if "ours" in times else ""
            terminalreporter.write_line(f"    {name:30} {1e3 * seconds:10.3f} ms {ratio}")
