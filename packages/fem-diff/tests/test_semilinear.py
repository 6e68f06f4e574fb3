"""Newton's method for semilinear and quasilinear energies, and derivatives of its solutions."""

from __future__ import annotations

import math

import pytest
import torch
from torch.autograd import gradcheck, gradgradcheck

from fem_diff import (
    BoxMesh,
    ConvergenceError,
    LagrangeSpace,
    Poisson,
    Quasilinear,
    Semilinear,
    energy,
    h1_error,
    l2_error,
    residual,
    solve,
    unit_square,
)


def random(generator, *shape):
    return torch.rand(shape, generator=generator, dtype=torch.float64) + 0.5


def exact(x, y):
    return torch.sin(2 * x + 0.5) * torch.cos(y)


@pytest.mark.parametrize("degree", [1, 2, 3])
def test_orders_of_convergence(degree):
    """-div grad u + u^3 = f with f = 5 u + u^3, for the energy with W = u^4/4."""
    errors = []
    for n in (8, 16):
        space = LagrangeSpace(unit_square(n), degree)
        source = lambda x, y: 5 * exact(x, y) + exact(x, y) ** 3  # noqa: E731
        solution = solve(Semilinear(space, lambda u, x, y: u**4 / 4, source=source, boundary=exact))
        errors.append([float(l2_error(solution, exact)), float(h1_error(solution, exact))])
    orders = [math.log2(a / b) for a, b in zip(*errors, strict=True)]
    assert orders == pytest.approx([degree + 1, degree], abs=0.15)


def test_newton_converges_quadratically():
    """Residuals from the first below 0.1 on: each is at most a constant times the square of the last."""
    problem = Semilinear(LagrangeSpace(unit_square(24), 2), lambda u, x, y: u**4 / 4, source=100.0)
    residuals = solve(problem, tol=1e-13).residuals
    near = residuals[(residuals < 0.1) & (residuals > 1e-8)]
    assert len(near) >= 2
    after = residuals[1:][(residuals[:-1] < 0.1) & (residuals[:-1] > 1e-6)]
    before = residuals[:-1][(residuals[:-1] < 0.1) & (residuals[:-1] > 1e-6)]
    assert (after < 10 * before.square()).all()


def test_a_quadratic_potential_is_a_reaction(generator):
    space = LagrangeSpace(BoxMesh((5, 4)), 2)
    nu, f = random(generator, 2, 5, 4), random(generator, *space.node_shape)
    semilinear = Semilinear(space, lambda u, x, y: u.square(), diffusivity=nu, source=f, boundary=1.0)
    poisson = Poisson(space, diffusivity=nu, reaction=2.0, source=f, boundary=1.0)
    u = solve(poisson, tol=1e-13).u
    torch.testing.assert_close(solve(semilinear, tol=1e-12).u, u, rtol=0, atol=1e-10)
    torch.testing.assert_close(energy(semilinear, u), energy(poisson, u), rtol=1e-13, atol=0)
    torch.testing.assert_close(residual(semilinear, 2 * u), residual(poisson, 2 * u), rtol=0, atol=1e-12)


def test_an_indefinite_start_reaches_a_minimiser():
    """At u = 0 the second derivative of the double well is negative, yet Newton's method goes down."""
    space = LagrangeSpace(BoxMesh((64,), ((0.0, 1.0),)), 1)
    problem = Semilinear(
        space, lambda u, x: 1000 * (u.square() - 1).square() / 4, boundary=lambda x: 2 * x - 1
    )
    solution = solve(problem, u0=torch.zeros(65, dtype=torch.float64))
    x = torch.linspace(0, 1, 65, dtype=torch.float64)
    wall = torch.tanh(math.sqrt(500) * (x - 0.5))
    assert float((solution.u - wall).abs().max()) < 0.02


@pytest.mark.usefixtures("unchecked")
def test_derivatives(generator):
    space = LagrangeSpace(unit_square(2), 2)

    def u(a, nu, f, g):
        potential = lambda u, x, y, a: (a * u).exp() + u**4 / 4  # noqa: E731
        problem = Semilinear(space, potential, parameters=(a,), diffusivity=nu, source=f, boundary=g)
        return solve(problem, tol=1e-13).u

    shapes = ((), (2, 2, 2), space.node_shape, space.node_shape)
    data = tuple(random(generator, *shape).requires_grad_() for shape in shapes)
    assert gradcheck(u, data, fast_mode=True)
    assert gradgradcheck(u, data, fast_mode=True)


@pytest.mark.usefixtures("unchecked")
@pytest.mark.parametrize("name", ["parameter", "diffusivity", "source", "boundary"])
def test_taylor_remainders_fall_with_order_two(name, generator, remainder_orders):
    space = LagrangeSpace(unit_square(9), 1)
    data = {
        "parameter": random(generator, *space.quadrature_shape),
        "diffusivity": random(generator, *space.quadrature_shape),
        "source": 5 * random(generator, *space.node_shape),
        "boundary": random(generator, *space.node_shape),
    }

    def loss(value):
        given = {**data, name: value}
        parameters = (given.pop("parameter"),)
        problem = Semilinear(space, lambda u, x, y, a: a * u**4, parameters=parameters, **given)
        return solve(problem, tol=1e-13).u.square().sum()

    size = 2.0 if name == "source" else 0.3
    assert remainder_orders(loss, data[name], size) == pytest.approx([2.0, 2.0], abs=0.15)


