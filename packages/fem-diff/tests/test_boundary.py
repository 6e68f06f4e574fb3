"""Every kind of boundary condition, with scalar and matrix diffusivity, on equal and graded cells."""

from __future__ import annotations

import math

import numpy as np
import pytest
import skfem
import torch
from skfem.helpers import grad

from fem_diff import (
    Anisotropic,
    BoxMesh,
    Dirichlet,
    Field,
    LagrangeSpace,
    Neumann,
    Poisson,
    Robin,
    energy,
    h1_error,
    l2_error,
    residual,
    solve,
)

SIDES = ("left", "right", "bottom", "top", "back", "front")


def graded(n, ndim, periodic=()):
    """Cells of a smooth map of equal ones, so that orders of convergence are as for these."""
    x = np.linspace(0, 1, n + 1)
    return BoxMesh.graded(
        *[x + 0.08 * (-1) ** k * np.sin(2 * np.pi * x) for k in range(ndim)], periodic=periodic
    )


def matrix(*x):
    """A smooth symmetric positive definite matrix, periodic with period 1."""
    ndim, wave = len(x), torch.sin(2 * math.pi * sum(x))
    rows = [
        [(2 + i + wave if i == j else 0.5 - 0.2 * wave) + 0 * x[0] for j in range(ndim)] for i in range(ndim)
    ]
    return torch.stack([torch.stack(row, -1) for row in rows], -2)


def scalar(*x):
    return 1.4 + torch.sin(2 * math.pi * sum(x))


def gentle(*x):
    """Slow enough for five cells."""
    return 1.4 + torch.sin(sum(x))


def gradient(function, x):
    return torch.autograd.grad(function(*x).sum(), x, create_graph=True)


def flux(exact, diffusivity, x):
    slopes = gradient(exact, x)
    a = diffusivity(*x)
    if a.dim() == x[0].dim():
        return [a * slope for slope in slopes]
    return [sum(a[..., i, j] * slopes[j] for j in range(len(x))) for i in range(len(x))]


def on_tracked(function):
    """Coordinates with a graph, for functions that need derivatives in them."""

    def tracked(*x):
        with torch.enable_grad():
            return function([xk.clone().requires_grad_() for xk in x]).detach()

    return tracked


def source_of(exact, diffusivity, reaction):
    def source(x):
        parts = flux(exact, diffusivity, x)
        divergence = sum(
            torch.autograd.grad(part.sum(), xk, retain_graph=True)[0]
            for part, xk in zip(parts, x, strict=True)
        )
        return reaction * exact(*x) - divergence

    return on_tracked(source)


def outflow(exact, diffusivity, side, alpha=0.0):
    """n . A grad u + alpha u on a side."""
    axis, end = divmod(SIDES.index(side), 2)
    return on_tracked(lambda x: (2 * end - 1) * flux(exact, diffusivity, x)[axis] + alpha * exact(*x))


def smooth(*x):
    return torch.exp(x[0] / 2) * math.prod(torch.cos((k + 2) * xk + 0.3) for k, xk in enumerate(x))


def periodic(*x):
    return math.prod(2 + torch.cos(2 * math.pi * xk + 0.3 + k) for k, xk in enumerate(x))


def half_periodic(*x):
    return math.prod(
        torch.cos(2 * math.pi * xk + 0.3) if k % 2 == 0 else torch.exp(xk) for k, xk in enumerate(x)
    )


def problem_of(kind, ndim, degree, n, diffusivity):
    """A problem, and the function that solves it."""
    rings = {
        "periodic": (True,) * ndim,
        "periodic, no reaction": (True,) * ndim,
        "half periodic": tuple(k % 2 == 0 for k in range(ndim)),
    }.get(kind, (False,) * ndim)
    space = LagrangeSpace(graded(n, ndim, rings), degree)
    exact = {"half periodic": half_periodic}.get(kind, periodic if all(rings) else smooth)
    reaction = 1.5 if kind in ("neumann", "periodic") else 0.0
    sides = [side for axis in range(ndim) if not rings[axis] for side in SIDES[2 * axis : 2 * axis + 2]]
    boundary = {}
    for k, side in enumerate(sides):
        conditions = {
            "dirichlet": Dirichlet(exact),
            "neumann": Neumann(outflow(exact, diffusivity, side)),
            "robin": Robin(lambda *x: 2 + x[0] ** 2, outflow_robin(exact, diffusivity, side)),
        }
        names = {
            "mixed": ("dirichlet", "robin", "neumann")[k % 3],
            "half periodic": ("neumann", "robin")[k % 2],
            "pure neumann": "neumann",
        }
        boundary[side] = conditions[names.get(kind, kind)]
    problem = Poisson(
        space,
        diffusivity=Anisotropic(diffusivity) if diffusivity is matrix else diffusivity,
        reaction=reaction,
        source=source_of(exact, diffusivity, reaction),
        boundary=boundary,
    )
    if problem.is_singular:
        weights = space.tabulate(8, like=problem.load).weights
        mean = float((exact(*space.quadrature_points(8)) * weights).sum())
        return problem, lambda *x: exact(*x) - mean
    return problem, exact


