"""The banded products beside the dense ones, which are the reference."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch.testing import assert_close

from implicit_seg import TensorProductSplineHead, collocation_matrix, evaluate_spline
from implicit_seg._splines.banded import BandProduct, collocation_band
from implicit_seg._splines.evaluation import contract

EPS = torch.finfo(torch.float64).eps
AXES = st.integers(0, 3).flatmap(
    lambda degree: st.tuples(st.integers(degree + 1, 70), st.integers(2, 300), st.just(degree))
)


def random(*shape: int, dtype: torch.dtype = torch.float64) -> torch.Tensor:
    return torch.randn(*shape, dtype=dtype, generator=torch.Generator().manual_seed(0))


@settings(max_examples=40, deadline=None)
@given(AXES, st.sampled_from([-1, -2, -3]))
def test_product_and_adjoint_equal_those_of_the_matrix(case, axis):
    n, size, degree = case
    matrix, band = collocation_matrix(n, size, degree), collocation_band(n, size, degree)
    shape = [2, 3, 4]
    shape[axis] = n
    x, expected = random(*shape), [*shape]
    want = torch.tensordot(x, matrix, ([axis], [1])).movedim(-1, axis)
    # sums of up to degree + 1 terms (forward) and of some 300 (backward) of order one, in another order
    assert_close(BandProduct.apply(x, band, axis), want, rtol=0, atol=4 * (degree + 1) * EPS)
    expected[axis] = size
    g = random(*expected)
    back = torch.tensordot(g, matrix, ([axis], [0])).movedim(-1, axis)
    assert_close(BandProduct.apply(g, band.adjoint, axis), back, rtol=0, atol=300 * EPS)


@pytest.mark.parametrize("degree", [0, 1, 2, 3])
@pytest.mark.parametrize(
    ("grid", "size"), [((9,), (40,)), ((7, 5), (30, 90)), ((20, 30), (8, 3)), ((5, 4, 6), (9, 17, 12))]
)
def test_values_and_gradients_equal_those_of_the_matrices(grid, size, degree):
    net = random(2, 3, *grid).requires_grad_()
    matrices = [collocation_matrix(n, m, degree) for n, m in zip(grid, size, strict=True)]
    values, want = evaluate_spline(net, size, degree), contract(net, matrices)
    assert_close(values, want, rtol=0, atol=4 * (degree + 1) ** len(grid) * EPS)
    upstream = random(*values.shape)
    got, expected = (torch.autograd.grad(v, net, upstream)[0] for v in (values, want))
    assert_close(got, expected, rtol=0, atol=16 * EPS * float(expected.abs().max()))


def test_second_derivatives_tangents_and_batches_of_functions():
    net, head = random(2, 1, 5, 6), TensorProductSplineHead((5, 6), (9, 20), 2)
    small = TensorProductSplineHead((4, 3), (5, 4), 2)
    assert torch.autograd.gradgradcheck(lambda c: small(c).sin(), random(1, 1, 4, 3).requires_grad_())
    tangent = random(2, 1, 5, 6)
    assert_close(torch.func.jvp(head, (net,), (tangent,))[1], head(tangent))
    stacked = random(4, 2, 1, 5, 6)
    assert_close(torch.func.vmap(head)(stacked), torch.stack([head(c) for c in stacked]))
    jacobian = torch.func.jacrev(lambda c: head(c).flatten())(net[:1])
    assert_close((jacobian.flatten(1) @ net[0].flatten()).view(9, 20), head(net[:1])[0, 0])


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16])
def test_dtype_is_that_of_the_coefficients(dtype):
    net = random(2, 1, 12, 10).to(dtype)
    values = evaluate_spline(net, (30, 40), 2)
    assert values.dtype == dtype
    # inputs and weights are rounded to the dtype, one intermediate too: three roundings of numbers below 4
    assert_close(
        values.double(), evaluate_spline(net.double(), (30, 40), 2), rtol=0, atol=12 * torch.finfo(dtype).eps
    )


def test_an_empty_batch_and_a_strided_one():
    assert evaluate_spline(torch.zeros(0, 1, 4, 5), (8, 9)).shape == (0, 1, 8, 9)
    net = random(3, 6, 5, 2).permute(0, 3, 2, 1)
    assert torch.equal(evaluate_spline(net, (8, 9)), evaluate_spline(net.contiguous(), (8, 9)))


def test_nan_stays_where_the_spline_can_feel_it():
    net = torch.zeros(1, 1, 40, 40)
    net[0, 0, 20, 20] = torch.nan
    values = evaluate_spline(net, (157, 157), 1)[0, 0]
    assert values[:70].isfinite().all()
    assert values[80, 80].isnan()


@pytest.mark.parametrize("way", ["export", "trace"])
def test_a_recorded_graph_has_plain_products(way):
    head, net = TensorProductSplineHead((8, 7), (20, 30), 2), random(2, 1, 8, 7, dtype=torch.float32)
    if way == "export":
        graph = torch.export.export(nn.Sequential(head), (net,)).module()
    else:
        graph = torch.jit.trace(head, net)
    assert_close(graph(net), head(net), rtol=0, atol=16 * torch.finfo(torch.float32).eps)
