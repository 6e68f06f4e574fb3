"""Time to the discretisation floor of the paper's problem, against scikit-fem with scipy's sparse LU.

Run with `pytest benchmarks`; the answers are checked, the groups show the ratio of each peer to the fastest.
"""

from __future__ import annotations

import math

import numpy as np
import pytest
import skfem
import torch
from scipy.sparse.linalg import splu
from skfem.helpers import dot, grad

from fem_diff import LagrangeSpace, Poisson, l2_error, nodal_rms, solve, unit_square

#: degree, elements per direction, L2 error of the Galerkin solution, error at the nodes as a root mean square
CASES = [(1, 256, 7.42e-6, 6.25e-6), (3, 128, 8.52e-11, 5.55e-11)]
ELEMENTS = {1: skfem.ElementQuad1, 3: lambda: skfem.ElementQuadP(3)}


def exact(x, y):
    return torch.sin(math.pi * x) * torch.sin(math.pi * y)


def source(x, y):
    return 2 * math.pi**2 * exact(x, y)


def fem_diff(elements, degree):
    return solve(Poisson(LagrangeSpace(unit_square(elements), degree), source=source), tol=1e-11)


def scikit_fem(elements, degree):
    ends = np.linspace(0, 1, elements + 1)
    basis = skfem.Basis(skfem.MeshQuad.init_tensor(ends, ends), ELEMENTS[degree](), intorder=2 * degree + 1)
    stiffness = skfem.BilinearForm(lambda u, v, w: dot(grad(u), grad(v))).assemble(basis)
    load = skfem.LinearForm(
        lambda v, w: 2 * np.pi**2 * np.sin(np.pi * w.x[0]) * np.sin(np.pi * w.x[1]) * v
    ).assemble(basis)
    inside = basis.complement_dofs(basis.get_dofs())
    u = np.zeros(basis.N)
    matrix = stiffness[inside][:, inside].tocsc()
    options = {"SymmetricMode": True}
    u[inside] = splu(matrix, permc_spec="MMD_AT_PLUS_A", diag_pivot_thresh=0.0, options=options).solve(
        load[inside]
    )
    return basis, u


@pytest.fixture(autouse=True)
def _one_thread():
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.mark.parametrize(("degree", "elements", "floor", "nodal"), CASES)
def test_fem_diff(benchmark, degree, elements, floor, nodal):
    benchmark.group = f"time to the floor, degree {degree}, {elements} x {elements} elements"
    solution = benchmark.pedantic(fem_diff, (elements, degree), rounds=3, warmup_rounds=1)
    assert float(l2_error(solution, exact)) == pytest.approx(floor, rel=0.02)
    assert float(nodal_rms(solution, exact)) == pytest.approx(nodal, rel=0.02)


@pytest.mark.parametrize(("degree", "elements", "floor", "nodal"), CASES)
def test_scikit_fem(benchmark, degree, elements, floor, nodal):
    benchmark.group = f"time to the floor, degree {degree}, {elements} x {elements} elements"
    basis, u = benchmark.pedantic(scikit_fem, (elements, degree), rounds=2)
    fine = skfem.Basis(basis.mesh, basis.elem, intorder=2 * degree + 7)
    difference = skfem.Functional(
        lambda w: (w["u"] - np.sin(np.pi * w.x[0]) * np.sin(np.pi * w.x[1])) ** 2
    ).assemble(fine, u=fine.interpolate(u))
    assert math.sqrt(difference) == pytest.approx(floor, rel=0.02)


@pytest.mark.parametrize("direction", ["forward", "adjoint"])
def test_adjoint(benchmark, direction):
    """Forward and adjoint of one problem with variable diffusivity: about the same time."""
    benchmark.group = "forward and adjoint, degree 1, 256 x 256 elements"
    generator = torch.Generator().manual_seed(0)
    diffusivity = torch.rand(256, 256, generator=generator, dtype=torch.float64).add(0.5).requires_grad_()

    def forward():
        return solve(Poisson(LagrangeSpace(unit_square(256), 1), diffusivity=diffusivity, source=1.0))

    if direction == "forward":
        benchmark.pedantic(forward, rounds=3, warmup_rounds=1)
        return
    u = forward().u
    benchmark.pedantic(lambda: u.mean().backward(retain_graph=True), rounds=3, warmup_rounds=1)
    assert diffusivity.grad is not None
    assert diffusivity.grad.isfinite().all()


@pytest.mark.parametrize("way", ["batch", "loop"])
def test_batch(benchmark, way):
    """64 maps of 65 x 65 nodes at once, and one by one."""
    benchmark.group = "64 diffusivity maps, degree 1, 64 x 64 elements"
    generator = torch.Generator().manual_seed(0)
    diffusivity = torch.rand(64, 64, 64, generator=generator, dtype=torch.float64) + 0.5
    space = LagrangeSpace(unit_square(64), 1)

    def batch():
        return solve(Poisson(space, diffusivity=diffusivity, source=1.0)).u

    def loop():
        return torch.stack([solve(Poisson(space, diffusivity=nu, source=1.0)).u for nu in diffusivity])

    u = benchmark.pedantic({"batch": batch, "loop": loop}[way], rounds=2, warmup_rounds=1)
    one = solve(Poisson(space, diffusivity=diffusivity[7], source=1.0), solver="direct").u
    torch.testing.assert_close(u[7], one, rtol=0, atol=1e-9)
