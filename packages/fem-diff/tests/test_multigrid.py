"""The preconditioner, and how fast conjugate gradients converge with it."""

from __future__ import annotations

import functools
import itertools
import math
import re

import numpy as np
import pytest
import torch

import fem_diff
from fem_diff import (
    BoxMesh,
    ConvergenceError,
    Dirichlet,
    LagrangeSpace,
    Poisson,
    Robin,
    residual,
    unit_square,
)
from fem_diff._solvers import multigrid
from fem_diff._solvers.cg import conjugate_gradients
from fem_diff._solvers.matrix_free import MatrixFree
from fem_diff._solvers.network import grouped

solve = functools.partial(fem_diff.solve, solver="multigrid")


def random_source(space, generator):
    return torch.randn(space.quadrature_shape, generator=generator, dtype=torch.float64)


def steps(elements, degree, generator, **data):
    space = LagrangeSpace(BoxMesh(elements), degree)
    return int(solve(Poisson(space, source=random_source(space, generator), **data)).iterations)


@pytest.mark.parametrize(("degree", "most"), [(1, 20), (2, 22), (3, 28)])
def test_iterations_do_not_grow_with_the_mesh(degree, most, generator):
    """The source is random: a smooth one is an eigenvector of the problem and flatters every solver."""
    counts = [steps((n, n), degree, generator) for n in (32 // degree, 64 // degree, 128 // degree)]
    assert max(counts) <= most
    assert counts[-1] <= counts[0] + 2


@pytest.mark.parametrize("elements", [(63, 63), (85, 85), (127, 127), (37, 91)])
def test_any_number_of_elements_converges_alike(elements, generator):
    assert steps(elements, 1, generator) <= 21


@pytest.mark.parametrize(("elements", "most"), [((200,), 10), ((101, 7), 26), ((20, 200), 25)])
def test_stretched_elements_converge_alike(elements, most, generator):
    """Measured 9, 25 and 24, 20 for squares: smoothing is pointwise, once for a constant diffusivity.

    Only the narrow direction is coarsened until cells are about square; across it the smoother does little.
    """
    assert steps(elements, 2, generator) <= most


def test_iterations_do_not_grow_with_the_mesh_in_three_dimensions(generator):
    coarse, fine = steps((7, 8, 6), 2, generator), steps((14, 16, 12), 2, generator)
    assert fine <= coarse + 2 <= 40


@pytest.mark.parametrize("degree", [1, 2, 3])
def test_inclusions_of_contrast_1e4_cost_nothing(degree, generator):
    n = 120 // degree
    diffusivity = torch.ones(n, n, dtype=torch.float64)
    diffusivity[n // 8 : n // 3, n // 5 : n // 2] = 1e4
    diffusivity[n // 2 :, 2 * n // 3 : 2 * n // 3 + 3] = 1e4
    smooth = steps((n, n), degree, generator)
    assert steps((n, n), degree, generator, diffusivity=diffusivity) <= smooth + 3


def test_independent_random_elements_of_contrast_1e4(generator):
    """Diffusivity without any structure: at most twice the steps of the smooth case."""
    diffusivity = 10 ** (4 * torch.rand(96, 96, generator=generator, dtype=torch.float64))
    assert steps((96, 96), 1, generator, diffusivity=diffusivity) <= 2 * steps((96, 96), 1, generator)


@pytest.mark.parametrize("degree", [1, 2, 3])
def test_a_condition_that_ends_within_a_side(degree, generator):
    """Coarse nodes beside the end are free, and must not move the fine ones that are held."""
    part = Dirichlet(1.0, where=lambda x, y: x < 0.29)  # an odd node is the last one held
    nu = torch.rand(5, 32, 32, generator=generator, dtype=torch.float64) + 0.5
    space = LagrangeSpace(unit_square(32), degree)
    problem = Poisson(space, diffusivity=nu, boundary={"left": 0.0, "top": part})
    solution = solve(problem, solver="multigrid")
    assert int(solution.iterations.max()) <= 30
    assert torch.equal(solution.u[:, problem.fixed], problem.boundary[problem.fixed].expand(5, -1))
    expected = solve(problem, solver="direct").u
    torch.testing.assert_close(solution.u, expected, rtol=0, atol=1e-8)


def test_a_dominant_reaction(generator):
    assert steps((64, 64), 2, generator, reaction=1e6) <= 40


CYCLES = {
    "1d": BoxMesh((40,)),
    "2d": BoxMesh((17, 24)),
    "flat": BoxMesh((21, 2)),
    "3d": BoxMesh((6, 7, 5)),
    "graded": BoxMesh.graded(np.linspace(0, 1, 22) ** 2, np.linspace(0, 1, 18)),
    "ring": BoxMesh((41,), periodic=(True,)),
    "cylinder": BoxMesh((17, 12), periodic=(True, False)),
    "torus": BoxMesh((15, 14), periodic=(True, True)),
    "3d, two rings": BoxMesh((5, 6, 7), periodic=(True, False, True)),
}


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("mesh", CYCLES.values(), ids=CYCLES.keys())
def test_the_cycle_is_symmetric_and_positive_definite(mesh, dtype, generator, monkeypatch):
    """It computes in float32 up to a contrast of the conductances, then in float64."""
    monkeypatch.setattr(multigrid, "SINGLE", 1e6 if dtype == torch.float32 else 0.0)
    space = LagrangeSpace(mesh, 2)
    diffusivity = torch.rand(mesh.elements, generator=generator, dtype=torch.float64) + 0.01
    boundary = {} if mesh.periodic[0] else {"left": 0.0, "right": Robin(2.0)}
    problem = Poisson(space, diffusivity=diffusivity, reaction=3.0, boundary=boundary)
    cycle = MatrixFree(problem.form, problem.coefficients, problem.fixed, problem.batch, 1e-10).preconditioner
    free = (~problem.fixed).double()
    r = torch.randn(6, *space.node_shape, generator=generator, dtype=torch.float64) * free
    gram = r.flatten(1) @ cycle(r).flatten(1).T
    assert cycle.dtype == dtype
    few = 500 * torch.finfo(dtype).eps  # rounding of some fifty operations on each of the hundreds of nodes
    torch.testing.assert_close(gram, gram.T, rtol=0, atol=few * float(gram.abs().max()))
    assert torch.linalg.eigvalsh(gram).min() > 0
    assert (cycle(r) * (1 - free) == 0).all()


@pytest.mark.parametrize("count", [2, 3, 4, 5, 9, 16, 85, 127])
def test_groups_cover_all_cells_and_stay_even(count):
    widths = [1.0] * count
    while len(widths) > 1:
        ends = grouped(widths)
        assert ends[0] == 0
        assert ends[-1] == len(widths)
        assert {b - a for a, b in itertools.pairwise(ends)} <= {2, 3}
        widths = [sum(widths[a:b]) for a, b in itertools.pairwise(ends)]
        assert max(widths) <= 2 * min(widths)


def test_each_sample_stops_on_its_own(generator):
    space = LagrangeSpace(unit_square(32), 1)
    x, y = space.quadrature_points()
    eigenvector = torch.sin(math.pi * x) * torch.sin(math.pi * y)
    source = torch.stack([eigenvector, random_source(space, generator), torch.zeros_like(x)])
    solution = solve(Poisson(space, source=source))
    assert solution.iterations[2] == 0
    assert solution.iterations[0] < solution.iterations[1]
    assert (solution.u[2] == 0).all()
    assert (solution.residuals[-1] <= 1e-10).all()
    assert (solution.residuals[int(solution.iterations[0]) :, 0] == solution.residuals[-1, 0]).all()


def test_a_start_near_the_solution_saves_steps(generator):
    space = LagrangeSpace(unit_square(32), 2)
    problem = Poisson(space, source=random_source(space, generator), boundary=1.0)
    solution = solve(problem)
    again = solve(problem, u0=solution.u)
    assert again.iterations <= 1
    torch.testing.assert_close(again.u, solution.u, rtol=0, atol=1e-9)
    near = solve(problem, u0=solution.u + 1e-6 * torch.rand(space.node_shape, generator=generator))
    assert near.iterations < solution.iterations


def test_the_callback_sees_every_step(generator):
    seen = []
    space = LagrangeSpace(unit_square(24), 1)
    problem = Poisson(space, source=random_source(space, generator))
    solution = solve(problem, callback=lambda step, total, loss: seen.append((step, total, loss)))
    assert [step for step, _, _ in seen] == list(range(1, int(solution.iterations) + 1))
    assert [loss for _, _, loss in seen] == solution.residuals[1:].tolist()


def test_the_tolerance_bounds_the_residual_in_fact(generator):
    """The recorded residuals come from a recursion; the true one must be as small."""
    space = LagrangeSpace(unit_square(48), 3)
    problem = Poisson(space, source=random_source(space, generator))
    size = float(problem.load.norm())
    for tol in (1e-4, 1e-8, 1e-12):
        assert float(residual(problem, solve(problem, tol=tol).u).norm()) < 10 * tol * size


def test_boundary_values_do_not_loosen_the_tolerance():
    """A constant added to the boundary values is lifted exactly and costs neither steps nor digits."""
    space = LagrangeSpace(unit_square(50), 2)
    low, high = (solve(Poisson(space, source=1.0, boundary=value)) for value in (0.0, 1e3))
    assert low.iterations == high.iterations
    torch.testing.assert_close(high.u - 1e3, low.u, rtol=0, atol=1e-11)
    harmonic = solve(Poisson(space, boundary=lambda x, y: x * y))
    torch.testing.assert_close(harmonic.u, space.interpolate(lambda x, y: x * y), rtol=0, atol=1e-14)


def test_no_unconverged_solution_without_an_error():
    """In float32 rounding hides the residual before it is as small as asked for."""
    space = LagrangeSpace(unit_square(100), 3)
    problem = Poisson(space, source=torch.ones(()))
    with pytest.raises(
        ConvergenceError, match=r"after \d+ steps, short of `tol` = 2.4e-06. Use float64"
    ) as caught:
        solve(problem, tol=2.4e-6)
    reached = float(re.search(r"residual ([\d.e-]+)", str(caught.value)).group(1))
    assert reached > 2.4e-6
    assert solve(problem, tol=1e-4).u.dtype == torch.float32


def test_an_indefinite_preconditioner_is_an_error():
    """A negative product with the residual must not pass for a residual of zero."""
    matrix = torch.diag(torch.arange(1.0, 51.0, dtype=torch.float64))
    with pytest.raises(ConvergenceError, match="the preconditioner is not positive definite in sample 1"):
        conjugate_gradients(
            lambda u: u @ matrix,
            lambda r: r * torch.tensor([[1.0], [-1.0]], dtype=torch.float64),
            torch.ones(2, 50, dtype=torch.float64),
            tol=1e-12,
            limit=60,
        )


@pytest.mark.parametrize("degree", [1, 3])
def test_nested_iteration_keeps_the_steps_flat(degree, generator):
    """Steps to tol=1e-8 of the paper's problem: 5, 6, 6 from 32 to 128 elements, and 8, 6, 4 for degree 3."""
    counts = []
    for n in (32, 64, 128):
        space = LagrangeSpace(unit_square(n), degree)
        problem = Poisson(space, source=lambda x, y: torch.sin(math.pi * x) * torch.sin(math.pi * y))
        counts.append(int(solve(problem, tol=1e-8).iterations))
    assert counts[2] <= counts[1] <= counts[0] + 1


def test_the_limit_of_steps_is_an_error():
    matrix = torch.diag(torch.arange(1.0, 51.0, dtype=torch.float64))
    rhs = torch.ones(2, 50, dtype=torch.float64)
    rhs[0] = 0
    with pytest.raises(ConvergenceError, match=r"in sample 1 after 5 steps, short of `tol` = 1e-12"):
        conjugate_gradients(lambda u: u @ matrix, torch.clone, rhs, tol=1e-12, limit=5)
    x, iterations, _ = conjugate_gradients(lambda u: u @ matrix, torch.clone, rhs, tol=1e-12, limit=60)
    torch.testing.assert_close(x @ matrix, rhs, rtol=0, atol=1e-11)
    assert iterations.tolist()[0] == 0
