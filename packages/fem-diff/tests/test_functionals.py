"""Functionals for training, and the transforms of torch.func through them."""

from __future__ import annotations

import math

import pytest
import torch
from torch.autograd import gradcheck, gradgradcheck

from fem_diff import (
    BoxMesh,
    DualNorm,
    Elasticity,
    LagrangeSpace,
    Poisson,
    Semilinear,
    allen_cahn_energy,
    energy,
    log_energy,
    modica_mortola,
    rescaled,
    residual,
    scale_free_energy,
    solve,
    unit_square,
    weak_residual,
)


def random(generator, *shape):
    return torch.rand(shape, generator=generator, dtype=torch.float64) + 0.5


@pytest.fixture
def problem(generator):
    space = LagrangeSpace(BoxMesh((4, 3)), 2)
    return Poisson(
        space,
        diffusivity=random(generator, 2, 4, 3),
        reaction=1.0,
        source=lambda x, y: 5 * x,
        boundary=lambda x, y: x - y,
    )


FUNCTIONALS = {
    "log_energy": lambda problem: lambda u: log_energy(problem, u, bound=-100.0),
    "scale_free_energy": lambda problem: lambda u: scale_free_energy(problem, u),
    "weak_residual": lambda problem: lambda u: weak_residual(problem, u),
    "dual_norm": DualNorm,
    "modica_mortola": lambda problem: lambda u: modica_mortola(problem.space, u, epsilon=0.1),
    "allen_cahn": lambda problem: lambda u: allen_cahn_energy(problem.space, u, epsilon=0.3),
}


@pytest.mark.usefixtures("unchecked")
@pytest.mark.parametrize("name", FUNCTIONALS)
def test_twice_differentiable(name, problem, generator):
    u = random(generator, 2, *problem.space.node_shape).requires_grad_()
    functional = FUNCTIONALS[name](problem)
    assert functional(u).shape == (2,)
    assert gradcheck(functional, u, fast_mode=True)
    assert gradgradcheck(functional, u, fast_mode=True)


@pytest.mark.parametrize("name", ["log_energy", "scale_free_energy", "weak_residual", "dual_norm"])
def test_the_solution_is_the_minimiser(name, problem, generator):
    u = solve(problem, tol=1e-13).u.requires_grad_()
    functional = FUNCTIONALS[name](problem)
    value = functional(u)
    (gradient,) = torch.autograd.grad(value.sum(), u)
    assert float(gradient.abs().max()) < 1e-8
    for size in (1e-3, 1.0):
        noise = size * torch.randn(u.shape, generator=generator, dtype=torch.float64)
        assert (functional(u.detach() + noise) > value).all()


def test_scale_free(problem, generator):
    """The least value, its size and invariance: by the energies of the extension and of the solution."""
    u = solve(problem, tol=1e-13).u
    zero = rescaled(problem, u) - u
    assert float(zero.abs().max()) < 1e-9
    # With v = 0 there is the extension of the boundary values alone, here x - y itself.
    lifted = problem.space.interpolate(lambda x, y: x - y)
    least = -(2 * (energy(problem, lifted) - energy(problem, u))).log()
    torch.testing.assert_close(scale_free_energy(problem, u), least, rtol=0, atol=1e-9)
    far = lifted + 30 * (u - lifted)
    torch.testing.assert_close(scale_free_energy(problem, far), least, rtol=0, atol=1e-9)
    torch.testing.assert_close(rescaled(problem, far), u, rtol=0, atol=1e-8)
    other = lifted + random(generator, 2, *problem.space.node_shape)
    best = rescaled(problem, other)
    for t in (0.9, 1.1):
        assert (energy(problem, lifted + t * (best - lifted)) > energy(problem, best)).all()


@pytest.mark.parametrize("elements", [8, 32])
def test_the_dual_norm_is_the_error_on_all_meshes(elements, generator):
    problem = Poisson(LagrangeSpace(unit_square(elements), 1), source=1.0)
    u = torch.randn(5, *problem.space.node_shape, generator=generator, dtype=torch.float64)
    error = 2 * (energy(problem, u) - energy(problem, solve(problem).u))
    ratio = DualNorm(problem)(u) / error
    assert (ratio > 0.3).all()
    assert (ratio < 1.5).all()


