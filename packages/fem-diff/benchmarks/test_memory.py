"""The memory of a solve: how far it lifts the peak of the resident set of a process of its own."""

from __future__ import annotations

import subprocess
import sys

CHILD = """
import resource, sys, torch
from fem_diff import LagrangeSpace, Poisson, solve, unit_square
import scipy.sparse.linalg
torch.set_num_threads(1)
problem = Poisson(LagrangeSpace(unit_square(256), 3), source=1.0, diffusivity=lambda x, y: 1 + x * y)
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
solve(problem, solver=sys.argv[1])
print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024)
"""


def test_memory(benchmark):
    """Degree 3 on 256 x 256 elements: what a solve adds to the problem itself."""

    def added(solver):
        return float(subprocess.check_output([sys.executable, "-c", CHILD, solver], text=True))

    ours = benchmark.pedantic(added, ("multigrid",), rounds=1)
    theirs = added("direct")
    benchmark.extra_info.update({"MB": ours, "MB of the direct solver": theirs, "ratio": ours / theirs})
    print(f"memory: {ours:.0f} MB, direct solver {theirs:.0f} MB, ratio {ours / theirs:.3f}")
    assert ours < theirs
