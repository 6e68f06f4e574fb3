"""Problems on triangles and tetrahedra: against scikit-fem, orders, derivatives, files, refusals."""

from __future__ import annotations

import importlib
import math

import numpy as np
import pytest
import skfem
import torch
from skfem.helpers import dot, grad

from fem_diff import (
    Anisotropic,
    Dirichlet,
    DualNorm,
    Field,
    LagrangeSpace,
    Neumann,
    Poisson,
    Robin,
    SimplexMesh,
    SimplexSpace,
    energy,
    h1_error,
    l2_error,
    residual,
    solve,
    unit_square,
    weak_residual,
    write_vtk,
)

ELEMENTS = {
    (2, 1): skfem.ElementTriP1(),
    (2, 2): skfem.ElementTriP2(),
    (2, 3): skfem.ElementTriP3(),
    (3, 1): skfem.ElementTetP1(),
    (3, 2): skfem.ElementTetP2(),
}


def distorted(ndim, refinements, seed=5):
    """A mesh of the unit square or cube, with its inner vertices moved so that no two cells are alike."""
    mesh = (skfem.MeshTri() if ndim == 2 else skfem.MeshTet()).refined(refinements)
    rng = np.random.default_rng(seed)
    points = mesh.p.copy()
    inside = mesh.interior_nodes()
    points[:, inside] += rng.uniform(-0.15, 0.15, (ndim, len(inside))) / 2**refinements
    mesh = type(mesh)(points, mesh.t)
    sides = {
        "left": mesh.facets_satisfying(lambda x: x[0] == 0),
        "right": mesh.facets_satisfying(lambda x: x[0] == 1),
    }
    return mesh, SimplexMesh(points.T, mesh.t.T, {name: mesh.facets[:, k].T for name, k in sides.items()})


def diffusivity(x):
    return 1 + x[0] * x[1]


@pytest.mark.parametrize("solver", ["direct", "amg"])
@pytest.mark.parametrize(("ndim", "degree"), ELEMENTS)
def test_solutions_agree_with_skfem(ndim, degree, solver):
    theirs, mesh = distorted(ndim, 2 if ndim == 2 else 1)
    space = SimplexSpace(mesh, degree, quadrature=degree + 3)  # exact for these polynomials
    problem = Poisson(
        space,
        diffusivity=lambda *x: diffusivity(x),
        reaction=lambda *x: x[1],
        source=lambda *x: x[0] ** 2,
        boundary={
            "left": Dirichlet(lambda *x: x[1] ** 2),
            "right": [Neumann(lambda *x: 1 + x[1]), Robin(lambda *x: x[1], 2.0)],
        },
    )
    u = solve(problem, solver=solver, tol=1e-12).u.numpy()

    order = 2 * degree + 2
    basis = skfem.Basis(theirs, ELEMENTS[ndim, degree], intorder=order)
    right = skfem.FacetBasis(
        theirs, ELEMENTS[ndim, degree], facets=theirs.facets_satisfying(lambda x: x[0] == 1), intorder=order
    )
    matrix = skfem.BilinearForm(
        lambda u, v, w: diffusivity(w.x) * dot(grad(u), grad(v)) + w.x[1] * u * v
    ).assemble(basis) + skfem.BilinearForm(lambda u, v, w: w.x[1] * u * v).assemble(right)
    load = skfem.LinearForm(lambda v, w: w.x[0] ** 2 * v).assemble(basis)
    load += skfem.LinearForm(lambda v, w: (3 + w.x[1]) * v).assemble(right)
    fixed = basis.get_dofs(lambda x: x[0] == 0).flatten()
    values = np.zeros(basis.N)
    values[fixed] = basis.doflocs[1, fixed] ** 2
    want = skfem.solve(*skfem.condense(matrix, load, x=values, D=fixed))

    ours = np.lexsort(np.round([x.numpy() for x in space.nodes()], 10))
    others = np.lexsort(basis.doflocs.round(10))
    np.testing.assert_allclose(u[ours], want[others], rtol=0, atol=1e-11 * np.abs(want).max())