def outflow_robin(exact, diffusivity, side):
    plain = outflow(exact, diffusivity, side)
    return lambda *x: plain(*x) + (2 + x[0] ** 2) * exact(*x)


KINDS = (
    "dirichlet",
    "neumann",
    "robin",
    "mixed",
    "pure neumann",
    "periodic",
    "periodic, no reaction",
    "half periodic",
)
CASES = [
    *[(kind, 1, degree, scalar) for kind in KINDS for degree in (1, 2, 3) if kind != "half periodic"],
    *[(kind, 2, 1, matrix) for kind in KINDS],
    *[(kind, 2, degree, matrix) for kind in ("mixed", "pure neumann", "half periodic") for degree in (2, 3)],
    ("mixed", 2, 2, scalar),
    *[(kind, 3, 1, matrix) for kind in ("mixed", "pure neumann", "half periodic")],
    ("mixed", 3, 2, matrix),
    ("mixed", 3, 3, gentle),
]


@pytest.mark.parametrize(("kind", "ndim", "degree", "diffusivity"), CASES)
def test_orders_of_convergence(kind, ndim, degree, diffusivity):
    """d + 1 in L2 and d in H1."""
    coarse, fine = {1: (24, 48), 2: (16, 32), 3: (6, 12)}[ndim]
    if degree == 3:
        coarse, fine = {1: (16, 32), 2: (10, 20), 3: (8, 12)}[ndim]
    errors = []
    for n in (coarse, fine):
        problem, exact = problem_of(kind, ndim, degree, n, diffusivity)
        solution = solve(problem, tol=1e-11)
        errors.append((float(l2_error(solution, exact)), float(h1_error(solution, exact))))
    l2, h1 = (math.log(first / second, fine / coarse) for first, second in zip(*errors, strict=True))
    assert l2 == pytest.approx(degree + 1, abs=0.3)
    assert h1 == pytest.approx(degree, abs=0.3)


@pytest.mark.parametrize("solver", ["multigrid", "direct"])
@pytest.mark.parametrize("degree", [1, 2, 3])
def test_patch(degree, solver):
    """A linear function is reproduced by every condition at once, whatever the cells."""
    a = torch.tensor([[2.0, 0.7], [0.7, 1.0]], dtype=torch.float64)
    slope = torch.tensor([0.5, -2.0], dtype=torch.float64)

    def linear(x, y):
        return 1 + slope[0] * x + slope[1] * y

    mesh = BoxMesh.graded([0.0, 0.1, 0.15, 0.7, 1.0], [-1.0, -0.2, 0.0, 0.9])
    left, right, bottom, top = -(a @ slope)[0], (a @ slope)[0], -(a @ slope)[1], (a @ slope)[1]
    boundary = {
        "left": [Dirichlet(linear, where=lambda x, y: y <= -0.2), Neumann(left, where=lambda x, y: y > -0.2)],
        "right": Neumann(right),
        "bottom": Robin(3.0, lambda x, y: bottom + 3 * linear(x, y)),
        "top": Robin(lambda x, y: x, lambda x, y: top + x * linear(x, y)),
    }
    space = LagrangeSpace(mesh, degree)
    solution = solve(Poisson(space, diffusivity=Anisotropic(a), boundary=boundary), solver=solver, tol=1e-13)
    # the tolerance times the condition number, which the stretched cells bring to about 1e3
    torch.testing.assert_close(solution.u, space.interpolate(linear), rtol=0, atol=1e-10)
    assert not bool(Poisson(space, boundary=boundary).fixed[0, -1])


