"""Linear elasticity against manufactured solutions, scikit-fem, and finite differences."""

from __future__ import annotations

import math

import numpy as np
import pytest
import skfem
import torch
from skfem.helpers import ddot, sym_grad, trace
from torch.autograd import gradcheck, gradgradcheck

from fem_diff import BoxMesh, Elasticity, Field, LagrangeSpace, energy, l2_error, residual, solve, unit_square


def random(generator, *shape):
    return torch.rand(shape, generator=generator, dtype=torch.float64) + 0.5


@pytest.mark.parametrize("ndim", [2, 3])
@pytest.mark.parametrize("degree", [1, 2])
def test_patch(ndim, degree, generator):
    """A linear displacement has constant stress, so it is reproduced."""
    matrix = torch.randn(ndim, ndim, generator=generator, dtype=torch.float64)
    space = LagrangeSpace(BoxMesh((3, 2, 2)[:ndim], ((0.0, 2.0), (0.0, 1.0), (-1.0, 1.0))[:ndim]), degree)
    exact = torch.einsum("ij,j...->i...", matrix, torch.stack(space.nodes()))
    lame, shear = 1.3, 0.7
    strain = (matrix + matrix.T) / 2
    stress = lame * strain.trace() * torch.eye(ndim, dtype=torch.float64) + 2 * shear * strain
    sides = [
        ("left", 0, -1),
        ("right", 0, 1),
        ("bottom", 1, -1),
        ("top", 1, 1),
        ("back", 2, -1),
        ("front", 2, 1),
    ]
    boundary = {"left": tuple(exact[:, 0])}
    traction = {side: (sign * stress[:, k]).tolist() for side, k, sign in sides[1 : 2 * ndim]}
    problem = Elasticity(space, lame=(lame, shear), boundary=boundary, traction=traction)
    solution = solve(problem, tol=1e-13)
    torch.testing.assert_close(solution.u, exact, rtol=0, atol=1e-11)
    found = problem.stress(solution.u)
    want = stress.view(ndim, ndim, *(1,) * ndim).expand_as(found)
    torch.testing.assert_close(found, want, rtol=0, atol=1e-10)


@pytest.mark.parametrize("plane", ["strain", "stress"])
@pytest.mark.parametrize("degree", [1, 2, 3])
def test_order_of_convergence(plane, degree):
    """D + 1 in L2 with variable moduli and mixed conditions; the data by autograd from the solution."""

    def exact(x, y):
        return torch.stack([torch.sin(2 * x + y), torch.cos(x - 2 * y)])

    def moduli(x, y):
        young, poisson = 2 + torch.sin(x + y), 0.25 + 0.1 * torch.cos(2 * x)
        shear = young / (2 * (1 + poisson))
        if plane == "stress":
            return young * poisson / (1 - poisson**2), shear, young, poisson
        return young * poisson / ((1 + poisson) * (1 - 2 * poisson)), shear, young, poisson

    def stress(x, y):
        u = exact(x, y)
        g = [torch.autograd.grad(part.sum(), (x, y), create_graph=True) for part in u]
        lame, shear, *_ = moduli(x, y)
        div = g[0][0] + g[1][1]
        return [[shear * (g[i][j] + g[j][i]) + (lame * div if i == j else 0) for j in (0, 1)] for i in (0, 1)]

    def force(i):
        def of(x, y):
            x, y = (part.clone().requires_grad_() for part in (x, y))
            s = stress(x, y)[i]
            first = torch.autograd.grad(s[0].sum(), x, retain_graph=True)[0]
            return -(first + torch.autograd.grad(s[1].sum(), y)[0]).detach()

        return of

    def pull(i):
        return lambda x, y: stress(x.clone().requires_grad_(), y.clone().requires_grad_())[i][1].detach()

    errors = []
    for n in (6, 12):
        space = LagrangeSpace(BoxMesh((n, n + 2)), degree)
        sides = {
            side: [lambda x, y, i=i: exact(x, y)[i] for i in (0, 1)] for side in ("left", "right", "bottom")
        }
        young, poisson = (lambda x, y: moduli(x, y)[2]), (lambda x, y: moduli(x, y)[3])
        problem = Elasticity(
            space,
            young=young,
            poisson=poisson,
            plane=plane,
            force=[force(0), force(1)],
            boundary=sides,
            traction={"top": (pull(0), pull(1))},
        )
        errors.append(float(l2_error(solve(problem), exact).norm()))
    assert math.log2(errors[0] / errors[1]) == pytest.approx(degree + 1, abs=0.35)


