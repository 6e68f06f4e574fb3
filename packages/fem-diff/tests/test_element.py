"""The operator by elements against sum factorisation, block by block."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from fem_diff import BoxMesh, LagrangeSpace
from fem_diff._boxes import element
from fem_diff._boxes.element import ElementOperator

EPS = torch.finfo(torch.float64).eps
MESHES = {
    "1d": BoxMesh((7,)),
    "2d": BoxMesh((6, 5), ((0.0, 2.0), (0.0, 1.0))),
    "3d": BoxMesh((3, 2, 4)),
    "graded": BoxMesh.graded(np.linspace(0, 1, 7) ** 2, np.linspace(0, 1, 5) ** 3),
    "cylinder": BoxMesh((4, 5), periodic=(False, True)),
    "torus": BoxMesh((3, 4), periodic=(True, True)),
}


@pytest.mark.parametrize("cached", [1, 700, 2**19])
@pytest.mark.parametrize("mesh", MESHES.values(), ids=MESHES.keys())
@pytest.mark.parametrize("degree", [1, 2, 3])
def test_equals_sum_factorisation(mesh, degree, cached, generator, monkeypatch):
    """For blocks of a row, of a few and of everything; diagonal, mixed and value terms; shared and own."""
    monkeypatch.setattr(element, "CACHED", cached)
    space = LagrangeSpace(mesh, degree)
    ndim = space.ndim

    def random(batch, *shape):
        return torch.rand(batch, *shape, generator=generator, dtype=torch.float64)

    tables = space.tabulate(like=random(1))
    u = random(3, *space.node_shape)
    terms = [(tuple((k, k) for k in range(ndim)), random(3, *space.quadrature_shape))]
    mixed = [*terms, (((ndim, ndim),), random(1, *space.quadrature_shape))]
    if ndim > 1:
        mixed.append((((0, 1), (1, 0)), random(3, *space.quadrature_shape)))
    check(tables, terms, u)
    check(tables, mixed, u)


@pytest.mark.parametrize("cached", [1, 2**19])
@pytest.mark.parametrize("mesh", MESHES.values(), ids=MESHES.keys())
@pytest.mark.parametrize("degree", [1, 2, 3])
def test_coefficients_constant_on_each_element(mesh, degree, cached, generator, monkeypatch):
    """Multiples of one matrix; a coefficient that varies within one element alone is noticed."""
    monkeypatch.setattr(element, "CACHED", cached)
    space = LagrangeSpace(mesh, degree)
    axes = range(-space.ndim, 0)

    def random(batch, *shape):
        return torch.rand(batch, *shape, generator=generator, dtype=torch.float64)

    tables = space.tabulate(like=random(1))

    def weighted(batch):
        cells = random(batch, *mesh.elements) + 0.5
        for axis in axes:
            cells = cells.repeat_interleave(degree + 1, axis)
        return cells * tables.weights

    u = random(3, *space.node_shape)
    pairs = [tuple((k, k) for k in range(space.ndim)), ((space.ndim, space.ndim),)]
    terms = [(pairs[0], weighted(3)), (pairs[1], weighted(1))]
    assert check(tables, terms[:1], u).blocks
    if space.ndim > 1:
        terms.append((((0, 1), (1, 0)), weighted(1)))
    assert check(tables, terms, u).blocks
    terms[1][1].view(-1)[-1] *= 1.001
    assert not check(tables, terms, u).blocks


def check(tables, terms, u):
    """Compares the two and returns the operator."""
    parts = tables.evaluate(u)
    flux = [torch.zeros_like(part) for part in parts]
    for pairs, c in terms:
        for i, j in pairs:
            flux[i] += c * parts[j]
    expected = tables.assemble(flux)
    operator = ElementOperator(tables, terms)
    few = 200 * EPS * float(expected.abs().max())  # sums of up to 64 points and 64 nodes
    torch.testing.assert_close(operator(u), expected, rtol=0, atol=few)
    return operator
