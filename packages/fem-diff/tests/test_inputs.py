"""Every bad input is refused on entry, with what is wrong, where, and what to do."""

from __future__ import annotations

import math
import sys

import numpy as np
import pytest
import torch

from fem_diff import (
    Anisotropic,
    BoxMesh,
    ConvergenceError,
    Dirichlet,
    Field,
    LagrangeSpace,
    Neumann,
    Poisson,
    Robin,
    energy,
    solve,
    unit_square,
)

SPACE = LagrangeSpace(unit_square(4), 2)
pytestmark = pytest.mark.usefixtures("unchecked")


def ones(*shape):
    return torch.ones(shape, dtype=torch.float64)


def spoiled(value):
    values = ones(4, 4)
    values[1, 2] = value
    return values


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        (((0, 4),), ValueError, r"at least 1; elements\[0\] = 0"),
        (((2, -1),), ValueError, r"elements\[1\] = -1"),
        (((2.5, 2),), TypeError, r"elements\[0\] is of type float"),
        (((1, 1, 1, 1),), ValueError, "1 to 3 of them; got 4"),
        (((2, 2), ((0, 1),)), ValueError, "`bounds` has 1 directions, `elements` 2"),
        (((2, 2), ((0, 1), (1, 1))), ValueError, r"a < b; bounds\[1\] = \(1.0, 1.0\)"),
        (((2,), ((0, float("nan")),)), ValueError, r"bounds\[0\]"),
    ],
)
def test_meshes(arguments, error, message):
    with pytest.raises(error, match=message):
        BoxMesh(*arguments)


@pytest.mark.parametrize("degree", [0, 4, 1.5, "2", 2.0, True])
def test_degrees(degree):
    with pytest.raises(ValueError, match="`degree` must be 1, 2 or 3"):
        LagrangeSpace(unit_square(2), degree)


def test_spaces():
    with pytest.raises(
        ValueError, match=r"under-integrates: .* degree 6, Gauss's rule is exact up to 5. Use 4 points"
    ):
        LagrangeSpace(unit_square(2), 3, quadrature=3)
    with pytest.raises(TypeError, match=r"`mesh` must be a BoxMesh; got int. Try unit_square"):
        LagrangeSpace(8, 1)


@pytest.mark.parametrize(
    ("data", "error", "message"),
    [
        (
            {"diffusivity": spoiled(-2.0)},
            ValueError,
            r"`diffusivity` must be positive; it is -2 at index \(1, 2\) of the tensor. .* its logarithm",
        ),
        ({"diffusivity": 0.0}, ValueError, "`diffusivity` must be positive; it is 0"),
        (
            {"diffusivity": spoiled(float("nan"))},
            ValueError,
            r"`diffusivity` must be finite; it is nan at index \(1, 2\) of the tensor",
        ),
        (
            {"diffusivity": ones(5, 5)},
            ValueError,
            r"\(5, 5\); its last axes must be \(9, 9\) \(nodes\), \(4, 4\) \(elements\)",
        ),
        ({"reaction": spoiled(-1.0)}, ValueError, "`reaction` must not be negative; it is -1"),
        ({"source": spoiled(float("inf"))}, ValueError, "`source` must be finite; it is inf"),
        ({"source": lambda x, y: ones(3)}, ValueError, r"`source` returned an array of shape \(3,\)"),
        (
            {"boundary": ones(4, 4)},
            ValueError,
            r"`boundary` has shape \(4, 4\); its last axes must be \(9, 9\)",
        ),
        (
            {"boundary": lambda x, y: x / 0},
            ValueError,
            "`boundary` must be finite; it is nan at index .* on the boundary",
        ),
        (
            {"diffusivity": ones(2, 4, 4), "source": ones(3, 4, 4)},
            ValueError,
            r"`diffusivity` \(2,\), `source` \(3,\)",
        ),
        (
            {"diffusivity": np.ones((4, 4))},
            TypeError,
            r"a number, a callable or a tensor; got ndarray. Use torch.as_tensor\(...\)",
        ),
        (
            {"diffusivity": torch.ones(4, 4, dtype=torch.int64)},
            TypeError,
            "floating-point numbers; its dtype is torch.int64",
        ),
        (
            {"diffusivity": torch.ones(4, 4), "source": ones(4, 4)},
            TypeError,
            "`source` is torch.float64 on cpu, `diffusivity`",
        ),
    ],
)
def test_problems(data, error, message):
    with pytest.raises(error, match=message):
        Poisson(SPACE, **data)


