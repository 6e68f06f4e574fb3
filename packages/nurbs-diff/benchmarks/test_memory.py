"""What the evaluation of a batch adds to the memory of a process at its peak, in sizes of the points."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

_MEASURE = """
import sys
import torch
sys.path.insert(0, sys.argv[1])
from peers import make_surfaces, ours

def field(name):
    with open("/proc/self/status") as status:
        return next(1024 * int(line.split()[1]) for line in status if line.startswith(name))

torch.set_num_threads(1)
case = make_surfaces(int(sys.argv[2]))
leaves = [x.requires_grad_() for x in case[:4]]
size = 4 * 3 * int(sys.argv[2]) * len(case.u) ** 2
upstream = torch.rand(int(sys.argv[2]), len(case.u), len(case.u), 3)
one = case._replace(control_points=case.control_points[:1], weights=case.weights[:1])
torch.autograd.grad(ours(one), leaves, upstream[:1])  # loads what the first call loads, 30 MB
with open("/proc/self/clear_refs", "w") as file:
    file.write("5")  # the peak starts anew
before = field("VmRSS")
if sys.argv[3] == "forward":
    with torch.no_grad():
        ours(case)
else:
    torch.autograd.grad(ours(case), leaves, upstream)
print((field("VmHWM") - before) / size)
"""


@pytest.mark.skipif(not Path("/proc/self/clear_refs").exists(), reason="reads the peak from Linux's /proc")
@pytest.mark.parametrize("what", ["forward", "forward and backward"])
@pytest.mark.parametrize("batch", [16, 64])
def test_peak_memory(what: str, batch: int, benchmark) -> None:
    command = [sys.executable, "-c", _MEASURE, str(Path(__file__).parent), str(batch), what]
    benchmark.group = "peak memory, 256 x 256 points, rational, with knots"
    benchmark.name = f"{what}, batch {batch}"
    done = benchmark.pedantic(
        lambda: subprocess.run(command, check=True, capture_output=True, text=True), rounds=1
    )
    benchmark.extra_info["peak over the size of the points"] = float(done.stdout)
