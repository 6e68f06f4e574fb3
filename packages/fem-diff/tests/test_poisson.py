"""The solver against manufactured solutions and scikit-fem."""

from __future__ import annotations

import math

import numpy as np
import pytest
import skfem
import torch
from skfem.helpers import dot, grad

from fem_diff import (
    BoxMesh,
    Field,
    LagrangeSpace,
    Poisson,
    h1_error,
    l2_error,
    nodal_rms,
    residual,
    solve,
    unit_square,
)
from fem_diff._functionals.energy import stiffness

EPS = torch.finfo(torch.float64).eps


def manufactured(exact, diffusivity, reaction):
    """The source for which `exact` solves the equation, by autograd."""

    def source(*x):
        with torch.enable_grad():
            x = [xk.clone().requires_grad_() for xk in x]
            gradient = torch.autograd.grad(exact(*x).sum(), x, create_graph=True)
            flux = [diffusivity(*x) * part for part in gradient]
            divergence = sum(
                torch.autograd.grad(part.sum(), xk, retain_graph=True)[0]
                for part, xk in zip(flux, x, strict=True)
            )
            return (reaction(*x) * exact(*x) - divergence).detach()

    return source


def wave(*x):
    return torch.exp(x[0] / 2) * math.prod(torch.cos((k + 2) * xk + 0.3) for k, xk in enumerate(x))


def smooth_diffusivity(*x):
    return 1.2 + torch.sin(3 * sum(x))


def smooth_reaction(*x):
    return 2 + x[0] ** 2


