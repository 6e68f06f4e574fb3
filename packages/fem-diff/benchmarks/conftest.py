"""One thread for every benchmark, and a table of ratios to the peer of each group at the end."""

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
    """Times a call under a name in a group: `timed(group, name, call, rounds, ...)` returns its result.

    The time of `peer`, another program, over this one, or this one's over `other`, also ours, goes into
    `extra_info`; either has to run before in the same group.
    """

    def run(group, name, call, *, rounds=3, peer=None, other=None):
        benchmark.group, benchmark.name = group, name
        result = benchmark.pedantic(call, rounds=rounds, warmup_rounds=int(rounds > 1))
        times = _times.setdefault(group, {})
        times[name] = benchmark.stats.stats.min
        if peer in times:
            benchmark.extra_info[f"{peer} / ours"] = times[peer] / times[name]
        if other in times and other != name:
            benchmark.extra_info[f"times {other}"] = times[name] / times[other]
        return result

    return run


def pytest_terminal_summary(terminalreporter):
    if not _times:
        return
    terminalreporter.section("ratios to the first of each group (smallest times, seconds)")
    for group, times in _times.items():
        terminalreporter.write_line(group)
        first = next(iter(times.values()))
        for name, seconds in times.items():
            terminalreporter.write_line(f"    {name:50} {seconds:9.4f}   {seconds / first:7.3f}x")
