"""The torch layer: backward beside forward, training steps beside KernelCPD, and a GPU beside the CPU."""

from __future__ import annotations

import numpy as np
import pytest
import ruptures
import torch

from kspline_core import fit
from kspline_core.torch import kspline


def signals(batch, n, pieces, seed=0):
    """Steps in noise."""
    rng = np.random.default_rng(seed)
    steps = np.repeat(rng.standard_normal((batch, pieces)) * 3, -(-n // pieces), axis=1)[:, :n]
    return torch.from_numpy(steps + rng.standard_normal((batch, n)))


@pytest.mark.benchmark(group="torch, batch 64 x 1024, K = 10")
@pytest.mark.parametrize("degree", [0, 1])
@pytest.mark.parametrize("direction", ["forward", "backward"])
def test_backward(benchmark, direction, degree):
    y = signals(64, 1024, 10).requires_grad_()
    h = kspline(y, 10, degree, threads=1)
    if direction == "forward":
        result = benchmark.pedantic(kspline, (y, 10, degree), {"threads": 1}, rounds=5)
    else:
        (result,) = benchmark.pedantic(
            torch.autograd.grad, (h, y, h.detach()), {"retain_graph": True}, rounds=20, warmup_rounds=1
        )
    torch.testing.assert_close(result, h, rtol=0, atol=1e-11)  # J^T h = h


def ours(y):
    y = y.clone().requires_grad_()
    values = kspline(y, 10, threads=1)
    values.sum().backward()
    return values.detach()


def kernel_cpd(y):
    """Forward alone, and no values: what a user of it would still have to write."""
    for signal in y.numpy():
        ruptures.KernelCPD(kernel="linear", min_size=1).fit(signal[:, None]).predict(n_bkps=9)
    return kspline(y, 10)


@pytest.mark.benchmark(group="batch 64 x 256, K = 10: ours forward and backward, KernelCPD forward in a loop")
@pytest.mark.parametrize("peer", [ours, kernel_cpd])
def test_training_step(benchmark, peer):
    y = signals(64, 256, 10)
    values = benchmark.pedantic(peer, (y,), rounds=30, warmup_rounds=1)
    torch.testing.assert_close(values, kspline(y, 10), rtol=0, atol=1e-12)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
@pytest.mark.benchmark(group="batch 1024 x 1024, K = 10, degree 1: CUDA beside two cores")
@pytest.mark.parametrize("backend", ["core", "triton", "torch"])
def test_gpu(benchmark, backend):
    y = signals(1024, 1024, 10)
    want = fit(y[:8].numpy(), 10, 1).values
    y = y if backend == "core" else y.cuda()

    def run():
        values = kspline(y, 10, 1, backend=backend, threads=2)
        if y.is_cuda:
            torch.cuda.synchronize()
        return values

    values = benchmark.pedantic(run, rounds=3, warmup_rounds=1)
    np.testing.assert_allclose(values[:8].cpu().numpy(), want, rtol=0, atol=1e-11)
