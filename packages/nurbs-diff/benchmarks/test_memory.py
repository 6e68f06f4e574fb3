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
def test_peak_memory(what: str, batch: int, record_property, capsys) -> None:
    command = [sys.executable, "-c", _MEASURE, str(Path(__file__).parent), str(batch), what]
    peak = float(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    record_property("peak over points", peak)
    with capsys.disabled():
        print(f"\n{what}, batch {batch}: peak {peak:.2f} times the size of the points")
    assert peak <= 3