def test_p_laplacian():
    """P = 3 on an interval: |u'| u' = 1/2 - x for f = 1, so u(0) - u(1/2) = -(1/2)^(3/2) 2/3."""
    space = LagrangeSpace(BoxMesh((64,)), 2)
    solution = solve(Quasilinear(space, lambda s, x: (s + 1e-8) ** 1.5 / 3, source=1.0))
    assert float(solution.u[64]) == pytest.approx(2 / 3 * 0.5**1.5, rel=1e-3)


def test_minimal_surface_scherk():
    """Scherk's surface, log cos x - log cos y, has zero mean curvature."""
    scherk = lambda x, y: torch.log(torch.cos(x) / torch.cos(y))  # noqa: E731
    errors = []
    for n in (6, 12):
        space = LagrangeSpace(BoxMesh((n, n), ((-0.9, 0.9), (-0.7, 1.0))), 2)
        errors.append(
            float(
                l2_error(solve(Quasilinear(space, lambda s, x, y: (1 + s).sqrt(), boundary=scherk)), scherk)
            )
        )
    assert math.log2(errors[0] / errors[1]) == pytest.approx(3, abs=0.3)


@pytest.mark.usefixtures("unchecked")
def test_derivatives_of_a_quasilinear_solution(generator):
    space = LagrangeSpace(unit_square(2), 1)

    def u(a, f, g):
        return solve(
            Quasilinear(space, lambda s, x, y, a: (a + s).sqrt(), parameters=(a,), source=f, boundary=g),
            tol=1e-13,
        ).u

    data = (random(generator), random(generator, 3, 3), random(generator, 2, 3, 3))
    data = tuple(part.requires_grad_() for part in data)
    assert gradcheck(u, data, fast_mode=True)
    assert gradgradcheck(u, data, fast_mode=True)


def test_the_potential_holds_the_constant():
    """At the start, zero, the second derivative of W does not; the solution is where W' = f."""
    problem = Semilinear(
        LagrangeSpace(unit_square(6), 1), lambda u, x, y: u**4 / 4, source=8.0, boundary=None
    )
    u = solve(problem, tol=1e-12).u
    torch.testing.assert_close(u, torch.full_like(u, 2.0), rtol=0, atol=1e-10)


def test_transforms_of_torch_func_are_refused():
    def total(source):
        return solve(
            Semilinear(LagrangeSpace(unit_square(3), 1), lambda u, x, y: u**4, source=source)
        ).u.sum()

    with pytest.raises(NotImplementedError, match=r"through `solve` for Poisson alone. Use torch.autograd"):
        torch.func.grad(total)(torch.ones(1, 1, dtype=torch.float64))


def test_an_energy_without_minimum_is_an_error():
    free = Semilinear(LagrangeSpace(unit_square(6), 1), lambda u, x, y: 0 * u, source=1.0, boundary=None)
    with pytest.raises(ConvergenceError, match=r"see that the energy is bounded below"):
        solve(free)
    space = LagrangeSpace(unit_square(6), 1)
    problem = Semilinear(space, lambda u, x, y: -(u**4), source=1.0)
    with pytest.raises(ConvergenceError, match=r"Newton's method stands at .* Start nearer to the solution"):
        solve(problem, u0=torch.full(space.node_shape, 3.0, dtype=torch.float64))


@pytest.mark.usefixtures("unchecked")
def test_messages():
    space = LagrangeSpace(unit_square(3), 1)
    with pytest.raises(TypeError, match=r"`space` must be a LagrangeSpace; got BoxMesh"):
        Semilinear(unit_square(3), lambda u, x, y: u**4)
    with pytest.raises(TypeError, match=r"`parameters` holds tensors; parameters\[0\] is float"):
        Semilinear(space, lambda u, x, y, a: a * u**4, parameters=(1.0,))
    with pytest.raises(
        TypeError, match=r"`potential` must be a function of u and the coordinates; got float"
    ):
        Semilinear(space, 1.0)
    with pytest.raises(ValueError, match=r"`potential` returned \(\) for u of shape \(6, 6\)"):
        Semilinear(space, lambda u, x, y: u.sum())
    with pytest.raises(ValueError, match=r"`diffusivity` must be positive; it is -1"):
        Semilinear(space, lambda u, x, y: u, diffusivity=-1.0)
    with pytest.raises(ValueError, match=r"the energy of sample 0 is nan at the start. Give a `u0`"):
        solve(Semilinear(space, lambda u, x, y: (u - 1).log()))
    a = torch.ones((), dtype=torch.float64, requires_grad=True)
    with pytest.raises(
        ValueError, match=r"reads a tensor that requires a gradient.*Hand it over in `parameters`"
    ):
        solve(Semilinear(space, lambda u, x, y: a * u**4, source=1.0))
    with pytest.raises(ValueError, match=r"`density` returned \(\) for \|grad u\|\^2"):
        Quasilinear(space, lambda s, x, y: s.sum())
