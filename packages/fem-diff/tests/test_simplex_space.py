"""Triangles and tetrahedra: meshes, nodes, quadrature, values and gradients, against scikit-fem."""

from __future__ import annotations

import itertools
import math
from math import factorial

import numpy as np
import pytest
import skfem
import torch
from skfem.models.poisson import laplace, mass

from fem_diff import SimplexMesh, SimplexSpace
from fem_diff._simplices.reference import conical_rule, lattice, simplex_basis
from fem_diff._spaces import boundary_of

MESHES = {2: skfem.MeshTri().refined(2), 3: skfem.MeshTet().refined(1)}
ELEMENTS = {
    (2, 1): skfem.ElementTriP1(),
    (2, 2): skfem.ElementTriP2(),
    (2, 3): skfem.ElementTriP3(),
    (3, 1): skfem.ElementTetP1(),
    (3, 2): skfem.ElementTetP2(),
}
DOUBLE = torch.empty(0, dtype=torch.float64)


def of_skfem(mesh):
    """The same mesh, distorted so that no two cells are alike."""
    rng = np.random.default_rng(5)
    inside = mesh.interior_nodes()
    points = mesh.p.copy()
    points[:, inside] += rng.uniform(-0.05, 0.05, (len(points), len(inside)))
    return type(mesh)(points, mesh.t), SimplexMesh(points.T, mesh.t.T)


@pytest.mark.parametrize(("ndim", "degree"), ELEMENTS)
def test_energies_nodes_and_boundary_against_skfem(ndim, degree):
    theirs, mesh = of_skfem(MESHES[ndim])
    space = SimplexSpace(mesh, degree)
    basis = skfem.Basis(theirs, ELEMENTS[ndim, degree])
    nodes = np.array([x.numpy() for x in space.nodes()])
    # the nodes are the same points in another order
    ours, others = (points[:, np.lexsort(points.round(12))] for points in (nodes, basis.doflocs))
    np.testing.assert_allclose(ours, others, rtol=0, atol=1e-14)
    (part,) = boundary_of(space)
    assert part.mask(like=DOUBLE).sum() == len(basis.get_dofs().flatten())

    def function(x):
        return np.sin(3 * x[0] + x[1]) + x[-1] ** 2

    parts = space.tabulate(like=DOUBLE).evaluate(torch.from_numpy(function(nodes)))
    weights = space.tabulate(like=DOUBLE).weights
    u = function(basis.doflocs)
    stiffness, masses = laplace.assemble(basis), mass.assemble(basis)
    got = sum((part.square() * weights).sum() for part in parts[:-1])
    assert got.item() == pytest.approx(u @ stiffness @ u, rel=1e-12)
    assert (parts[-1].square() * weights).sum().item() == pytest.approx(u @ masses @ u, rel=1e-13)


@pytest.mark.parametrize(("ndim", "degree"), [*ELEMENTS, (3, 3)])
def test_polynomials_of_the_degree_are_reproduced(ndim, degree):
    _, mesh = of_skfem(MESHES[ndim])
    space = SimplexSpace(mesh, degree)
    like = DOUBLE
    tables = space.tabulate(like=like)
    x = space.quadrature_points(like=like)
    for powers in itertools.product(range(degree + 1), repeat=ndim):
        if sum(powers) > degree:
            continue

        def monomial(*x, powers=powers):
            return sum(0 * c for c in x) + math.prod(c**p for c, p in zip(x, powers, strict=True))

        *partials, values = tables.evaluate(space.interpolate(monomial))
        torch.testing.assert_close(values, monomial(*x), rtol=0, atol=1e-14)
        for axis, partial in enumerate(partials):
            lower = [p - (i == axis) for i, p in enumerate(powers)]
            want = powers[axis] * monomial(*x, powers=lower) if powers[axis] else torch.zeros_like(partial)
            torch.testing.assert_close(partial, want, rtol=0, atol=1e-12)  # gradients: eps / width


@pytest.mark.parametrize("ndim", [2, 3])
@pytest.mark.parametrize("degree", [1, 2, 3])
def test_the_basis_is_one_at_its_node_and_zero_at_the_others(ndim, degree):
    nodes = (lattice(ndim, degree)[:, :, None] == np.arange(ndim + 1)).sum(1) / degree
    values, derivatives = simplex_basis(degree, nodes)
    np.testing.assert_allclose(values, np.eye(len(nodes)), rtol=0, atol=1e-15)
    # differences of the derivatives along the simplex: the basis sums to one
    slopes = derivatives.sum(1)
    np.testing.assert_allclose(slopes - slopes[:, :1], 0, atol=1e-13)


@pytest.mark.parametrize("ndim", [2, 3])
@pytest.mark.parametrize("points", [2, 3, 4, 7])
def test_the_rule_is_exact_to_its_degree_and_no_further(ndim, points):
    x, w = conical_rule(ndim, points)
    assert (w > 0).all()

    def error(degree):
        worst = 0.0
        for powers in itertools.product(range(degree + 1), repeat=ndim + 1):
            if sum(powers) == degree:
                exact = np.prod([factorial(p) for p in powers]) * factorial(ndim) / factorial(degree + ndim)
                worst = max(worst, abs((w * (x ** np.array(powers)).prod(1)).sum() / exact - 1))
        return worst

    exact_to = 2 * points - ndim
    assert max(error(degree) for degree in range(min(exact_to, 6) + 1)) < 1e-13
    if exact_to < 7:
        assert error(exact_to + 1) > 1e-6


