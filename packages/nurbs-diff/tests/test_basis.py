from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from nurbs_cases import KNOTS, clamped, parameters
from scipy.interpolate import BSpline, PPoly
from torch.testing import assert_close

from nurbs_diff import basis_functions, uniform_knots
from nurbs_diff._evaluation.basis import is_computable

EPS = torch.finfo(torch.float64).eps


@pytest.mark.parametrize("name", KNOTS)
def test_basis_equals_scipy(name: str) -> None:
    degree, knots = KNOTS[name]
    u = parameters(degree, knots)
    if name == "repeated at the end of the domain":  # scipy evaluates in an empty span there
        u = u[u < 1]
    want = BSpline.design_matrix(u.numpy(), knots.numpy(), degree).toarray()
    # values lie in [0, 1]; each of `degree` levels rounds a few times
    assert_close(
        basis_functions(knots, degree, u), torch.from_numpy(want), rtol=0, atol=4 * (degree + 1) * EPS
    )


@pytest.mark.parametrize("name", [name for name in KNOTS if KNOTS[name][0] > 0])
def test_derivative_in_u_equals_scipy(name: str) -> None:
    degree, knots = KNOTS[name]
    u = parameters(degree, knots).requires_grad_()
    basis = basis_functions(knots, degree, u)
    ours = torch.stack([torch.autograd.grad(column.sum(), u, retain_graph=True)[0] for column in basis.T], 1)
    # through monomial coefficients: scipy's BSpline.derivative refuses discontinuous splines
    identity = np.eye(len(knots) - degree - 1)
    polynomials = [PPoly.from_spline(BSpline(knots.numpy(), c, degree)) for c in identity]
    want = np.stack([polynomial.derivative()(u.detach().numpy()) for polynomial in polynomials], 1)
    narrowest = float(knots.diff()[knots.diff() > 0].min())
    # slopes up to degree / width, and monomials lose some digits between nearly equal knots
    is_compared = u.detach() < knots[-degree - 1]
    assert_close(
        ours[is_compared], torch.from_numpy(want)[is_compared], rtol=0, atol=16 * degree * EPS / narrowest
    )


def test_the_ends_of_the_domain_belong_to_it() -> None:
    knots = uniform_knots(6, 3, domain=(2.0, 5.0))
    basis = basis_functions(knots, 3, torch.tensor([2.0, 5.0], dtype=torch.float64))
    assert basis[0, 0] == 1
    assert basis[1, -1] == 1


@pytest.mark.parametrize("domain", [(0.0, 0.1), (0.7, 1.7)])  # float32 rounds 0.1 and 1.7 up or 0.7 down
def test_ends_that_float32_rounds_out_of_the_domain_belong_to_it(domain: tuple[float, float]) -> None:
    knots, u = uniform_knots(6, 3, domain=domain), torch.tensor(domain)
    exact, gaussian = (basis_functions(knots, 3, u, knot_gradient=kind) for kind in ("exact", "gaussian"))
    assert_close(exact, torch.eye(6, dtype=torch.float64)[[0, -1]], rtol=0, atol=1e-4)  # slope times rounding
    assert_close(gaussian, exact, rtol=0, atol=64 * EPS)


@pytest.mark.parametrize("name", [name for name in KNOTS if KNOTS[name][0] > 0])
def test_the_end_of_the_domain_is_the_limit_from_the_left(name: str) -> None:
    degree, knots = KNOTS[name]
    end = knots[-degree - 1]
    at, left = basis_functions(knots, degree, torch.stack([end, end * (1 - 1e-15)]))
    assert_close(at, left, rtol=0, atol=1e-13)  # slopes below 100


def test_a_knot_of_full_multiplicity_takes_the_value_from_the_right() -> None:
    knots = clamped([0.5, 0.5, 0.5], 2)
    at, left = basis_functions(knots, 2, torch.tensor([0.5, 0.5 - 1e-16 * 4], dtype=torch.float64))
    assert at.argmax() == 3
    assert left.argmax() == 2


