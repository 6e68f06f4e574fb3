"""The memory of a solve: how far it lifts the peak of the resident set of a process of its own (Linux)."""

from __future__ import annotations

import subprocess
import sys

CHILD = """
import re, sys, torch
from pathlib import Path
from fem_diff import LagrangeSpace, Poisson, solve, unit_square
import scipy.sparse.linalg
def megabytes(name):
    return int(re.search(name + r":\\s+(\\d+)", Path("/proc/self/status").read_text())[1]) / 1024
torch.set_num_threads(1)
solve(Poisson(LagrangeSpace(unit_square(8), 3), source=1.0), solver=sys.argv[1])  # loads what it needs
problem = Poisson(LagrangeSpace(unit_square(256), 3), source=1.0, diffusivity=lambda x, y: 1 + x * y)
Path("/proc/self/clear_refs").write_text("5")  # the peak starts anew
before = megabytes("VmRSS")
solve(problem, solver=sys.argv[1])
print(megabytes("VmHWM") - before)
"""


def test_memory(benchmark):
    """Degree 3 on 256 x 256 elements: what a solve adds to the problem itself."""

    def added(solver):
        return float(subprocess.check_output([sys.executable, "-c", CHILD, solver], text=True))

    benchmark.group = "memory that a solve adds, degree 3, 256 x 256 elements"
    ours = benchmark.pedantic(added, ("multigrid",), rounds=1)
    theirs = added("direct")
    benchmark.extra_info.update({"MB": ours, "MB of the direct solver": theirs, "ratio": ours / theirs})
    print(f"memory: {ours:.0f} MB, direct solver {theirs:.0f} MB, ratio {ours / theirs:.3f}")
    assert ours < theirs