@pytest.mark.parametrize("degree", [1, 2, 3])
def test_solution_equals_scikit_fem(degree):
    """Graded cells, matrix diffusivity, all three conditions; the same space, another basis."""
    x, y = np.array([0, 0.1, 0.3, 0.6, 1.0]), np.array([0, 0.5, 0.6, 1.0, 1.7])
    elements = {1: skfem.ElementQuad1(), 2: skfem.ElementQuad2(), 3: skfem.ElementQuadP(3)}
    mesh = skfem.MeshQuad.init_tensor(x, y).with_boundaries(
        {
            "left": lambda p: p[0] == 0,
            "right": lambda p: p[0] == 1,
            "bottom": lambda p: p[1] == 0,
            "top": lambda p: p[1] == 1.7,
        }
    )
    basis = skfem.Basis(mesh, elements[degree], intorder=2 * degree + 1)
    right, top = (
        skfem.FacetBasis(mesh, elements[degree], facets=name, intorder=2 * degree + 1)
        for name in ("right", "top")
    )

    @skfem.BilinearForm
    def form(u, v, w):
        p, q = w.x
        (ux, uy), (vx, vy) = grad(u), grad(v)
        return (2 + p) * ux * vx + (1 + q) * uy * vy + 0.5 * q * (ux * vy + uy * vx)

    stiffness = form.assemble(basis) + skfem.BilinearForm(lambda u, v, w: (1 + w.x[1]) * u * v).assemble(
        right
    )
    load = skfem.LinearForm(lambda v, w: np.sin(3 * w.x[0]) * v).assemble(basis)
    load = load + skfem.LinearForm(lambda v, w: w.x[1] ** 2 * v).assemble(right)
    load = load + skfem.LinearForm(lambda v, w: np.cos(w.x[0]) * v).assemble(top)
    fixed = basis.get_dofs("left").all()
    lifted = np.zeros(basis.N)
    lifted[fixed] = basis.project(lambda p: p[1])[fixed]
    theirs = skfem.solve(*skfem.condense(stiffness, load, x=lifted, D=fixed))

    def diffusivity(p, q):
        return torch.stack([torch.stack([2 + p, 0.5 * q], -1), torch.stack([0.5 * q, 1 + q], -1)], -2)

    problem = Poisson(
        LagrangeSpace(BoxMesh.graded(x, y), degree),
        diffusivity=Anisotropic(diffusivity),
        source=lambda p, q: torch.sin(3 * p),
        boundary={
            "left": lambda p, q: q,
            "right": Robin(lambda p, q: 1 + q, lambda p, q: q**2),
            "top": Neumann(lambda p, q: torch.cos(p)),
        },
    )
    points = np.random.default_rng(0).uniform((0, 0), (1, 1.7), (50, 2))
    found = solve(problem, tol=1e-12).evaluate(torch.from_numpy(points))
    np.testing.assert_allclose(found, basis.probes(points.T) @ theirs, atol=1e-10)


@pytest.mark.parametrize("mesh", [BoxMesh((6, 5)), BoxMesh((6, 5), periodic=(True, False)), BoxMesh((7,))])
def test_without_anything_that_holds_the_constant_the_mean_is_zero(mesh):
    space = LagrangeSpace(mesh, 2)
    problem = Poisson(space, source=lambda *x: torch.cos(2 * math.pi * x[0]), boundary={})
    assert problem.is_singular
    for solver in ("multigrid", "direct"):
        solution = solve(problem, solver=solver, tol=1e-12)
        weights = problem.tables.weights
        assert abs(float((space.from_nodes(solution.u) * weights).sum())) < 1e-14
        assert float(residual(problem, solution.u).abs().max()) < 1e-12
    shifted = solve(problem, u0=torch.full(space.node_shape, 7.0, dtype=torch.float64))
    torch.testing.assert_close(shifted.u, solution.u, rtol=0, atol=1e-9)


def test_a_periodic_solution_does_not_know_where_it_is_cut(generator):
    source = torch.randn(9, 3, 8, 3, generator=generator, dtype=torch.float64).flatten(0, 1).flatten(1, 2)
    source = source - source.mean()
    space = LagrangeSpace(BoxMesh((9, 8), periodic=(True, True)), 2)
    weights = space.tabulate(like=source).weights
    source = source - (source * weights).sum() / weights.sum()
    u = solve(Poisson(space, source=source), tol=1e-12).u
    moved = solve(Poisson(space, source=source.roll((6, 9), (0, 1))), tol=1e-12).u
    torch.testing.assert_close(moved, u.roll((4, 6), (0, 1)), rtol=0, atol=1e-12)
    ends = torch.tensor([[0.0, 0.3], [1.0, 0.3], [0.4, 0.0], [0.4, 1.0]], dtype=torch.float64)
    values = Field(space, u).evaluate(ends)
    torch.testing.assert_close(values[[0, 2]], values[[1, 3]], rtol=0, atol=1e-15)


