"""Ten splines, 128 x 128 coefficients to 512 x 512 values, float32, beside peers in one group.

    OMP_NUM_THREADS=1 pytest packages/implicit-seg/benchmarks --benchmark-columns=min,median,rounds

"write" is the floor of the forward pass: the values are written once into fresh memory.
"""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.interpolate import BSpline
from torch.nn.functional import interpolate
from torch.testing import assert_close

from implicit_seg import TensorProductSplineHead, collocation_matrix, open_uniform_knots
from implicit_seg._splines.evaluation import contract

GRID, SIZE, BATCH = 128, 512, 10
DEGREE = pytest.mark.parametrize("degree", [1, 2, 3])


@pytest.fixture(scope="module")
def net():
    return torch.randn(BATCH, 1, GRID, GRID, generator=torch.Generator().manual_seed(0))


def two_stage_einsum(degree):
    """The paper's evaluation, section 3.3."""
    matrix = collocation_matrix(GRID, SIZE, degree).float()

    def evaluate(net):
        half = torch.einsum("ik,mkl->mil", matrix, net[:, 0])
        return torch.einsum("jl,mil->mij", matrix, half)[:, None]

    return evaluate


def scipy(degree):
    """Uses that the matrices are banded, and has no gradients."""
    knots = open_uniform_knots(GRID, degree).numpy()
    parameters = np.arange(SIZE) * (GRID - degree) / (SIZE - 1)

    def evaluate(net):
        half = BSpline(knots, net[:, 0].numpy(), degree, axis=1)(parameters)
        return torch.from_numpy(BSpline(knots, half, degree, axis=2)(parameters))[:, None]

    return evaluate


def torch_interpolate(degree):
    return lambda net: interpolate(net, (SIZE, SIZE), mode="bilinear", align_corners=True)


def ours(degree):
    return TensorProductSplineHead((GRID, GRID), (SIZE, SIZE), degree)


PEERS = {
    "two-stage einsum": two_stage_einsum,
    "scipy": scipy,
    "torch interpolate": torch_interpolate,
    "ours": ours,
}


def reference(net, degree):
    return contract(net.double(), [collocation_matrix(GRID, SIZE, degree)] * 2)


@DEGREE
@pytest.mark.parametrize("name", PEERS)
def test_forward(timed, net, degree, name):
    if name == "torch interpolate" and degree != 1:
        pytest.skip("linear only")
    evaluate = PEERS[name](degree)
    values = timed(f"forward, degree {degree}", name, lambda: evaluate(net), rounds=20)
    # `interpolate` rounds parameters of up to 127 in float32
    assert_close(
        values.double(), reference(net, degree), rtol=0, atol=1e-6 if name != "torch interpolate" else 5e-5
    )


def test_write(timed, net):
    values = timed(
        "floor of the forward pass", "write", lambda: net.new_ones(BATCH, 1, SIZE, SIZE), rounds=20
    )
    assert values.all()


@DEGREE
@pytest.mark.parametrize("name", ["two-stage einsum", "torch interpolate", "ours"])
def test_forward_and_backward(timed, net, degree, name):
    if name == "torch interpolate" and degree != 1:
        pytest.skip("linear only")
    evaluate, leaf = PEERS[name](degree), net.clone().requires_grad_()
    upstream = torch.randn(BATCH, 1, SIZE, SIZE, generator=torch.Generator().manual_seed(1))

    def run():
        return torch.autograd.grad(evaluate(leaf), leaf, upstream)[0]

    gradient = timed(f"forward and backward, degree {degree}", name, run, rounds=20)
    matrix = collocation_matrix(GRID, SIZE, degree)
    # sums of 64 terms in float32; parameters as above
    assert_close(gradient.double(), matrix.T @ upstream.double() @ matrix, rtol=0, atol=2e-3)