def test_nodal_diffusivity_that_overshoots():
    values = ones(9, 9)
    values[4, 4] = 1e4
    with pytest.raises(ValueError, match="Nodal values of a degree above 1 can overshoot between the nodes"):
        Poisson(SPACE, diffusivity=values)
    assert Poisson(LagrangeSpace(unit_square(8), 1), diffusivity=values).batch == ()


def test_boundary_values_inside_are_not_read():
    values = ones(9, 9)
    values[1:-1, 1:-1] = float("nan")
    torch.testing.assert_close(solve(Poisson(SPACE, boundary=values)).u, ones(9, 9), rtol=0, atol=1e-10)


def test_a_space_is_needed():
    with pytest.raises(TypeError, match="`space` must be a LagrangeSpace or a SimplexSpace; got BoxMesh"):
        Poisson(unit_square(4))


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        (
            {"solver": "cholesky"},
            ValueError,
            "`solver` must be one of 'auto', 'multigrid', 'diagonalization', 'direct', 'amg'; got 'cholesky'",
        ),
        ({"tol": 0.0}, ValueError, r"`tol` must lie in \[4.4e-15, 1\) for torch.float64; got 0"),
        ({"tol": float("nan")}, ValueError, "`tol` must lie in"),
        (
            {"u0": ones(4, 4)},
            ValueError,
            r"`u0` has shape \(4, 4\); its last axes must be the nodes \(9, 9\)",
        ),
        ({"u0": ones(9, 9) * torch.nan}, ValueError, r"`u0` must be finite; it is .* at the nodes"),
        ({"u0": torch.ones(9, 9)}, TypeError, "`u0` must be a torch.float64 tensor on cpu"),
        ({"u0": ones(3, 9, 9)}, ValueError, r"`u0` has batch axes \(3,\), the problem \(\)"),
    ],
)
def test_solves(arguments, error, message):
    with pytest.raises(error, match=message):
        solve(Poisson(SPACE, source=1.0), **arguments)


def test_the_default_tolerance_is_refused_in_float32():
    with pytest.raises(ValueError, match="Use float64 for smaller tolerances"):
        solve(Poisson(SPACE, source=torch.ones(4, 4)))


def test_the_direct_solver_without_scipy(monkeypatch):
    for name in [name for name in sys.modules if name.split(".")[0] == "scipy"]:
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(ImportError, match=r'pip install "fem-diff\[direct\]"'):
        solve(Poisson(SPACE, source=1.0), solver="direct")


def test_energies():
    problem = Poisson(SPACE, source=ones(2, 4, 4))
    with pytest.raises(ValueError, match=r"`u` has shape \(5, 5\); its last axes must be the nodes \(9, 9\)"):
        energy(problem, ones(5, 5))
    with pytest.raises(ValueError, match=r"batch axes do not broadcast: `u` \(3,\), `problem` \(2,\)"):
        energy(problem, ones(3, 9, 9))
    with pytest.raises(
        TypeError, match=r"`u` must be a torch.float64 tensor on cpu like the problem; got list"
    ):
        energy(problem, [1.0])


