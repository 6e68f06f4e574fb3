"""Evaluation of ten splines, 128 x 128 coefficients to 512 x 512 values, and its peers in one group.

    pytest packages/implicit-seg/benchmarks --benchmark-group-by=group --benchmark-columns=median,rounds

The table's second number, in brackets, is the ratio to the fastest of the group.
"""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.interpolate import BSpline
from torch.nn.functional import interpolate
from torch.testing import assert_close

from implicit_seg import TensorProductSplineHead, collocation_matrix, evaluate_spline, open_uniform_knots

GRID, SIZE, BATCH = 128, 512, 10


@pytest.fixture(params=[1, 2], ids=["degree 1", "degree 2"])
def degree(request, benchmark):
    benchmark.group = f"{BATCH} splines of {request.node.callspec.id}, {GRID}^2 to {SIZE}^2"
    return request.param


@pytest.fixture(scope="module")
def net():
    return torch.randn(BATCH, 1, GRID, GRID, generator=torch.Generator().manual_seed(0))


def check(values, net, degree):
    want = evaluate_spline(net.double(), (SIZE, SIZE), degree)
    # sums of (degree + 1)^2 terms in float32; `interpolate` rounds parameters of up to 127 in float32
    assert_close(torch.as_tensor(values).double().reshape(want.shape), want, rtol=0, atol=5e-5)


def test_head(benchmark, net, degree):
    head = TensorProductSplineHead((GRID, GRID), (SIZE, SIZE), degree)
    check(benchmark(head, net), net, degree)


def test_two_stage_einsum_of_the_paper(benchmark, net, degree):
    matrix = collocation_matrix(GRID, SIZE, degree).float()

    def evaluate():
        half = torch.einsum("ik,mkl->mil", matrix, net[:, 0])
        return torch.einsum("jl,mil->mij", matrix, half)

    check(benchmark(evaluate), net, degree)


def test_scipy(benchmark, net, degree):
    knots = open_uniform_knots(GRID, degree).numpy()
    parameters = np.arange(SIZE) * (GRID - degree) / (SIZE - 1)
    coefficients = net[:, 0].numpy()

    def evaluate():
        half = BSpline(knots, coefficients, degree, axis=1)(parameters)
        return BSpline(knots, half, degree, axis=2)(parameters)

    check(benchmark(evaluate), net, degree)


def test_torch_interpolate(benchmark, net):
    benchmark.group = f"{BATCH} splines of degree 1, {GRID}^2 to {SIZE}^2"
    check(benchmark(interpolate, net, (SIZE, SIZE), mode="bilinear", align_corners=True), net, 1)


@pytest.mark.parametrize("way", ["head", "interpolate"])
def test_gradient(benchmark, net, way):
    benchmark.group = "the same of degree 1, forward and backward"
    head = TensorProductSplineHead((GRID, GRID), (SIZE, SIZE), 1)
    ways = {
        "head": head,
        "interpolate": lambda c: interpolate(c, (SIZE, SIZE), mode="bilinear", align_corners=True),
    }
    net = net.clone().requires_grad_()
    weights = torch.randn(BATCH, 1, SIZE, SIZE, generator=torch.Generator().manual_seed(1))

    def gradient():
        return torch.autograd.grad((ways[way](net) * weights).sum(), net)[0]

    matrix = collocation_matrix(GRID, SIZE, 1)
    want = matrix.T @ weights.double() @ matrix
    assert_close(
        benchmark(gradient).double(), want, rtol=0, atol=2e-3
    )  # sums of 64 terms; parameters as above