@pytest.mark.usefixtures("unchecked")
def test_the_dual_norm_of_other_problems(generator):
    space = LagrangeSpace(unit_square(6), 1)
    semilinear = Semilinear(space, lambda u, x, y: u**4, source=10.0)
    elasticity = Elasticity(space, force=(1.0, 0.0), boundary={"left": 0.0})
    for problem in (semilinear, elasticity):
        u = solve(problem, tol=1e-12).u
        norm = DualNorm(problem)
        assert float(norm(u)) < 1e-18
        v = (u + random(generator, *u.shape)).requires_grad_()
        assert float(norm(v).detach()) > 1e-3
        assert gradcheck(norm, v, fast_mode=True)


def test_the_weak_residual_is_about_the_strong_one():
    """r_i / m_i is an average of -f for u = 0: sum r^2 / m -> integral of f^2, but for the boundary."""
    problem = Poisson(LagrangeSpace(unit_square(64), 1), source=lambda x, y: x * (1 - x) * y * (1 - y))
    value = float(weak_residual(problem, torch.zeros(65, 65, dtype=torch.float64)))
    assert value == pytest.approx(1 / 900, rel=0.01)


def test_energy_of_a_disc():
    """Modica and Mortola: sigma 2 pi r with sigma = sqrt(2)/6, here for a quarter of the disc."""
    epsilon, r = 0.02, 0.5
    space = LagrangeSpace(unit_square(100), 2)
    u = space.interpolate(lambda x, y: torch.sigmoid(math.sqrt(2) * (r - (x**2 + y**2).sqrt()) / epsilon))
    want = math.sqrt(2) / 6 * math.pi / 2 * r
    assert float(modica_mortola(space, u, epsilon=epsilon)) == pytest.approx(want, rel=2e-3)
    assert float(allen_cahn_energy(space, u, epsilon=epsilon)) == pytest.approx(want / epsilon, rel=2e-3)


def test_torch_func(generator):
    space = LagrangeSpace(BoxMesh((3, 2)), 2)
    poisson = Poisson(space, diffusivity=random(generator, 3, 2), reaction=1.0, source=1.0, boundary=1.0)
    semilinear = Semilinear(space, lambda u, x, y: u**4, source=1.0)
    for one in (poisson, semilinear):
        u = random(generator, 4, *space.node_shape)
        v = random(generator, 4, *space.node_shape)
        of_one = torch.func.grad(lambda w, one=one: energy(one, w))
        gradients = torch.func.vmap(of_one)(u)
        torch.testing.assert_close(gradients, residual(one, u), rtol=0, atol=1e-12)
        forward = torch.func.vmap(lambda a, b, f=of_one: torch.func.jvp(f, (a,), (b,))[1])(u, v)
        leaf = u.clone().requires_grad_()
        (back,) = torch.autograd.grad((residual(one, leaf) * v).sum(), leaf)
        torch.testing.assert_close(forward, back, rtol=0, atol=1e-11)
        matrix = torch.func.hessian(lambda w, one=one: energy(one, w))(u[0]).flatten(2).flatten(0, 1)
        torch.testing.assert_close(matrix @ v[0].flatten(), back[0].flatten(), rtol=0, atol=1e-11)


@pytest.mark.usefixtures("unchecked")
def test_messages():
    space = LagrangeSpace(unit_square(3), 1)
    zero = torch.zeros(4, 4, dtype=torch.float64)
    problem = Poisson(space, source=1.0)
    with pytest.raises(ValueError, match=r"`bound` must lie below the energy; the smallest difference is -"):
        log_energy(problem, solve(problem).u)
    with pytest.raises(ValueError, match=r"the functional is infinite: u less the extension"):
        scale_free_energy(problem, zero)
    with pytest.raises(
        TypeError, match=r"`problem` must be a Poisson problem; got Semilinear. Use log_energy"
    ):
        scale_free_energy(Semilinear(space, lambda u, x, y: u**4), zero)
    with pytest.raises(ValueError, match=r"`epsilon` must be positive and finite; got -1"):
        modica_mortola(space, zero, epsilon=-1.0)
    with pytest.raises(ValueError, match=r"`u` has shape \(4,\); its last axes must be the nodes \(4, 4\)"):
        modica_mortola(space, zero[0], epsilon=1.0)
    batched = Poisson(space, diffusivity=torch.ones(2, 3, 3, dtype=torch.float64))
    with pytest.raises(ValueError, match=r"batch axes do not broadcast"):
        DualNorm(batched)(torch.zeros(3, 4, 4, dtype=torch.float64))