def test_fields():
    field = Field(SPACE, ones(2, 9, 9))
    with pytest.raises(ValueError, match=r"`u` has shape \(8, 8\)"):
        Field(SPACE, ones(8, 8))
    with pytest.raises(ValueError, match=r"`points` has shape \(3,\); it must be \(p, 2\)"):
        field.evaluate(ones(3))
    with pytest.raises(ValueError, match=r"coordinate 1 along axis 0 is 2; the box spans \[0, 1\]"):
        field.evaluate(torch.tensor([[0.5, 0.5], [2.0, 0.5]]))
    with pytest.raises(ValueError, match="on_grid needs 2 arrays of coordinates; got 1"):
        field.on_grid(ones(3))
    with pytest.raises(ValueError, match=r"plot draws one sample; `u` has batch axes \(2,\)"):
        field.plot()
    space = LagrangeSpace(BoxMesh((2, 2, 2)), 1)
    with pytest.raises(ValueError, match="take a slice with on_grid"):
        Field(space, ones(3, 3, 3)).plot()


@pytest.mark.parametrize("solver", ["multigrid", "direct"])
def test_a_mesh_without_free_nodes_has_its_boundary_values_as_solution(solver):
    problem = Poisson(LagrangeSpace(unit_square(1), 1), source=1.0, boundary=lambda x, y: x + y)
    solution = solve(problem, solver=solver)
    torch.testing.assert_close(solution.u, problem.boundary, rtol=0, atol=0)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (([0.0, 1.0, 1.0],), r"in direction 0 number 1 is 1 and number 2 is 1. Sort them first"),
        (([0.0, 1.0], [0.0]), "direction 1 hold 1 numbers; a cell needs two"),
        (([0.0, float("nan"), 1.0],), r"number 0 is 0 and number 1 is nan"),
        ((), "one to three sequences of coordinates; got 0"),
    ],
)
def test_graded_meshes(arguments, message):
    with pytest.raises(ValueError, match=message):
        BoxMesh.graded(*arguments)


def test_meshes_that_contradict_themselves():
    with pytest.raises(ValueError, match="`coordinates` do not fit `elements` and `bounds`"):
        BoxMesh((2,), coordinates=((0.0, 0.3, 2.0),))
    with pytest.raises(
        ValueError, match=r"`periodic` needs True or False for each of 2 directions; got \(True,\)"
    ):
        BoxMesh((2, 2), periodic=(True,))
    with pytest.raises(
        ValueError, match="a graded mesh has no single width per direction; use `cell_widths`"
    ):
        _ = BoxMesh.graded([0.0, 0.3, 2.0]).widths


RING = LagrangeSpace(BoxMesh((4, 4), periodic=(True, False)), 1)
TORUS = LagrangeSpace(BoxMesh((4, 4), periodic=(True, True)), 1)


@pytest.mark.parametrize(
    ("space", "boundary", "error", "message"),
    [
        (
            SPACE,
            {"front": 0.0},
            ValueError,
            "names the side 'front'; the sides of this mesh are 'left', 'right'",
        ),
        (
            RING,
            {"left": 0.0},
            ValueError,
            "names the side 'left'; the sides of this mesh are 'bottom', 'top'",
        ),
        (TORUS, 1.0, ValueError, "periodic in every direction and has no boundary"),
        (SPACE, {"left": [0.0]}, TypeError, r"`boundary\['left'\]`\[0\] is of type float; a list holds"),
        (
            SPACE,
            {"left": ones(5)},
            ValueError,
            r"`boundary\['left'\]` has shape \(5,\); its last axes must be \(9,\) \(nodes of the side\)",
        ),
        (SPACE, {"top": Neumann(ones(5))}, ValueError, r"`boundary\['top'\].flux` has shape \(5,\)"),
        (SPACE, Neumann(ones(4, 4)), ValueError, r"for the whole boundary its last axes must be \(9, 9\)"),
        (
            SPACE,
            {"top": Robin(-1.0)},
            ValueError,
            r"`boundary\['top'\].coefficient` must not be negative; it is -1",
        ),
        (
            SPACE,
            {"top": Neumann(float("nan"))},
            ValueError,
            r"`boundary\['top'\].flux` must be finite; it is nan",
        ),
        (
            SPACE,
            {"left": Dirichlet(ones(2, 9)), "top": Neumann(ones(3, 9))},
            ValueError,
            r"do not broadcast: `boundary\['left'\].value` \(2,\), `boundary\['top'\].flux` \(3,\)",
        ),
        (
            SPACE,
            Dirichlet(0.0, where=lambda x, y: x),
            ValueError,
            r"`boundary.where` must return one True or False for each of the coordinates",
        ),
        (
            SPACE,
            {"left": 0.0, "top": Neumann(torch.ones(9))},
            TypeError,
            r"`boundary\['top'\].flux` is torch.float32 on cpu, `source` torch.float64",
        ),
    ],
)
def test_boundary_conditions(space, boundary, error, message):
    with pytest.raises(error, match=message):
        Poisson(space, source=ones(1, 1), boundary=boundary)