def wave(*x):
    return torch.sin(1.3 * x[0] + 0.2) * torch.cos(1.1 * x[1]) * (torch.exp(0.4 * x[2]) if len(x) == 3 else 1)


def source_of_wave(*x):
    return (1.3**2 + 1.1**2 - (0.16 if len(x) == 3 else 0)) * wave(*x)


@pytest.mark.parametrize(
    ("ndim", "degree", "refinements"),
    [(2, 1, (3, 4, 5)), (2, 2, (2, 3, 4)), (2, 3, (2, 3, 4)), (3, 1, (2, 3)), (3, 2, (1, 2)), (3, 3, (1, 2))],
)
def test_orders_of_convergence(ndim, degree, refinements):
    errors = []
    for count in refinements:  # regular refinement: each cell falls into similar ones
        mesh = (skfem.MeshTri() if ndim == 2 else skfem.MeshTet()).refined(count)
        space = SimplexSpace(SimplexMesh(mesh.p.T, mesh.t.T), degree)
        solution = solve(Poisson(space, source=source_of_wave, boundary=wave), tol=1e-12)
        errors.append([float(l2_error(solution, wave)), float(h1_error(solution, wave))])
    orders = np.log2(np.divide(errors[-2], errors[-1]))
    assert orders[0] == pytest.approx(degree + 1, abs=0.25)
    assert orders[1] == pytest.approx(degree, abs=0.25)


@pytest.mark.parametrize("ndim", [2, 3])
def test_polynomials_of_the_degree_are_solved_exactly(ndim):
    _, mesh = distorted(ndim, 1)

    def exact(*x):
        return 1 + 2 * x[0] - x[1] + x[0] * x[1]

    for degree in (2, 3):
        matrix = torch.eye(ndim, dtype=torch.float64) + 0.25
        problem = Poisson(
            SimplexSpace(mesh, degree), diffusivity=Anisotropic(matrix), source=-2 * 0.25, boundary=exact
        )
        solution = solve(problem)
        assert float(h1_error(solution, exact)) < 1e-12
        u = solution.u
        assert residual(problem, u).abs().max() < 1e-13
        assert energy(problem, u) < energy(problem, u + 0.01 * torch.where(problem.fixed, 0.0, 1.0))


def test_gradients_of_every_datum():
    _, mesh = distorted(2, 1)
    space = SimplexSpace(mesh, 2)
    generator = torch.Generator().manual_seed(0)

    def positive(*shape):
        return (0.5 + torch.rand(shape, generator=generator, dtype=torch.float64)).requires_grad_()

    faces = len(mesh.sides["right"])
    data = [
        positive(2, len(mesh.cells)),
        positive(*space.node_shape),
        positive(),
        positive(faces),
        positive(faces),
    ]
    data.append(positive(2 * len(mesh.sides["left"]) + 1))

    def solution(nu, source, reaction, flux, alpha, given):
        right = [Neumann(flux), Robin(alpha)]
        conditions = {"left": Dirichlet(given), "right": right}
        problem = Poisson(space, diffusivity=nu, source=source, reaction=reaction, boundary=conditions)
        return solve(problem, tol=1e-12).u

    assert torch.autograd.gradcheck(solution, data, fast_mode=True)
    assert torch.autograd.gradgradcheck(solution, data, fast_mode=True)


def test_a_batch_is_solved_as_one_by_one_and_starts_where_it_is_told():
    _, mesh = distorted(2, 3)
    space = SimplexSpace(mesh, 1)
    nu = 1 + torch.rand(3, len(mesh.cells), generator=torch.Generator().manual_seed(2), dtype=torch.float64)
    together = solve(Poisson(space, diffusivity=nu, source=1.0), solver="amg")
    for k in range(3):
        alone = solve(Poisson(space, diffusivity=nu[k], source=1.0), solver="amg")
        torch.testing.assert_close(together.u[k], alone.u, rtol=0, atol=1e-12)
        assert int(alone.iterations) == int(together.iterations[k])
    again = solve(Poisson(space, diffusivity=nu, source=1.0), solver="amg", u0=together.u)
    assert int(again.iterations.max()) == 0


