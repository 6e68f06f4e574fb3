"""Every bad input is refused on entry, with what is wrong, where, and what to do."""

from __future__ import annotations

import sys

import jaxtyping
import numpy as np
import pytest
import torch

from fem_diff import BoxMesh, Field, LagrangeSpace, Poisson, energy, solve, unit_square

SPACE = LagrangeSpace(unit_square(4), 2)


@pytest.fixture(autouse=True)
def _package_as_released():
    """Without the annotation checks of these tests, so that the package's own are seen."""
    jaxtyping.config.update("jaxtyping_disable", True)
    yield
    jaxtyping.config.update("jaxtyping_disable", False)


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
        ({"diffusivity": spoiled(-2.0)}, ValueError, "`diffusivity` must be positive; it is -2 at index"),
        ({"diffusivity": 0.0}, ValueError, "`diffusivity` must be positive; it is 0"),
        (
            {"diffusivity": spoiled(float("nan"))},
            ValueError,
            r"`diffusivity` must be finite; it is nan at index \(3, 6\)",
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
    with pytest.raises(TypeError, match="`space` must be a LagrangeSpace; got BoxMesh"):
        Poisson(unit_square(4))


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"solver": "amg"}, ValueError, "`solver` must be one of 'auto', 'multigrid', 'direct'; got 'amg'"),
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
