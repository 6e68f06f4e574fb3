from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from fem_diff import BoxMesh, LagrangeSpace, unit_square
from fem_diff._boxes.reference import cell_averages, gauss_rule, lagrange_basis

EPS = torch.finfo(torch.float64).eps
BOXES = [BoxMesh((5,), ((-1.0, 2.0),)), BoxMesh((3, 4), ((0.0, 2.0), (-1.0, 1.0))), BoxMesh((2, 1, 3))]


@pytest.mark.parametrize("degree", [1, 2, 3])
def test_basis_is_one_at_its_node_and_sums_to_one(degree):
    nodes = np.linspace(-1, 1, degree + 1)
    values, _ = lagrange_basis(degree, nodes)
    np.testing.assert_allclose(values, np.eye(degree + 1), atol=20 * EPS)
    values, derivatives = lagrange_basis(degree, np.linspace(-1, 1, 17))
    np.testing.assert_allclose(values.sum(1), 1, atol=20 * EPS)
    np.testing.assert_allclose(derivatives.sum(1), 0, atol=50 * EPS)


@pytest.mark.parametrize("degree", [1, 2, 3])
@pytest.mark.parametrize("points", [2, 3, 4, 7])
def test_cell_averages_keep_sign_constants_and_integrals(degree, points):
    weights = gauss_rule(points)[1]
    matrix = cell_averages(degree, weights)
    assert (matrix >= 0).all()
    np.testing.assert_allclose(matrix.sum(1), 1, rtol=20 * EPS)
    np.testing.assert_allclose(matrix.sum(0) * 2 / degree, weights, rtol=20 * EPS)


@pytest.mark.parametrize("mesh", BOXES, ids=["1d", "2d", "3d"])
@pytest.mark.parametrize("degree", [1, 2, 3])
def test_a_polynomial_is_interpolated_evaluated_and_integrated_exactly(mesh, degree):
    space = LagrangeSpace(mesh, degree)

    def polynomial(*x):
        return math.prod((1 + (k + 2) * xk) ** degree for k, xk in enumerate(x))

    u = space.interpolate(polynomial)
    tables = space.tabulate(like=u)
    points = [x.clone().requires_grad_() for x in space.quadrature_points()]
    expected = polynomial(*points)
    gradient = torch.autograd.grad(expected.sum(), points)
    found = tables.evaluate(u)
    scale = 1000 * EPS  # cancellation in the monomials of the basis, times the sums over at most 4^3 nodes
    for a, b in zip(found, [*gradient, expected.detach()], strict=True):
        torch.testing.assert_close(a, b, rtol=scale, atol=scale * float(b.abs().max()))
    integral = math.prod(
        ((1 + (k + 2) * b) ** (degree + 1) - (1 + (k + 2) * a) ** (degree + 1)) / ((k + 2) * (degree + 1))
        for k, (a, b) in enumerate(mesh.bounds)
    )
    assert float((found[-1] * tables.weights).sum()) == pytest.approx(integral, rel=scale)


@pytest.mark.parametrize("mesh", BOXES, ids=["1d", "2d", "3d"])
@pytest.mark.parametrize(("gradient", "value"), [(True, True), (True, False), (False, True)])
def test_assemble_is_the_transpose_of_evaluate(mesh, gradient, value, generator):
    space = LagrangeSpace(mesh, 2, quadrature=4)
    u = torch.randn(3, *space.node_shape, generator=generator, dtype=torch.float64)
    tables = space.tabulate(like=u)
    parts = tables.evaluate(u, gradient=gradient, value=value)
    others = [torch.randn(part.shape, generator=generator, dtype=torch.float64) for part in parts]
    left = sum((a * b).flatten(1).sum(1) for a, b in zip(parts, others, strict=True))
    right = (u * tables.assemble(others, gradient=gradient, value=value)).flatten(1).sum(1)
    torch.testing.assert_close(left, right, rtol=1000 * EPS, atol=1000 * EPS * u.numel())


def test_shapes_and_coordinates():
    space = LagrangeSpace(BoxMesh((2, 3), ((0.0, 1.0), (0.0, 3.0))), degree=2)
    assert space.node_shape == (5, 7)
    assert space.quadrature_shape == (6, 9)
    x, y = space.nodes()
    assert x.shape == (5, 7)
    assert x[1, 0] == 0.25
    assert y[0, -1] == 3.0
    assert LagrangeSpace(unit_square(2), degree=1).quadrature_points(3)[0].shape == (6, 6)