def test_sources_that_do_not_cancel():
    with pytest.raises(
        ValueError, match=r"must cancel where nothing holds the constant; they sum to 1, their"
    ):
        Poisson(SPACE, source=1.0, boundary={})
    with pytest.raises(ValueError, match=r"sum to -2 in sample \(1,\), their absolute values to 2"):
        Poisson(TORUS, source=torch.tensor([0.0, -2.0]).double().view(2, 1, 1))
    balanced = Poisson(SPACE, source=1.0, boundary={"left": Neumann(-1.0)})
    assert abs(float(balanced.load.sum())) < 1e-15
    with pytest.raises(
        ValueError, match=r"integrate to 0 at index \(1,\) of the batch, and nothing else holds"
    ):
        Poisson(SPACE, source=1.0, boundary={}, reaction=torch.tensor([1.0, 0.0]).double().view(2, 1, 1))


def test_a_shape_that_means_nodes_and_elements():
    with pytest.raises(ValueError, match=r"\(4, 4\) is the shape of the nodes and of the elements alike"):
        Poisson(TORUS, diffusivity=ones(4, 4))
    points = TORUS.from_elements(torch.arange(16.0).view(4, 4).double() + 1)
    assert Poisson(TORUS, diffusivity=points).diffusivity.shape == (8, 8)
    torch.testing.assert_close(TORUS.from_nodes(ones(4, 4)), ones(8, 8))


@pytest.mark.parametrize(
    ("matrix", "message"),
    [
        (ones(3, 3), r"Anisotropic with an array of shape \(3, 3\); its last axes must be \(2, 2\)"),
        (torch.tensor([[1.0, 0.5], [0.4, 1.0]]), r"must be symmetric; entry 0.5 at index \(0, 1\)"),
        (torch.tensor([[1.0, 2.0], [2.0, 1.0]]), "must be positive definite; a leading minor is -3 at index"),
        (torch.tensor([[1.0, float("nan")], [float("nan"), 1.0]]), "`diffusivity` must be finite; it is nan"),
        (ones(5, 5, 2, 2), r"`diffusivity` has shape \(5, 5\); its last axes must be \(9, 9\)"),
    ],
)
def test_matrix_diffusivity(matrix, message):
    with pytest.raises(ValueError, match=message):
        Poisson(SPACE, diffusivity=Anisotropic(matrix))


def test_resonance():
    """At the lowest eigenvalue of eight linear elements, 6 (1 - cos) / (2 + cos) / h^2 of pi h."""
    space = LagrangeSpace(BoxMesh((8,)), 1)
    cosine = math.cos(math.pi / 8)
    eigenvalue = 64 * 6 * (1 - cosine) / (2 + cosine)
    with pytest.raises(
        ConvergenceError, match="this is a resonance: the equation without source has a solution"
    ):
        solve(Poisson(space, reaction=-eigenvalue, source=1.0, indefinite=True))
    assert solve(Poisson(space, reaction=-1.001 * eigenvalue, source=1.0, indefinite=True)).u[4] < -100
    with pytest.raises(ValueError, match="For Helmholtz's equation pass `indefinite=True`"):
        Poisson(space, reaction=-10.0)
