"""Fast diagonalisation against the other solvers, and where it does not apply."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch.autograd import gradcheck, gradgradcheck

from fem_diff import (
    Anisotropic,
    BoxMesh,
    ConvergenceError,
    LagrangeSpace,
    Poisson,
    Robin,
    l2_error,
    nodal_rms,
    solve,
    unit_square,
)
from fem_diff._solvers.diagonalization import Diagonalization, line_matrices

MESHES = {
    "1d": (BoxMesh((9,), ((-1.0, 2.0),)), 0.3),
    "2d": (BoxMesh((5, 4), ((0.0, 1.0), (-1.0, 0.5))), 0.3),
    "3d": (BoxMesh((3, 4, 2)), 0.3),
    "graded": (BoxMesh.graded(np.linspace(0, 1, 7) ** 2, np.linspace(0, 1, 6)), 0.3),
    "one side held": (BoxMesh((5, 4)), {"left": 0.3}),
    "cylinder": (BoxMesh((4, 3), periodic=(True, False)), 0.3),
    "torus with reaction": (BoxMesh((4, 3), periodic=(True, True)), {}),
}


@pytest.mark.parametrize(("mesh", "boundary"), MESHES.values(), ids=MESHES.keys())
@pytest.mark.parametrize("degree", [1, 2, 3])
def test_equals_the_direct_solver(mesh, boundary, degree, generator):
    """With a batch of constants, which share eigenvectors."""
    space = LagrangeSpace(mesh, degree)
    source = torch.randn(2, *space.quadrature_shape, generator=generator, dtype=torch.float64)
    diffusivity = torch.tensor([1.0, 3.0], dtype=torch.float64).view(2, *(1,) * space.ndim)
    problem = Poisson(space, source=source, diffusivity=diffusivity, reaction=2.0, boundary=boundary)
    found, expected = (solve(problem, solver=solver, tol=1e-13).u for solver in ("diagonalization", "direct"))
    scale = float(expected.abs().max())
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-12 * scale)  # eps times the condition, 1e3


@pytest.mark.parametrize("mesh", [BoxMesh((6, 5)), BoxMesh((6, 5), periodic=(True, True)), BoxMesh((9,))])
def test_equals_multigrid_where_nothing_holds_the_constant(mesh, generator):
    space = LagrangeSpace(mesh, 2)
    source = torch.randn(space.quadrature_shape, generator=generator, dtype=torch.float64)
    weights = space.tabulate(like=source).weights
    source = source - (source * weights).sum() / weights.sum()
    problem = Poisson(space, source=source, boundary={})
    found, expected = (
        solve(problem, solver=solver, tol=1e-12).u for solver in ("diagonalization", "multigrid")
    )
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-10 * float(expected.abs().max()))


def test_a_matrix_diffusivity_is_left_to_multigrid(generator):
    """It has a mixed term, even where that is zero."""
    space = LagrangeSpace(BoxMesh((4, 5)), 2)
    matrix = Anisotropic(torch.tensor([[2.0, 0.0], [0.0, 0.5]], dtype=torch.float64))
    source = torch.randn(space.quadrature_shape, generator=generator, dtype=torch.float64)
    problem = Poisson(space, diffusivity=matrix, source=source)
    with pytest.raises(ValueError, match="the diffusivity is a matrix with mixed entries"):
        solve(problem, solver="diagonalization")


@pytest.mark.parametrize("degree", [1, 2, 3])
def test_reaches_the_floor(degree):
    """And the tolerance asks for no more than a correction or two."""

    def exact(x, y):
        return torch.sin(math.pi * x) * torch.sin(math.pi * y)

    space = LagrangeSpace(unit_square(48), degree)
    problem = Poisson(space, source=lambda x, y: 2 * math.pi**2 * exact(x, y))
    fast = solve(problem, solver="diagonalization")
    slow = solve(problem, solver="direct")
    assert int(fast.iterations) <= 2
    assert float(l2_error(fast, exact)) == pytest.approx(float(l2_error(slow, exact)), rel=1e-3)
    assert float(nodal_rms(fast, exact)) == pytest.approx(float(nodal_rms(slow, exact)), rel=1e-2)


def test_eigenvalues_of_the_line_are_those_of_the_theory():
    """Degree 1, n cells of width h: 6 / h^2 (1 - cos(k pi h)) / (2 + cos(k pi h))."""
    space = LagrangeSpace(BoxMesh((16,)), 1)
    problem = Poisson(space)
    system = Diagonalization(problem.form, problem.coefficients, problem.fixed, problem.batch, 1e-10)
    c = torch.cos(torch.arange(1, 16) * math.pi / 16).double()
    expected = 6 * 16**2 * (1 - c) / (2 + c)
    torch.testing.assert_close(system.spectrum[0], expected, rtol=1e-5, atol=0)  # c is a float32 cosine
    stiffness, mass = line_matrices(space, problem.tables, 0)
    assert float(mass.sum()) == pytest.approx(1, rel=1e-14)
    assert float(stiffness.sum(0).abs().max()) < 1e-12


@pytest.mark.usefixtures("unchecked")
@pytest.mark.parametrize("name", ["diffusivity", "reaction", "source", "boundary"])
def test_first_and_second_derivatives(name, generator):
    space = LagrangeSpace(BoxMesh((2, 2)), 2)
    shapes = {"diffusivity": (2, 1, 1), "reaction": (), "source": space.quadrature_shape}
    data = {
        key: torch.rand(shape, generator=generator, dtype=torch.float64) + 0.5
        for key, shape in {**shapes, "boundary": space.node_shape}.items()
    }

    def u(value):
        return solve(Poisson(space, **{**data, name: value}), solver="diagonalization", tol=1e-13).u

    value = data[name].requires_grad_()
    assert gradcheck(u, value, fast_mode=True)
    assert gradgradcheck(u, value, fast_mode=True)


def test_vmap_over_sources(generator):
    space = LagrangeSpace(BoxMesh((4, 4)), 1)
    sources = torch.randn(3, *space.quadrature_shape, generator=generator, dtype=torch.float64)
    found = torch.func.vmap(lambda f: solve(Poisson(space, source=f)).u)(sources)
    torch.testing.assert_close(found, solve(Poisson(space, source=sources)).u, rtol=0, atol=1e-14)


def test_auto_takes_it_only_where_it_applies(generator):
    space = LagrangeSpace(unit_square(20), 1)
    f = torch.randn(space.quadrature_shape, generator=generator, dtype=torch.float64)
    constant = torch.full((20, 20), 2.0, dtype=torch.float64)
    assert int(solve(Poisson(space, source=f, diffusivity=constant)).iterations) == 1
    varying = constant.clone()
    varying[3, 4] = 2.5
    assert int(solve(Poisson(space, source=f, diffusivity=varying)).iterations) > 2


def test_where_it_does_not_apply():
    space = LagrangeSpace(unit_square(4), 1)
    varying = torch.linspace(1, 2, 16, dtype=torch.float64).view(4, 4)
    for data, message in [
        ({"diffusivity": varying}, "the diffusivity is not constant. Use solver='multigrid'"),
        ({"reaction": varying}, "the reaction is not constant"),
        ({"boundary": {"left": Robin(1.0)}}, "a side has a Robin condition"),
    ]:
        with pytest.raises(ValueError, match=message):
            solve(Poisson(space, source=1.0, **data), solver="diagonalization")


def test_float32_ends_with_an_error_where_it_must():
    space = LagrangeSpace(unit_square(100), 3)
    problem = Poisson(space, source=torch.ones(()))
    assert solve(problem, solver="diagonalization", tol=1e-2).u.dtype == torch.float32
    system = Diagonalization(problem.form, problem.coefficients, problem.fixed, problem.batch, 1e-12)
    with pytest.raises(ConvergenceError, match=r"stands at the relative error .* short of `tol` = 1e-12"):
        system.solve(problem.load, problem.boundary, ())