@st.composite
def knot_vectors(draw: st.DrawFn) -> tuple[int, torch.Tensor]:
    degree = draw(st.integers(0, 6))
    grid = st.lists(st.integers(1, 99), max_size=8, unique=degree == 0)  # a coarse grid makes knots repeat
    interior = sorted(draw(grid))
    interior = [x for x in interior if interior.count(x) <= degree + 1]
    return degree, clamped([x / 100 for x in interior], degree)


@given(knot_vectors(), st.lists(st.floats(0, 1), min_size=1, max_size=20))
def test_basis_is_a_partition_of_unity_without_negative_values(
    case: tuple[int, torch.Tensor], u: list[float]
) -> None:
    degree, knots = case
    basis = basis_functions(knots, degree, torch.tensor(u, dtype=torch.float64))
    assert (basis >= 0).all()
    assert ((basis > 0).sum(1) <= degree + 1).all()
    assert_close(basis.sum(1), torch.ones(len(u), dtype=torch.float64), rtol=0, atol=4 * (degree + 1) * EPS)


@given(knot_vectors(), st.floats(0.1, 10), st.floats(-5, 5))
def test_basis_does_not_change_when_knots_and_parameters_move_together(
    case: tuple[int, torch.Tensor], factor: float, shift: float
) -> None:
    degree, knots = case
    moved = factor * knots + shift
    u = (moved[1:] + moved[:-1]) / 2  # away from the knots, where rounding could change the span
    is_inside = knots.diff() > 0
    want = basis_functions(knots, degree, ((knots[1:] + knots[:-1]) / 2)[is_inside])
    # the move rounds knots by eps * 15, which counts relative to the span 0.01 * factor
    assert_close(basis_functions(moved, degree, u[is_inside]), want, rtol=0, atol=1e5 * EPS / min(factor, 1))


def test_float32_is_computed_in_float64_and_rounded_once() -> None:
    degree, knots = KNOTS["cubic close"]
    u = torch.linspace(0, 1, 33)
    single = basis_functions(knots.float(), degree, u)
    double = basis_functions(knots.float().double(), degree, u.double())
    assert single.dtype == torch.float32
    assert torch.equal(single, double.float())


def test_where_values_are_not_read_rows_outside_the_domain_become_nan() -> None:
    knots, u = uniform_knots(5, 2), torch.tensor([0.0, 1.0, 1.5, -0.1, torch.nan], dtype=torch.float64)
    assert is_computable(knots, 2, u).tolist() == [True, True, False, False, False]
    assert not is_computable(knots.flip(0), 2, u).any()
    assert is_computable(torch.stack([knots, knots.flip(0)]), 2, u[:2]).tolist() == [[True] * 2, [False] * 2]
    ends = torch.tensor([0.0, 0.1])  # in float32, where 0.1 is rounded up
    assert is_computable(uniform_knots(5, 2, domain=(0.0, 0.1)), 2, ends).all()


def test_parameters_of_any_shape() -> None:
    knots = uniform_knots(5, 2)
    u = torch.rand(3, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    assert torch.equal(basis_functions(knots, 2, u)[1, 2], basis_functions(knots, 2, u[1, 2].reshape(1))[0])
    assert basis_functions(knots, 2, u[:0]).shape == (0, 4, 5)


def test_first_derivatives_reproduce_a_polynomial_of_the_degree() -> None:
    degree, knots = KNOTS["cubic double"]
    u = parameters(degree, knots).requires_grad_()
    # Marsden: sum_i (product of (t_{i+1..i+p} - x)) N_i(u) = (u - x)^p, here at x = 2
    coefficients = torch.stack(
        [(knots[i + 1 : i + degree + 1] - 2).prod() for i in range(len(knots) - degree - 1)]
    )
    curve = basis_functions(knots, degree, u) @ coefficients
    assert_close(curve, (u - 2) ** 3, rtol=16 * EPS, atol=0)
    (slope,) = torch.autograd.grad(curve.sum(), u, create_graph=True)
    assert_close(slope, 3 * (u - 2) ** 2, rtol=512 * EPS, atol=0)
    (bend,) = torch.autograd.grad(slope.sum(), u)
    assert_close(bend, 6 * (u.detach() - 2), rtol=16384 * EPS, atol=0)
