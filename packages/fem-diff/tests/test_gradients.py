"""Derivatives of the solution by the adjoint, and of the energy."""

from __future__ import annotations

import pytest
import torch
from torch.autograd import gradcheck, gradgradcheck

from fem_diff import BoxMesh, LagrangeSpace, Poisson, energy, residual, solve, unit_square

pytestmark = pytest.mark.usefixtures("unchecked")
NAMES = ("diffusivity", "reaction", "source", "boundary")


def random(generator, *shape):
    return torch.rand(shape, generator=generator, dtype=torch.float64) + 0.5


def data_of(space, generator, batch=()):
    """Each input in another of the forms it may have."""
    return {
        "diffusivity": random(generator, *batch, *space.mesh.elements),
        "reaction": random(generator, *batch, *(1,) * space.ndim),
        "source": random(generator, *space.quadrature_shape),
        "boundary": random(generator, *batch, *space.node_shape),
    }


@pytest.mark.parametrize("solver", ["multigrid", "direct"])
@pytest.mark.parametrize("name", NAMES)
def test_first_and_second_derivatives_of_the_solution(solver, name, generator):
    space = LagrangeSpace(BoxMesh((2, 1)), 2)
    data = data_of(space, generator)

    def u(value):
        return solve(Poisson(space, **{**data, name: value}), solver=solver, tol=1e-13).u

    value = data[name].requires_grad_()
    assert gradcheck(u, value, fast_mode=True)
    assert gradgradcheck(u, value, fast_mode=True)


def test_mixed_second_derivatives_with_a_batch(generator):
    space = LagrangeSpace(BoxMesh((2, 2)), 1)
    data = {name: value.requires_grad_() for name, value in data_of(space, generator, batch=(2,)).items()}

    def u(*values):
        return solve(Poisson(space, **dict(zip(NAMES, values, strict=True))), tol=1e-13).u

    values = tuple(data[name] for name in NAMES)
    assert gradcheck(u, values, fast_mode=True)
    assert gradgradcheck(u, values, fast_mode=True)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("degree", [1, 3])
def test_taylor_remainders_fall_with_order_two(name, degree, generator, remainder_orders):
    """On a mesh with several multigrid levels, for a loss that is not linear in u."""
    space = LagrangeSpace(unit_square(18 // degree), degree)
    data = {**data_of(space, generator), "diffusivity": random(generator, *space.quadrature_shape)}

    def loss(value):
        u = solve(Poisson(space, **{**data, name: value}), tol=1e-13).u
        return u.square().sum() + u.sin().sum()

    size = 3.0 if name in ("source", "boundary") else 0.3  # u is linear in these: only the loss bends
    assert remainder_orders(loss, data[name], size) == pytest.approx([2.0] * 2, abs=0.1)


def test_parameters_of_callables_get_gradients():
    space = LagrangeSpace(unit_square(6), 2)
    a = torch.tensor(0.7, dtype=torch.float64, requires_grad=True)

    def mean(a):
        return solve(Poisson(space, diffusivity=lambda x, y: 1 + a * x, source=1.0), tol=1e-13).u.mean()

    assert gradcheck(mean, a, fast_mode=True)


def test_the_gradient_of_the_energy_is_the_residual(generator):
    space = LagrangeSpace(BoxMesh((4, 3)), 3)
    problem = Poisson(space, **data_of(space, generator, batch=(2,)))
    u = random(generator, 2, *space.node_shape).requires_grad_()
    (gradient,) = torch.autograd.grad(energy(problem, u).sum(), u)
    expected = residual(problem, u.detach())
    torch.testing.assert_close(gradient, expected, rtol=0, atol=1e-12 * float(expected.abs().max()))


@pytest.mark.parametrize("name", NAMES)
def test_first_and_second_derivatives_of_the_energy(name, generator):
    space = LagrangeSpace(BoxMesh((2, 1)), 2)
    data = data_of(space, generator)
    u = random(generator, 2, *space.node_shape).requires_grad_()
    value = data[name].requires_grad_()

    def total(u, value):
        return energy(Poisson(space, **{**data, name: value}), u)

    assert gradcheck(total, (u, value), fast_mode=True)
    assert gradgradcheck(total, (u, value), fast_mode=True)


def test_the_minimiser_of_the_energy_is_the_solution(generator):
    space = LagrangeSpace(BoxMesh((3, 4)), 2)
    problem = Poisson(space, **data_of(space, generator))
    u = torch.zeros(space.node_shape, dtype=torch.float64, requires_grad=True)
    optimizer = torch.optim.LBFGS(
        [u],
        max_iter=200,
        history_size=50,
        tolerance_grad=1e-13,
        tolerance_change=0,
        line_search_fn="strong_wolfe",
    )

    def closure():
        optimizer.zero_grad()
        value = energy(problem, u)
        value.backward()
        return value

    optimizer.step(closure)
    torch.testing.assert_close(problem.impose(u.detach()), solve(problem).u, rtol=0, atol=1e-7)
    assert energy(problem, u) >= energy(problem, solve(problem).u) - 1e-12