@pytest.mark.parametrize("solver", ["direct", "amg"])
def test_nothing_holds_the_constant(solver):
    _, mesh = distorted(2, 3)
    space = SimplexSpace(mesh, 2)
    source = lambda x, y: torch.cos(math.pi * x)  # noqa: E731
    solution = solve(Poisson(space, source=source, boundary=Neumann(0.0)), solver=solver)
    exact = lambda x, y: torch.cos(math.pi * x) / math.pi**2  # noqa: E731
    assert float(l2_error(solution, exact)) < 1e-4
    tables = space.tabulate(like=solution.u)
    assert abs(float((space.from_nodes(solution.u) * tables.weights).sum())) < 1e-14
    with pytest.raises(ValueError, match="must cancel where nothing holds the constant"):
        Poisson(space, source=1.0, boundary=Neumann(0.0))


def test_algebraic_multigrid_takes_few_more_steps_on_finer_meshes():
    steps = []
    for refinements in (4, 6):  # 16 times the cells
        _, mesh = distorted(2, refinements)
        steps.append(int(solve(Poisson(SimplexSpace(mesh, 1), source=1.0), solver="amg").iterations))
    assert steps[1] <= 2 * steps[0] < 40


@pytest.mark.parametrize("ndim", [2, 3])
def test_values_at_points_and_on_grids(ndim):
    _, mesh = distorted(ndim, 2)
    space = SimplexSpace(mesh, 3)

    def exact(*x):
        return x[0] ** 3 - x[0] * x[1] + x[-1] ** 2

    field = Field(space, torch.stack([space.interpolate(exact), space.interpolate(lambda *x: x[0])]))
    rng = np.random.default_rng(0)
    corners = np.array(np.meshgrid(*[[0.0, 1.0]] * ndim)).reshape(ndim, -1).T
    points = torch.from_numpy(np.concatenate([rng.random((500, ndim)), corners, mesh.points]))
    found = field.evaluate(points)
    torch.testing.assert_close(found[0], exact(*points.T), rtol=0, atol=1e-13)
    torch.testing.assert_close(found[1], points[:, 0], rtol=0, atol=1e-13)
    axis = torch.linspace(0, 1, 5, dtype=torch.float64)
    grid = field.on_grid(*[axis] * ndim)
    assert grid.shape == (2, *[5] * ndim)
    torch.testing.assert_close(
        grid[1], axis.view(-1, *[1] * (ndim - 1)).expand(grid[1].shape), rtol=0, atol=1e-13
    )
    with pytest.raises(ValueError, match=r"point 1, .* lies outside the mesh"):
        field.evaluate(torch.tensor([[0.5] * ndim, [1.5] * ndim], dtype=torch.float64))


@pytest.mark.parametrize("ndim", [2, 3])
def test_files_for_paraview_hold_the_nodes(tmp_path, ndim):
    meshio = pytest.importorskip("meshio")
    _, mesh = distorted(ndim, 1)
    space = SimplexSpace(mesh, 2)
    field = Field(space, space.interpolate(lambda *x: x[0] - 2 * x[1]))
    write_vtk(tmp_path / "u.vtu", field, name="height")
    read = meshio.read(tmp_path / "u.vtu")
    np.testing.assert_array_equal(read.point_data["height"], field.u.numpy())
    np.testing.assert_allclose(read.points[:, 0] - 2 * read.points[:, 1], field.u.numpy(), rtol=0, atol=1e-15)
    cells = read.cells[0].data
    assert len(cells) == 2**ndim * len(mesh.cells)
    assert SimplexMesh(read.points[:, :ndim], cells).volumes.sum() == pytest.approx(1, rel=1e-13)
    assert [path.name for path in tmp_path.iterdir()] == ["u.vtu"]
    with pytest.raises(ValueError, match=r"must end in \.vtu for a SimplexSpace; got 'u\.vti'"):
        write_vtk(tmp_path / "u.vti", field)


