from __future__ import annotations

import math

import pytest
import torch
from nurbs_cases import KNOTS, exact_knot_derivative, parameters
from torch import Tensor
from torch.autograd import gradcheck, gradgradcheck
from torch.testing import assert_close

from nurbs_diff import basis_functions, uniform_knots
from nurbs_diff._evaluation.reference import basis_by_recursion

EPS = torch.finfo(torch.float64).eps
DIFFERENTIABLE = [name for name in KNOTS if KNOTS[name][0] > 0]


def jacobian(basis: Tensor, knots: Tensor) -> Tensor:
    """(q * n, k), one backward pass for each entry of the basis."""
    return torch.stack([torch.autograd.grad(entry, knots, retain_graph=True)[0] for entry in basis.flatten()])


@pytest.mark.parametrize("name", DIFFERENTIABLE)
def test_knot_doubling_equals_exact_arithmetic(name: str) -> None:
    degree, knots = KNOTS[name]
    u = parameters(degree, knots, 6)
    moving = knots.clone().requires_grad_()
    ours = jacobian(basis_functions(moving, degree, u), moving)
    columns = [[exact_knot_derivative(knots, degree, x, j) for x in u.tolist()] for j in range(len(knots))]
    want = torch.tensor(columns, dtype=torch.float64).flatten(1).T
    assert_close(ours, want, rtol=0, atol=8 * degree * EPS * max(1.0, float(want.abs().max())))


@pytest.mark.parametrize("name", [name for name in DIFFERENTIABLE if name != "cubic close"])
def test_knot_doubling_equals_autograd_of_the_recursion(name: str) -> None:
    # with knots 1e-9 apart autograd loses seven digits to cancellation, doubling none: see the test above
    degree, knots = KNOTS[name]
    knots = knots.clone().requires_grad_()
    u = parameters(degree, knots.detach(), 6)
    ours = jacobian(basis_functions(knots, degree, u), knots)
    want = jacobian(basis_by_recursion(knots, degree, u), knots)
    # both round some ten times numbers as large as the largest derivative
    assert_close(ours, want, rtol=0, atol=64 * EPS * float(want.abs().max()))


@pytest.mark.parametrize("name", ["linear", "quadratic", "cubic", "unclamped"])
def test_knot_gradient_equals_finite_differences(name: str) -> None:
    degree, knots = KNOTS[name]
    low, high = float(knots[degree]), float(knots[-degree - 1])
    u = torch.linspace(low + 0.013, high - 0.017, 9, dtype=torch.float64)  # no knot within a step of them
    # knots without an equal neighbour can move both ways
    gaps = knots.diff()
    is_free = torch.cat([gaps[:1] > 0, (gaps[1:] > 0) & (gaps[:-1] > 0), gaps[-1:] > 0])
    place = torch.nonzero(is_free).squeeze(1)

    def basis(moving: Tensor) -> Tensor:
        return basis_functions(knots.index_put((place,), moving), degree, u)

    moving = knots[place].requires_grad_()
    assert gradcheck(basis, moving)
    if degree > 1:  # for degree 1 a second finite difference divides by nothing but noise
        assert gradgradcheck(basis, moving)


@pytest.mark.parametrize("name", ["cubic double", "cubic triple", "quintic"])
def test_a_repeated_knot_moved_as_one_has_the_summed_gradient(name: str) -> None:
    degree, knots = KNOTS[name]
    interior = knots[degree + 1 : -degree - 1]
    repeated = interior[torch.nonzero(interior.diff() == 0)[0, 0]]
    is_moved = (knots == repeated).double()
    u = torch.linspace(0.013, 0.983, 12, dtype=torch.float64)

    def basis(shift: Tensor) -> Tensor:
        return basis_functions(knots + shift * is_moved, degree, u)

    assert gradcheck(basis, torch.zeros((), dtype=torch.float64, requires_grad=True))


