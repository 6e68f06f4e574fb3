"""One application of the operator against the time that memory needs for what it must read and write."""

from __future__ import annotations

import time

import pytest
import torch

from fem_diff import LagrangeSpace, Poisson, unit_square
from fem_diff._solvers.matrix_free import MatrixFree


def application(degree, elements, device, timed, rounds):
    space = LagrangeSpace(unit_square(elements), degree)
    generator = torch.Generator().manual_seed(0)
    nu = torch.rand(elements, elements, generator=generator, dtype=torch.float64).add(0.5).to(device)
    problem = Poisson(space, diffusivity=nu)
    system = MatrixFree(problem.form, problem.coefficients, problem.fixed, problem.batch, 1e-10)
    u = torch.rand(1, *space.node_shape, generator=generator, dtype=torch.float64).to(device)
    wait = torch.cuda.synchronize if device == "cuda" else lambda: None
    # A read and a write of all that one application must touch: u, the coefficient, K u.
    numbers = 2 * u.numel() + system.weighted[0].numel()
    block = torch.empty(numbers // 2, dtype=torch.float64, device=device)
    target = torch.empty_like(block)

    def copy():
        target.copy_(block)
        wait()

    def apply():
        out = system.apply(u)
        wait()
        return out

    copy()
    floor = min(_seconds(copy) for _ in range(5))
    group = f"one application of the operator on {device}, degree {degree}, {elements} x {elements} elements"
    out = timed(group, "fem-diff", apply, rounds=rounds)
    constant = system.apply(torch.ones_like(u))
    assert float(constant.abs().max()) < 1e-9 * float(out.abs().max())
    return group, floor


def _seconds(call):
    start = time.perf_counter()
    call()
    return time.perf_counter() - start


@pytest.mark.parametrize(("degree", "elements"), [(1, 1024), (2, 256), (3, 256)])
def test_on_the_cpu(degree, elements, timed, benchmark):
    _, floor = application(degree, elements, "cpu", timed, rounds=5)
    benchmark.extra_info["times the memory floor"] = benchmark.stats.stats.min / floor


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_on_a_gpu(timed, benchmark):
    _, floor = application(3, 2048, "cuda", timed, rounds=20)
    benchmark.extra_info["times the memory floor"] = benchmark.stats.stats.min / floor