def test_assembly_is_the_transpose_of_evaluation():
    _, mesh = of_skfem(MESHES[2])
    space = SimplexSpace(mesh, 3)
    tables = space.tabulate(like=DOUBLE)
    generator = torch.Generator().manual_seed(1)
    u = torch.randn(2, *space.node_shape, generator=generator, dtype=torch.float64)
    parts = [
        torch.randn(2, *space.quadrature_shape, generator=generator, dtype=torch.float64) for _ in range(3)
    ]
    left = sum((a * b).sum() for a, b in zip(tables.evaluate(u), parts, strict=True))
    torch.testing.assert_close(left, (u * tables.assemble(parts)).sum(), rtol=1e-13, atol=0)


def test_meshio_files(tmp_path):
    meshio = pytest.importorskip("meshio")
    theirs = MESHES[3]
    path = tmp_path / "cube.vtu"
    loose = np.concatenate([theirs.p.T, [[9.0, 9.0, 9.0]]])  # a point that no cell uses
    meshio.Mesh(loose, [("triangle", [[0, 1, 2]]), ("tetra", theirs.t.T)]).write(path)
    mesh = SimplexMesh.read(path)
    assert repr(mesh) == f"SimplexMesh({theirs.t.shape[1]} tetrahedra, {theirs.p.shape[1]} points)"
    assert mesh.volumes.sum() == pytest.approx(1, rel=1e-14)

    flat = tmp_path / "flat.msh"
    points = np.column_stack([MESHES[2].p.T, np.full(MESHES[2].p.shape[1], 0.5)])
    meshio.Mesh(points, [("triangle", MESHES[2].t.T)]).write(flat)
    assert SimplexMesh.read(flat).ndim == 2

    points[3, 2] = 0.7
    with pytest.raises(ValueError, match="the triangles lie on a curved surface; a plane is needed"):
        SimplexMesh.from_meshio(meshio.Mesh(points, [("triangle", MESHES[2].t.T)]))
    with pytest.raises(ValueError, match="no triangles or tetrahedra in the mesh, only line"):
        SimplexMesh.from_meshio(meshio.Mesh(points, [("line", [[0, 1]])]))
    with pytest.raises(ValueError, match="there is no file"):
        SimplexMesh.read(tmp_path / "none.vtu")
    (tmp_path / "torn.vtu").write_bytes(path.read_bytes()[:200])
    with pytest.raises(ValueError, match=r"torn\.vtu cannot be read as a mesh"):
        SimplexMesh.read(tmp_path / "torn.vtu")


SQUARE = [[0.0, 0.0], [1.0, 0.0], [1.0, 1.0], [0.0, 1.0]]


@pytest.mark.parametrize(
    ("points", "cells", "message"),
    [
        ([0.0, 1.0], [[0, 1, 2]], r"`points` must have the shape .*; got \(2,\)"),
        (SQUARE, [[0, 1, 2, 3]], r"`cells` must have the shape \(cells, 3\), the vertices of each triangle"),
        (SQUARE, np.zeros((0, 3), int), "A mesh needs a cell"),
        ([*SQUARE[:3], [np.nan, 1.0]], [[0, 1, 2], [0, 2, 3]], r"must be finite; points\[3\]"),
        (SQUARE, [[0, 1, 2], [0, 2, 4]], r"numbers from 0 to 3; cells\[1\] = \[0 2 4\]"),
        (SQUARE, [[0, 1, 2]], r"no cell uses points\[3\] .* Remove them"),
        ([*SQUARE, [2.0, 0.0]], [[0, 1, 2], [0, 2, 3], [0, 1, 4]], r"cells\[2\] = \[0 1 4\] is flat"),
        (
            [*SQUARE, [2.0, -0.5]],
            [[0, 1, 2], [0, 2, 3], [0, 2, 4]],
            r"a face joins two cells at most; the face \[0 2\] belongs to 3",
        ),
    ],
)
def test_meshes_that_are_refused(points, cells, message):
    with pytest.raises(ValueError, match=message):
        SimplexMesh(points, cells)


def test_other_refusals():
    with pytest.raises(TypeError, match="`cells` must hold integers; its dtype is float64"):
        SimplexMesh(SQUARE, [[0.0, 1.0, 2.0], [0.0, 2.0, 3.0]])
    mesh = SimplexMesh(SQUARE, [[0, 1, 2], [0, 2, 3]])
    with pytest.raises(ValueError, match="`degree` must be 1, 2 or 3; got 4"):
        SimplexSpace(mesh, 4)
    with pytest.raises(ValueError, match="`quadrature` = 2 under-integrates"):
        SimplexSpace(mesh, 2, quadrature=2)