def test_values_of_scikit_fem(generator):
    space = LagrangeSpace(BoxMesh((4, 3)), 1)
    problem = Elasticity(
        space, lame=(1.5, 0.8), force=(1.0, -2.0), boundary={"left": 0.0, "right": (None, 0.1)}
    )
    mesh = skfem.MeshQuad.init_tensor(np.linspace(0, 1, 5), np.linspace(0, 1, 4))
    basis = skfem.Basis(mesh, skfem.ElementVector(skfem.ElementQuad1()), intorder=3)

    @skfem.BilinearForm
    def stiffness(u, v, w):
        return 1.5 * trace(sym_grad(u)) * trace(sym_grad(v)) + 1.6 * ddot(sym_grad(u), sym_grad(v))

    @skfem.LinearForm
    def load(v, w):
        return v[0] - 2 * v[1]

    x = basis.zeros()
    left = basis.get_dofs(lambda p: p[0] == 0).all()
    right = basis.get_dofs(lambda p: p[0] == 1).all("u^2")
    x[right] = 0.1
    want = skfem.solve(
        *skfem.condense(stiffness.assemble(basis), load.assemble(basis), x=x, D=np.r_[left, right])
    )
    u = solve(problem, tol=1e-13).u
    for k, place in enumerate(mesh.p.T):
        i, j = round(place[0] * 4), round(place[1] * 3)
        assert u[:, i, j].tolist() == pytest.approx(want[basis.nodal_dofs[:, k]].tolist(), abs=1e-12)


@pytest.mark.parametrize("poisson", [0.0, 0.3, 0.45])
def test_iterations_hardly_grow_with_the_mesh(poisson, generator):
    """By less than a fifth where the cells are three times as small, which is 5 to 6 steps of 40."""
    counts = []
    for n in (16, 48):
        space = LagrangeSpace(unit_square(n), 1)
        force = [torch.randn(space.quadrature_shape, generator=generator, dtype=torch.float64) for _ in "xy"]
        problem = Elasticity(space, poisson=poisson, force=force, boundary={"left": 0.0})
        counts.append(int(solve(problem).iterations))
    assert counts[1] <= 1.2 * counts[0]
    assert counts[1] <= 50


@pytest.mark.usefixtures("unchecked")
def test_derivatives(generator):
    space = LagrangeSpace(unit_square(2), 1)

    def u(lame, shear, force, given, traction):
        boundary = {"left": (given, None), "bottom": 0.0}
        sides = {"right": (0.0, traction)}
        return solve(
            Elasticity(space, lame=(lame, shear), force=(force, 1.0), boundary=boundary, traction=sides),
            tol=1e-13,
        ).u

    data = [random(generator, *shape) for shape in ((2, 2, 2), (2, 2, 2), (3, 3), (2, 3), (3,))]
    data = tuple(part.requires_grad_() for part in data)
    assert gradcheck(u, data, fast_mode=True)
    assert gradgradcheck(u, data, fast_mode=True)


@pytest.mark.usefixtures("unchecked")
@pytest.mark.parametrize("name", ["lame", "shear", "force", "boundary", "traction"])
def test_taylor_remainders_fall_with_order_two(name, generator, remainder_orders):
    space = LagrangeSpace(unit_square(5), 1)
    data = {
        "lame": random(generator, 5, 5),
        "shear": random(generator, 5, 5),
        "force": random(generator, *space.node_shape),
        "boundary": random(generator, 6),
        "traction": random(generator, 6),
    }

    def loss(value):
        given = {**data, name: value}
        problem = Elasticity(
            space,
            lame=(given["lame"], given["shear"]),
            force=(given["force"], 1.0),
            boundary={"left": (given["boundary"], None), "bottom": 0.0},
            traction={"right": (0.0, given["traction"])},
        )
        return solve(problem, tol=1e-13).u.square().sum()

    assert remainder_orders(loss, data[name], 0.3) == pytest.approx([2.0, 2.0], abs=0.15)