def test_conditions_on_the_whole_boundary_are_those_on_each_side(generator):
    space = LagrangeSpace(BoxMesh((4, 3)), 2)
    h = torch.rand(space.node_shape, generator=generator, dtype=torch.float64)
    sides = {"left": h[0], "right": h[-1], "bottom": h[:, 0], "top": h[:, -1]}
    whole = solve(Poisson(space, source=1.0, boundary=Robin(2.0, h)), tol=1e-13).u
    each = {side: Robin(2.0, values) for side, values in sides.items()}
    torch.testing.assert_close(whole, solve(Poisson(space, source=1.0, boundary=each), tol=1e-13).u)
    whole = solve(Poisson(space, source=1.0, boundary=h), tol=1e-13).u
    torch.testing.assert_close(whole, solve(Poisson(space, source=1.0, boundary=sides), tol=1e-13).u)
    parts = [Dirichlet(h, where=lambda x, y: x < 0.5), Neumann(1.0, where=lambda x, y: x > 0.5)]
    fixed = Poisson(space, boundary=parts).fixed
    assert fixed[:4].sum() == 7 + 2 * 3
    assert not fixed[4:].any()
    point = LagrangeSpace(BoxMesh((4,)), 1)
    batch = torch.tensor([1.0, 2.0], dtype=torch.float64)
    u = solve(Poisson(point, boundary={"left": batch, "right": Neumann(batch)})).u
    torch.testing.assert_close(u, batch[:, None] * (1 + torch.linspace(0, 1, 5).double()))


def test_the_last_dirichlet_condition_at_a_corner_counts():
    space = LagrangeSpace(BoxMesh((2, 2)), 1)
    boundary = Poisson(space, boundary={"left": 1.0, "top": 2.0}).boundary
    assert boundary[0].tolist() == [1.0, 1.0, 2.0]


@pytest.mark.parametrize("mesh", [BoxMesh((5, 4)), graded(6, 2), BoxMesh((6, 5), periodic=(False, True))])
def test_the_solution_minimises_the_energy(mesh, generator):
    space = LagrangeSpace(mesh, 2)
    boundary = {"left": 1.0, "right": Robin(2.0, lambda x, y: y)}
    problem = Poisson(space, diffusivity=Anisotropic(matrix), source=1.0, boundary=boundary)
    u = solve(problem, tol=1e-12).u
    noise = torch.randn(5, *u.shape, generator=generator, dtype=torch.float64)
    assert (energy(problem, u + noise) > energy(problem, u)).all()
    v = noise[0].requires_grad_()
    (slope,) = torch.autograd.grad(energy(problem, v), v)
    expected = residual(problem, v.detach())
    torch.testing.assert_close(slope, expected, rtol=0, atol=1e-12 * float(expected.abs().max()))


def test_helmholtz_by_the_direct_solver():
    """-u'' - k^2 u = 0 with u(0) = 0, u(1) = sin k: u = sin kx, with k^2 above the lowest eigenvalue."""
    k = 7.3
    space = LagrangeSpace(BoxMesh((60,)), 3)
    problem = Poisson(space, reaction=-(k**2), boundary={"right": math.sin(k), "left": 0.0}, indefinite=True)
    solution = solve(problem)
    assert float(l2_error(solution, lambda x: torch.sin(k * x))) < 1e-6
    with pytest.raises(ValueError, match="solver='multigrid' needs a positive definite problem"):
        solve(problem, solver="multigrid")


@pytest.mark.parametrize(
    ("mesh", "most"),
    [(graded(96, 2), 28), (BoxMesh((96, 96), periodic=(True, True)), 19), (BoxMesh((96, 96)), 19)],
)
def test_steps_stay_few(mesh, most, generator):
    """Measured 27 on the graded mesh, where cells are up to 3 times as long as wide, and 18 on the others."""
    space = LagrangeSpace(mesh, 1)
    source = torch.randn(space.quadrature_shape, generator=generator, dtype=torch.float64)
    weights = space.tabulate(like=source).weights
    source = source - (source * weights).sum() / weights.sum()
    assert int(solve(Poisson(space, source=source, boundary={}), solver="multigrid").iterations) <= most