MESHES = {
    1: lambda n: BoxMesh((2 * n,), ((-0.5, 1.0),)),
    2: lambda n: BoxMesh((n, n + n // 2), ((0.0, 1.0), (-0.5, 0.8))),
    3: lambda n: BoxMesh((n // 2, n // 2, n // 2)),
}


@pytest.mark.parametrize("ndim", [1, 2, 3])
@pytest.mark.parametrize("degree", [1, 2, 3])
def test_orders_of_convergence(ndim, degree):
    """d + 1 in L2 and d in H1, with variable diffusivity and reaction and with boundary values."""
    source = manufactured(wave, smooth_diffusivity, smooth_reaction)
    errors = []
    sizes = (8, 16) if ndim == 3 else (12, 24)
    for n in sizes:
        problem = Poisson(
            LagrangeSpace(MESHES[ndim](n), degree),
            diffusivity=smooth_diffusivity,
            reaction=smooth_reaction,
            source=source,
            boundary=wave,
        )
        solution = solve(problem, tol=1e-11)
        errors.append((float(l2_error(solution, wave)), float(h1_error(solution, wave))))
    l2, h1 = (math.log2(coarse / fine) for coarse, fine in zip(*errors, strict=True))
    assert l2 == pytest.approx(degree + 1, abs=0.2)
    assert h1 == pytest.approx(degree, abs=0.2)


@pytest.mark.parametrize("degree", [1, 2, 3])
@pytest.mark.parametrize("solver", ["multigrid", "direct"])
def test_polynomials_of_the_degree_are_reproduced(degree, solver):
    def polynomial(x, y):
        return (1 + x - 2 * y) * (2 - y) ** (degree - 1) + x**degree * y**degree

    def one(x, y):
        return torch.ones_like(x)

    source = manufactured(polynomial, one, one)
    problem = Poisson(
        LagrangeSpace(BoxMesh((7, 5)), degree, quadrature=degree + 3),
        reaction=1.0,
        source=source,
        boundary=polynomial,
    )
    solution = solve(problem, solver=solver, tol=1e-13)
    expected = problem.space.interpolate(polynomial)
    torch.testing.assert_close(solution.u, expected, rtol=0, atol=1e-12)  # tol times the condition number, 50


@pytest.mark.parametrize("degree", [1, 2, 3])
def test_action_and_solution_equal_scikit_fem(degree, generator):
    n = 6
    elements = {1: skfem.ElementQuad1(), 2: skfem.ElementQuad2(), 3: skfem.ElementQuadP(3)}
    mesh = skfem.MeshQuad.init_tensor(np.linspace(0, 1, n + 1), np.linspace(0, 2, n + 1))
    basis = skfem.Basis(mesh, elements[degree], intorder=2 * degree + 1)

    @skfem.BilinearForm
    def form(u, v, w):
        x, y = w.x
        return (1 + x + y**2) * dot(grad(u), grad(v)) + (1 + x * y) * u * v

    @skfem.LinearForm
    def load(v, w):
        return np.sin(3 * w.x[0] + w.x[1]) * v

    matrix, vector = form.assemble(basis), load.assemble(basis)
    space = LagrangeSpace(BoxMesh((n, n), ((0.0, 1.0), (0.0, 2.0))), degree)
    problem = Poisson(
        space,
        diffusivity=lambda x, y: 1 + x + y**2,
        reaction=lambda x, y: 1 + x * y,
        source=lambda x, y: torch.sin(3 * x + y),
        boundary=lambda x, y: x * y,
    )
    # The spaces are the same, the bases are not: compare actions through functions both represent exactly.
    u = torch.randn(space.node_shape, generator=generator, dtype=torch.float64)
    v = torch.randn(space.node_shape, generator=generator, dtype=torch.float64)
    ours = float((v * stiffness(problem, u)).sum())

    def transferred(values):
        def function(x):
            points = torch.from_numpy(np.ascontiguousarray(x.reshape(2, -1).T))
            return Field(space, values).evaluate(points).numpy().reshape(x.shape[1:])

        return basis.project(function)

    scale = 1e-11  # two projections, each with a well-conditioned mass matrix
    assert transferred(v) @ matrix @ transferred(u) == pytest.approx(ours, rel=scale)

    boundary = basis.get_dofs().all()
    lifted = np.zeros(basis.N)
    lifted[boundary] = basis.project(lambda x: x[0] * x[1])[boundary]
    theirs = skfem.solve(*skfem.condense(matrix, vector, x=lifted, D=boundary))
    solution = solve(problem, tol=1e-12)
    points = np.random.default_rng(0).uniform((0, 0), (1, 2), (50, 2))
    expected = basis.probes(points.T) @ theirs
    np.testing.assert_allclose(solution.evaluate(torch.from_numpy(points)), expected, atol=1e-10)


@pytest.mark.parametrize(
    ("degree", "elements", "l2", "rms"),
    [(1, 128, 2.97e-5, 2.49e-5), (2, 64, 4.81e-7, 2.7e-9), (3, 42, 7.35e-9, 4.8e-9)],
)
def test_known_discretisation_floors_of_the_papers_problem(degree, elements, l2, rms):
    def exact(x, y):
        return torch.sin(math.pi * x) * torch.sin(math.pi * y)

    problem = Poisson(
        LagrangeSpace(unit_square(elements), degree), source=lambda x, y: 2 * math.pi**2 * exact(x, y)
    )
    solution = solve(problem, tol=1e-12)
    assert float(l2_error(solution, exact)) == pytest.approx(l2, rel=0.01)
    assert float(nodal_rms(solution, exact)) == pytest.approx(rms, rel=0.02)


def test_every_form_of_a_coefficient_gives_the_same_problem(generator):
    space = LagrangeSpace(BoxMesh((4, 3)), 2)
    u = torch.randn(space.node_shape, generator=generator, dtype=torch.float64)

    def affine(x, y):
        return 1 + x + 2 * y

    callable_, nodal = affine, space.interpolate(affine)
    pointwise = affine(*space.quadrature_points())
    results = [
        residual(Poisson(space, diffusivity=c, reaction=c, source=c), u)
        for c in (callable_, nodal, pointwise)
    ]
    for other in results[1:]:
        torch.testing.assert_close(other, results[0], rtol=100 * EPS, atol=100 * EPS * 10)
    three = torch.tensor(3.0, dtype=torch.float64)
    constants = [3.0, three, three.view(1, 1), three.expand(4, 3), lambda x, y: 3.0]
    results = [residual(Poisson(space, diffusivity=c, reaction=c, source=c), u) for c in constants]
    for other in results[1:]:
        torch.testing.assert_close(other, results[0], rtol=100 * EPS, atol=100 * EPS * 10)


def test_a_batch_is_a_loop(generator):
    space = LagrangeSpace(unit_square(9), 2)

    def random(*shape):
        return torch.rand(shape, generator=generator, dtype=torch.float64) + 0.5

    nu, source, reaction, boundary = (
        random(3, 1, 9, 9),
        random(4, 9, 9),
        random(3, 1, 1, 1),
        random(4, *space.node_shape),
    )
    problem = Poisson(space, diffusivity=nu, reaction=reaction, source=source, boundary=boundary)
    assert problem.batch == (3, 4)
    for solver in ("multigrid", "direct"):
        batched = solve(problem, solver=solver, tol=1e-12)
        assert batched.iterations.shape == (3, 4)
        for i in range(3):
            for j in range(4):
                one = Poisson(
                    space,
                    diffusivity=nu[i, 0],
                    reaction=reaction[i, 0],
                    source=source[j],
                    boundary=boundary[j],
                )
                single = solve(one, solver=solver, tol=1e-12)
                assert single.iterations == batched.iterations[i, j]
                torch.testing.assert_close(batched.u[i, j], single.u, rtol=0, atol=1e-12)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_the_gpu_gives_the_same_solution(generator):
    space = LagrangeSpace(unit_square(33), 3)
    nu = torch.rand(2, 33, 33, generator=generator, dtype=torch.float64) + 0.1
    here = solve(Poisson(space, diffusivity=nu, source=1.0))
    there = solve(Poisson(space, diffusivity=nu.cuda(), source=1.0))
    assert there.u.is_cuda
    torch.testing.assert_close(there.u.cpu(), here.u, rtol=0, atol=1e-10)