@pytest.mark.usefixtures("unchecked")
def test_derivatives_by_young_and_poisson(generator):
    space = LagrangeSpace(unit_square(2), 2)

    def u(young, poisson):
        return solve(
            Elasticity(
                space, young=young, poisson=poisson, plane="stress", force=(1.0, 1.0), boundary={"left": 0.0}
            ),
            tol=1e-13,
        ).u

    data = (random(generator, 2, 2).requires_grad_(), (random(generator, 2, 2) / 4).requires_grad_())
    assert gradcheck(u, data, fast_mode=True)


def test_the_solution_minimises_the_energy_and_samples_are_independent(generator):
    space = LagrangeSpace(BoxMesh((3, 3, 2)), 1)
    young = random(generator, 2, 3, 3, 2)
    problem = Elasticity(space, young=young, force=(0.0, 0.0, 1.0), boundary={"left": 0.0})
    u = solve(problem).u
    for k in range(2):
        one = Elasticity(space, young=young[k], force=(0.0, 0.0, 1.0), boundary={"left": 0.0})
        torch.testing.assert_close(solve(one).u, u[k], rtol=0, atol=1e-9)
    assert float(residual(problem, u).abs().max()) < 1e-10
    assert (energy(problem, u + 1e-3 * random(generator, 3, *space.node_shape)) > energy(problem, u)).all()
    assert Field(space, u).evaluate(torch.full((1, 3), 0.5, dtype=torch.float64)).shape == (2, 3, 1)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"young": -1.0}, r"`young` must be positive; it is -1 at index"),
        ({"poisson": 0.5}, r"`poisson` must lie in \(-1, 1/2\); it is 0.5 at index"),
        ({"lame": (-1.0, 0.5)}, r"`ndim \* lame\[0\] \+ 2 \* lame\[1\]` must be positive; it is -1"),
        ({"lame": (1.0, 1.0), "young": 1.0}, "`lame` excludes `young`"),
        ({"lame": (1.0,)}, r"`lame` is the pair \(lambda, mu\); got 1"),
        ({"force": (1.0,)}, "`force` needs one entry per direction, 2; got 1"),
        ({"force": (1.0, math.nan)}, r"`force\[1\]` must be finite"),
        ({"boundary": {"front": 0.0}}, "`boundary` names the side 'front'; the sides are 'left', 'right'"),
        ({"boundary": {"left": (0.0,)}}, r"`boundary`\['left'\] needs one entry per component, 2; got 1"),
        ({"boundary": {"left": (0.0, None)}}, "`boundary` leaves 1 of 3 rigid motions free"),
        ({"boundary": {"left": (0.0, None), "bottom": (None, 0.0)}, "traction": {"top": (0.0, math.inf)}},
         r"`traction\['top'\]` must be finite"),
        ({"boundary": {"left": (None, 0.0), "bottom": (0.0, None)}}, "leaves 1 of 3 rigid motions free"),
    ],
)  # fmt: skip
@pytest.mark.usefixtures("unchecked")
def test_messages(given, message):
    with pytest.raises(ValueError, match=message):
        Elasticity(LagrangeSpace(unit_square(3), 1), **{"boundary": {"left": 0.0}, **given})


@pytest.mark.usefixtures("unchecked")
def test_messages_of_types():
    with pytest.raises(TypeError, match="`space` must be a LagrangeSpace; got BoxMesh"):
        Elasticity(unit_square(3), boundary={"left": 0.0})
    with pytest.raises(TypeError, match="`boundary` must map sides to values; got float"):
        Elasticity(LagrangeSpace(unit_square(3), 1), boundary=0.0)
    with pytest.raises(ValueError, match="elasticity needs two or three directions"):
        Elasticity(LagrangeSpace(BoxMesh((3,)), 1), boundary={"left": 0.0})
    with pytest.raises(
        ValueError, match="`plane` must be 'strain', or 'stress' in two dimensions; got 'stress' in 3"
    ):
        Elasticity(LagrangeSpace(BoxMesh((2, 2, 2)), 1), plane="stress", boundary={"left": 0.0})
    problem = Elasticity(LagrangeSpace(unit_square(3), 1), boundary={"left": 0.0})
    with pytest.raises(
        ValueError, match=r"`u` has shape \(4, 4\); its last axes must be components and nodes \(2, 4, 4\)"
    ):
        energy(problem, torch.zeros(4, 4, dtype=torch.float64))
    with pytest.raises(
        ValueError, match="solver='direct' and tol='floor' are for Poisson; for Elasticity use solver='mult"
    ):
        solve(problem, solver="direct")
