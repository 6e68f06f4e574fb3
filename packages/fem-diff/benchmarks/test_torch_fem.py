"""A forward solve and the gradient in the conductivity of every element, against torch-fem."""

from __future__ import annotations

import pytest
import torch
from torchfem import PlanarHeat
from torchfem.materials import IsotropicConductivity2D

from fem_diff import LagrangeSpace, Poisson, solve, unit_square

ELEMENTS = 256
GROUP = f"forward and backward in the conductivity, degree 1, {ELEMENTS} x {ELEMENTS} elements"


def conductivity():
    generator = torch.Generator().manual_seed(0)
    return torch.rand(ELEMENTS, ELEMENTS, generator=generator, dtype=torch.float64).add(0.5).requires_grad_()


def ours(nu, tol=1e-10):
    u = solve(Poisson(LagrangeSpace(unit_square(ELEMENTS), 1), diffusivity=nu, source=1.0), tol=tol).u
    (gradient,) = torch.autograd.grad(u.mean(), nu)
    return u.detach(), gradient


def theirs(nu, method, preconditioner):
    n = ELEMENTS
    line = torch.linspace(0, 1, n + 1)
    nodes = torch.stack(torch.meshgrid(line, line, indexing="ij"), -1).reshape(-1, 2)
    numbers = torch.arange((n + 1) ** 2).view(n + 1, n + 1)
    corners = (numbers[:-1, :-1], numbers[1:, :-1], numbers[1:, 1:], numbers[:-1, 1:])
    cells = torch.stack(corners, -1).reshape(-1, 4)
    model = PlanarHeat(nodes, cells, IsotropicConductivity2D(nu.flatten()))
    edge = torch.ones(n + 1, n + 1, dtype=torch.bool)
    edge[1:-1, 1:-1] = False
    model.constraints = edge.view(-1, 1)
    model.heat_flux = torch.full(((n + 1) ** 2, 1), 1 / n**2)  # of a source of one, inside
    u, *_ = model.solve(method=method, preconditioner=preconditioner, differentiable_parameters=nu)
    u = u.view(n + 1, n + 1)
    (gradient,) = torch.autograd.grad(u.mean(), nu)
    return u.detach(), gradient


@pytest.fixture(autouse=True)
def _double():
    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(before)


@pytest.mark.parametrize("way", ["torch-fem, cg + amg", "torch-fem, direct", "fem-diff"])
def test_forward_and_backward(way, timed):
    nu = conductivity()
    if way == "fem-diff":
        u, gradient = timed(GROUP, way, lambda: ours(nu), peer="torch-fem, cg + amg")
    else:
        options = ("cg", "amg") if "amg" in way else ("direct", None)
        u, gradient = timed(GROUP, way, lambda: theirs(nu, *options), rounds=2)
    expected, slopes = ours(nu, 1e-12)
    # torch-fem is at 1e-14 and 1e-12 here, with its default settings; ours stops at 1e-10.
    assert float((u - expected).norm() / expected.norm()) < 1e-10
    assert float((gradient - slopes).norm() / slopes.norm()) < 1e-9