def test_a_plot_shows_the_values():
    pytest.importorskip("matplotlib").use("Agg")
    _, mesh = distorted(2, 1)
    space = SimplexSpace(mesh, 2)
    field = Field(space, space.interpolate(lambda x, y: x + 3 * y))
    drawn = field.plot().collections[0]
    low, high = drawn.get_clim()
    assert (low, high) == (0.0, 4.0)


def test_physical_groups_of_gmsh_become_sides(tmp_path):
    meshio = pytest.importorskip("meshio")
    _theirs, mesh = distorted(2, 2)
    loose = np.concatenate([[[9.0, 9.0]], mesh.points])  # a point that no cell uses, before all others
    lines = {name: faces + 1 for name, faces in mesh.sides.items()}
    blocks = [("line", lines["left"]), ("line", lines["right"]), ("triangle", mesh.cells + 1)]
    tags = [np.full(len(data), tag, dtype=np.int32) for (_, data), tag in zip(blocks, (7, 8, 9), strict=True)]
    file = meshio.Mesh(
        np.column_stack([loose, np.zeros(len(loose))]),
        blocks,
        cell_data={"gmsh:physical": tags, "gmsh:geometrical": tags},
        field_data={"inlet": np.array([7, 1]), "outlet": np.array([8, 1]), "body": np.array([9, 2])},
    )
    file.write(tmp_path / "mesh.msh", file_format="gmsh22")
    read = SimplexMesh.read(tmp_path / "mesh.msh")
    assert list(read.sides) == ["inlet", "outlet"]
    np.testing.assert_array_equal(read.sides["inlet"], mesh.sides["left"])
    np.testing.assert_array_equal(read.sides["outlet"], mesh.sides["right"])


def test_refusals(monkeypatch):
    _, mesh = distorted(2, 1)
    space = SimplexSpace(mesh, 1)
    problem = Poisson(space, source=1.0)
    edges = np.sort(mesh.cells[:, [[0, 1], [0, 2], [1, 2]]].reshape(-1, 2)).tolist()
    inner = next(edge for edge in edges if edge not in mesh.boundary.tolist())
    for arguments in ({"solver": "multigrid"}, {"solver": "diagonalization"}, {"tol": "floor"}):
        with pytest.raises(
            ValueError, match=r"are for a LagrangeSpace, not for a SimplexSpace\. Use solver='amg'"
        ):
            solve(problem, **arguments)
    for functional in (DualNorm, lambda problem: weak_residual(problem, problem.boundary)):
        with pytest.raises(TypeError, match="is for problems on a LagrangeSpace; got one on a SimplexSpace"):
            functional(problem)
    with pytest.raises(ValueError, match=r"names the side 'top'; the sides of this mesh are 'left', 'right'"):
        Poisson(space, boundary={"top": 1.0})
    with pytest.raises(ValueError, match="solver='amg' needs a positive definite problem"):
        solve(Poisson(space, reaction=-1.0, indefinite=True), solver="amg")
    with pytest.raises(
        ValueError, match=r"`sides`\['inner'\] names the face .*, which does not lie on the boundary"
    ):
        SimplexMesh(mesh.points, mesh.cells, {"inner": [inner]})
    with pytest.raises(ValueError, match=r"`sides`\['one'\] must hold the 2 vertices of each face"):
        SimplexMesh(mesh.points, mesh.cells, {"one": [[0, 1, 2]]})
    with pytest.raises(ValueError, match="`diffusivity` must be positive; it is -1"):
        Poisson(space, diffusivity=-torch.ones(len(mesh.cells), dtype=torch.float64))

    def missing(name):
        if name == "pyamg":
            raise ImportError(name)
        return load(name)

    load = importlib.import_module
    monkeypatch.setattr(importlib, "import_module", missing)
    with pytest.raises(
        ImportError, match=r'solver="amg" needs pyamg. Install it with: pip install "fem-diff\[amg\]"'
    ):
        solve(problem, solver="amg")


def test_algebraic_multigrid_on_a_box():
    square = LagrangeSpace(unit_square(8), degree=2)
    u = solve(Poisson(square, source=1.0), solver="amg", tol=1e-12).u
    torch.testing.assert_close(u, solve(Poisson(square, source=1.0), solver="direct").u, rtol=0, atol=1e-12)
