"""Nested iteration: the maps between meshes, the start they give, and when tol='floor' stops."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from fem_diff import (
    BoxMesh,
    Field,
    LagrangeSpace,
    Neumann,
    Poisson,
    Robin,
    l2_error,
    solve,
    unit_square,
)
from fem_diff._solvers.matrix_free import MatrixFree
from fem_diff._solvers.nested import Embedding, halved, sampled

EPS = torch.finfo(torch.float64).eps


def exact(x, y):
    return torch.sin(math.pi * x) * torch.sin(math.pi * y)


def source(x, y):
    return 2 * math.pi**2 * exact(x, y)


def rough(x, y):
    return 10 ** (1.5 + torch.sin(40 * x) * torch.cos(31 * y))


@pytest.mark.parametrize("periodic", [False, True])
@pytest.mark.parametrize("degree", [1, 2, 3])
def test_the_embedding_is_exact_and_restriction_its_transpose(degree, periodic, generator):
    space = LagrangeSpace(BoxMesh((16, 18), periodic=(periodic, False)), degree)
    coarse = halved(space)
    embedding = Embedding(space, space.tabulate(like=torch.empty(0, dtype=torch.float64)))
    u = torch.rand(2, *coarse.node_shape, generator=generator, dtype=torch.float64)
    fine = embedding.embed(u)
    x, y = torch.rand(2, 40, generator=generator, dtype=torch.float64)
    points = torch.stack([x, y], -1)
    torch.testing.assert_close(
        Field(space, fine).evaluate(points), Field(coarse, u).evaluate(points), rtol=0, atol=40 * EPS
    )
    load = torch.rand(2, *space.node_shape, generator=generator, dtype=torch.float64)
    there, back = (fine * load).sum(), (u * embedding.restrict(load)).sum()
    assert float(there) == pytest.approx(float(back), rel=1e-13)


@pytest.mark.parametrize("rule", [2, 3, 4])
def test_sampled_coefficients_keep_polynomials_and_bounds(rule, generator):
    coarse = LagrangeSpace(BoxMesh((8, 4)), 1, rule)
    fine = LagrangeSpace(BoxMesh((16, 8)), 1, rule)

    def linear(x, y):
        return 1 + 2 * x - y

    found = sampled(linear(*fine.quadrature_points())[None], rule, 2)[0]
    few = 3 * 50 * EPS  # the values times the condition of the Vandermonde matrix
    torch.testing.assert_close(found, linear(*coarse.quadrature_points()), rtol=0, atol=few)
    jumps = 10 ** (8 * torch.rand(2, *fine.quadrature_shape, generator=generator, dtype=torch.float64))
    found = sampled(jumps, rule, 2)
    assert float(found.min()) >= float(jumps.min())
    assert float(found.max()) <= float(jumps.max())


@pytest.mark.parametrize("degree", [1, 2, 3])
@pytest.mark.parametrize("elements", [64, 128])
def test_the_floor_is_the_error_of_the_space(degree, elements):
    """Within 2 %, with multigrid, in a handful of steps that do not grow with the mesh."""
    problem = Poisson(LagrangeSpace(unit_square(elements), degree), source=source)
    solution = solve(problem, solver="multigrid", tol="floor")
    floor = l2_error(solve(problem, solver="diagonalization", tol=1e-12), exact)
    assert float(l2_error(solution, exact)) == pytest.approx(float(floor), rel=0.02)
    assert int(solution.iterations) <= {1: 4, 2: 5, 3: 9}[degree]


FLOORS = {"1": (1, rough), "2": (2, rough), "3": (3, rough), "1 and smooth": (1, lambda x, y: 1 + x * y)}


@pytest.mark.parametrize(("degree", "diffusivity"), FLOORS.values(), ids=FLOORS.keys())
def test_what_is_left_at_the_floor_is_small_against_the_error_of_the_space(degree, diffusivity):
    """For a rough diffusivity and no known solution: the mesh of half the size stands for the exact one."""
    coarse, fine = (
        Poisson(LagrangeSpace(unit_square(n), degree), source=1.0, diffusivity=diffusivity) for n in (32, 64)
    )
    tight = solve(coarse, tol=1e-12).u
    embedding = Embedding(fine.space, fine.tables)
    of_the_space = (solve(fine, tol=1e-12).u - embedding.embed(tight[None])[0]).square().mean().sqrt()
    left = (solve(coarse, tol="floor").u - tight).square().mean().sqrt()
    assert float(left) < 0.15 * float(of_the_space)


def test_gradients_at_the_floor_have_an_error_of_that_size(generator):
    space = LagrangeSpace(unit_square(64), 1)
    nu = (torch.rand(64, 64, generator=generator, dtype=torch.float64) + 0.5).requires_grad_()
    gradients = [
        torch.autograd.grad(solve(Poisson(space, diffusivity=nu, source=1.0), tol=tol).u.mean(), nu)[0]
        for tol in ("floor", 1e-12)
    ]
    assert float((gradients[0] - gradients[1]).norm() / gradients[1].norm()) < 1e-3


@pytest.mark.parametrize(
    "problem",
    [
        {"boundary": {"left": 0.0, "top": Neumann(1.0)}},
        {"boundary": {"left": Robin(2.0, 1.0)}},
        {"boundary": {}, "reaction": 1.0},
    ],
    ids=["Neumann", "Robin", "reaction alone"],
)
@pytest.mark.parametrize("degree", [1, 3])
def test_the_start_is_close_for_every_boundary_condition(problem, degree):
    """Its distance from the solution is that of the coarse solution, and saves 1 to 13 steps of 11 to 22.

    The one is with Neumann next to Dirichlet values: the corner makes the coarse solution of degree 1 poor.
    """
    space = LagrangeSpace(unit_square(64), degree)
    made = Poisson(space, source=lambda x, y: torch.exp(x - y), diffusivity=lambda x, y: 1 + x * y, **problem)
    nested = solve(made, solver="multigrid")
    from_zero = solve(made, solver="multigrid", u0=torch.zeros(space.node_shape, dtype=torch.float64))
    torch.testing.assert_close(nested.u, from_zero.u, rtol=0, atol=1e-8)
    assert float(nested.residuals[0]) < 0.05
    assert int(nested.iterations) < int(from_zero.iterations)


def test_graded_and_periodic_meshes_are_halved_too():
    x = np.linspace(0, 1, 65) ** 1.3
    space = LagrangeSpace(BoxMesh.graded(x, np.linspace(0, 1, 33), periodic=(False, True)), 2)
    coarse = halved(space)
    np.testing.assert_array_equal(coarse.mesh.vertices[0], x[::2])
    assert coarse.mesh.periodic == (False, True)
    problem = Poisson(
        space, source=lambda x, y: 1 + torch.sin(2 * math.pi * y), diffusivity=lambda x, y: 1 + x
    )
    solution = solve(problem)
    assert float(solution.residuals[0]) < 0.05
    torch.testing.assert_close(solution.u, solve(problem, solver="direct").u, rtol=0, atol=1e-9)


def test_meshes_that_do_not_pair_start_from_zero():
    assert halved(LagrangeSpace(BoxMesh((64, 33)), 1)) is None
    assert halved(LagrangeSpace(BoxMesh((64, 8)), 1)) is None
    problem = Poisson(LagrangeSpace(BoxMesh((64, 33)), 1), source=1.0)
    system = MatrixFree(problem.form, problem.coefficients, problem.fixed, problem.batch, 1e-10)
    assert system.started(problem.load[None]) is None


def test_tol_floor_says_what_it_needs():
    odd = Poisson(LagrangeSpace(unit_square(33), 1), source=1.0)
    with pytest.raises(ValueError, match=r"even number of elements, at least 16, .* got \(33, 33\)"):
        solve(odd, solver="multigrid", tol="floor")
    assert solve(odd, tol="floor").u.isfinite().all()  # fast diagonalisation needs no other mesh
    with pytest.raises(ValueError, match="`u0` has no use"):
        solve(odd, tol="floor", u0=torch.zeros(34, 34, dtype=torch.float64))
