from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.interpolate import BSpline, NdBSpline
from torch.nn.functional import interpolate
from torch.testing import assert_close

from implicit_seg import TensorProductSplineHead, collocation_matrix, evaluate_spline, open_uniform_knots

EPS = torch.finfo(torch.float64).eps
DEGREES = pytest.mark.parametrize("degree", [0, 1, 2, 3])


def test_knots_are_those_of_the_paper():
    assert open_uniform_knots(5, 2).tolist() == [0, 0, 0, 1, 2, 3, 3, 3]
    assert open_uniform_knots(4, 0).tolist() == [0, 1, 2, 3, 4]


@settings(max_examples=60, deadline=None)
@given(degree=st.integers(0, 3), extra=st.integers(1, 40), size=st.integers(2, 90))
def test_collocation_equals_scipy(degree, extra, size):
    n = degree + extra
    parameters = np.arange(size) * (n - degree) / (size - 1)
    want = BSpline.design_matrix(parameters, open_uniform_knots(n, degree).numpy(), degree).toarray()
    matrix = collocation_matrix(n, size, degree)
    # 4 eps a level of the recursion: two products, a sum and a difference
    assert_close(matrix, torch.from_numpy(want), rtol=0, atol=4 * degree * EPS)
    assert_close(
        matrix.sum(1), torch.ones(size, dtype=torch.float64), rtol=0, atol=4 * EPS
    )  # partition of unity
    assert matrix.min() >= 0


@DEGREES
def test_the_last_interval_is_closed(degree):
    matrix = collocation_matrix(6, 17, degree)
    assert matrix[0].tolist() == [1, 0, 0, 0, 0, 0]
    assert matrix[-1].tolist() == [0, 0, 0, 0, 0, 1]


@DEGREES
def test_surface_equals_scipy(degree, generator):
    net = torch.randn(3, 2, 7, 9, dtype=torch.float64, generator=generator)
    values = evaluate_spline(net, (12, 5), degree)
    knots = tuple(open_uniform_knots(n, degree).numpy() for n in (7, 9))
    axes = [np.arange(m) * (n - degree) / (m - 1) for n, m in ((7, 12), (9, 5))]
    points = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1)
    want = NdBSpline(knots, net.permute(2, 3, 0, 1).contiguous().numpy(), degree)(points)
    # sums of (degree + 1)^2 terms of order one in another order
    assert_close(values, torch.from_numpy(want).permute(2, 3, 0, 1), rtol=0, atol=4 * (degree + 1) ** 2 * EPS)


@pytest.mark.parametrize(
    ("mode", "grid", "size"), [("bilinear", (5, 8), (31, 9)), ("trilinear", (4, 5, 6), (9, 7, 8))]
)
def test_degree_one_is_linear_interpolation_with_aligned_corners(mode, grid, size, generator):
    net = torch.randn(2, 3, *grid, dtype=torch.float64, generator=generator)
    want = interpolate(net, size, mode=mode, align_corners=True)
    # the two round the parameter of a point differently, by some eps of at most 9
    assert_close(evaluate_spline(net, size, 1), want, rtol=0, atol=64 * EPS)


@pytest.mark.parametrize("degree", [1, 2, 3])
def test_averages_of_knots_reproduce_the_parameter(degree):
    n, size = 11, 40
    knots = open_uniform_knots(n, degree)
    greville = torch.stack([knots[k + 1 : k + degree + 1].mean() for k in range(n)])
    parameters = torch.arange(size, dtype=torch.float64) * (n - degree) / (size - 1)
    assert_close(collocation_matrix(n, size, degree) @ greville, parameters, rtol=4 * EPS, atol=4 * EPS * n)


@DEGREES
def test_gradients(degree, generator):
    net = torch.randn(1, 1, 5, 4, dtype=torch.float64, generator=generator, requires_grad=True)
    assert torch.autograd.gradcheck(lambda c: evaluate_spline(c, (6, 5), degree), net)


@DEGREES
def test_head_equals_function(degree, generator):
    net = torch.randn(2, 3, 6, 8, generator=generator)
    head = TensorProductSplineHead((6, 8), (13, 24), degree)
    assert torch.equal(head(net), evaluate_spline(net, (13, 24), degree))
    assert f"degree={degree}" in repr(head)


def test_head_keeps_nothing_in_checkpoints_and_has_no_parameters():
    head = TensorProductSplineHead((6, 8), (13, 24))
    assert not head.state_dict()
    assert not list(head.parameters())


def test_head_is_exact_after_a_change_of_dtype(generator):
    net = torch.randn(1, 1, 6, 8, dtype=torch.float64, generator=generator)
    head = TensorProductSplineHead((6, 8), (13, 24), 2).to(torch.bfloat16).double()
    assert torch.equal(head(net), evaluate_spline(net, (13, 24), 2))


def test_head_materialises_from_the_meta_device():
    with torch.device("meta"):
        head = TensorProductSplineHead((6, 8), (13, 24), 2)
    assert head.matrix_0.is_meta
    head.to_empty(device="cpu")
    assert torch.equal(head.matrix_0, collocation_matrix(6, 13, 2).float())


@pytest.mark.gpu
@DEGREES
def test_on_the_gpu(degree, generator):
    net = torch.randn(2, 3, 6, 8, generator=generator, dtype=torch.float64)
    values = TensorProductSplineHead((6, 8), (13, 24), degree).cuda()(net.cuda())
    assert_close(
        values.cpu(), evaluate_spline(net, (13, 24), degree), rtol=0, atol=16 * EPS
    )  # order of summation


def test_messages():
    with pytest.raises(ValueError, match="`degree` must be 0, 1, 2 or 3; got 4"):
        collocation_matrix(8, 8, 4)
    with pytest.raises(ValueError, match="degree 2 needs at least 3 coefficients; got 2"):
        evaluate_spline(torch.zeros(1, 1, 2, 2), (8, 8), 2)
    with pytest.raises(ValueError, match="`size` must be at least 2 in each direction; got 1"):
        evaluate_spline(torch.zeros(1, 1, 4, 4), (8, 1))
    with pytest.raises(ValueError, match=r"`coefficients` must have the shape .* got the shape \(4, 4\)"):
        evaluate_spline(torch.zeros(4, 4), (8, 8))
    with pytest.raises(ValueError, match="`grid` has 1 dimensions, `size` has 2"):
        TensorProductSplineHead((4,), (8, 8))
    with pytest.raises(ValueError, match=r"the grid \(4, 5\); the head expects \(4, 4\)"):
        TensorProductSplineHead((4, 4), (8, 8))(torch.zeros(1, 1, 4, 5))