def test_gradients_in_knots_and_parameters_together() -> None:
    degree, knots = KNOTS["cubic"]
    u = torch.linspace(0.013, 0.983, 7, dtype=torch.float64).requires_grad_()
    inner = torch.arange(degree + 1, len(knots) - degree - 1)

    def basis(moving: Tensor, u: Tensor) -> Tensor:
        return basis_functions(knots.index_put((inner,), moving), degree, u)

    arguments = (knots[inner].requires_grad_(), u)
    assert gradcheck(basis, arguments)
    assert gradgradcheck(basis, arguments)


def test_parameters_that_depend_on_knots_are_not_counted_twice() -> None:
    # u is a mean of knots; the gradient once without a graph of itself, once with
    degree, knots = KNOTS["cubic"]
    knots = knots.clone().requires_grad_()
    coefficients = torch.arange(8.0, dtype=torch.float64) ** 2
    gradients = []
    for create_graph in (False, True):
        u = (knots[3:8] + knots[4:9]) / 2
        curve = basis_functions(knots, degree, u) @ coefficients
        gradients.append(torch.autograd.grad(curve.sum(), knots, create_graph=create_graph)[0])
    assert_close(gradients[0], gradients[1], rtol=0, atol=64 * EPS * float(gradients[0].abs().max()))


def loss_gradient(degree: int, seed: int, **options: object) -> Tensor:
    """Knot gradient of the mean squared distance of two random curves with eight control points."""
    generator = torch.Generator().manual_seed(seed)
    knots = uniform_knots(8, degree).requires_grad_()
    u = torch.linspace(0, 1, 256, dtype=torch.float64)
    difference = torch.rand(8, 3, generator=generator, dtype=torch.float64)
    target = basis_functions(knots.detach(), degree, u) @ torch.rand(
        8, 3, generator=generator, dtype=torch.float64
    )
    curve = basis_functions(knots, degree, u, **options) @ difference
    (gradient,) = torch.autograd.grad((curve - target).square().mean(), knots)
    return gradient[degree + 1 : -degree - 1]


def gaussian_error(degree: int, bandwidth: float) -> float:
    """Median over ten pairs of curves of the relative error of the gradient."""
    errors = []
    for seed in range(10):
        exact = loss_gradient(degree, seed)
        smoothed = loss_gradient(degree, seed, knot_gradient="gaussian", bandwidth=bandwidth)
        errors.append(float((smoothed - exact).norm() / exact.norm()))
    return sorted(errors)[5]


def test_the_gaussian_approximation_is_as_far_off_as_its_documentation_says() -> None:
    assert 5e-5 < gaussian_error(3, 0.01) < 1e-3
    assert 0.02 < gaussian_error(3, 0.05) < 0.2
    assert 5e-3 < gaussian_error(2, 0.01) < 5e-2
    assert 0.2 < gaussian_error(2, 0.05) < 0.8


@pytest.mark.parametrize("degree", [2, 3])
def test_the_gaussian_approximation_converges_with_order_of_the_degree(degree: int) -> None:
    # inside its support a basis function meets the knot with p - 1 continuous derivatives
    order = math.log2(gaussian_error(degree, 0.016) / gaussian_error(degree, 0.008))
    assert degree - 0.6 < order < degree + 1


def test_the_gaussian_approximation_has_exact_values_and_parameter_gradients() -> None:
    degree, knots = KNOTS["cubic"]
    u = parameters(degree, knots).requires_grad_()
    exact = basis_functions(knots, degree, u)
    smoothed = basis_functions(knots, degree, u, knot_gradient="gaussian")
    assert_close(smoothed, exact, rtol=0, atol=16 * EPS)
    weights = torch.linspace(-1, 1, exact.numel(), dtype=torch.float64).reshape(exact.shape)
    (want,) = torch.autograd.grad((exact * weights).sum(), u)
    (ours,) = torch.autograd.grad((smoothed * weights).sum(), u)
    assert_close(ours, want, rtol=0, atol=512 * EPS * float(want.abs().max()))
