from __future__ import annotations

import itertools
import math
from types import SimpleNamespace
from typing import TYPE_CHECKING

import pytest
import torch

from dsa import _pinn
from dsa._cases import exact, gradient, published, random_source, variable_diffusivity
from dsa._descent import minimise
from dsa._table5_numbers import DEGREES, FLOORS, MESHES, NODE_FLOORS
from dsa.table5 import EXPERIMENT, Settings, by_elements
from fem_diff import Field, LagrangeSpace, h1_error, l2_error, nodal_rms, solve, unit_square
from repro.testing import RecordingContext

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from dsa._cases import Case
    from repro.fixtures import SmokeRun

TINY = Settings(elements=(10, 20), convergence=(5,), shown=4, steps=20, seconds=0.2)
CASES = (published(), random_source(), variable_diffusivity())


@pytest.fixture
def measured(smoke_run: Callable[[str], SmokeRun]) -> dict[str, float]:
    return smoke_run("dsa.table5").values


def test_log_and_pictures(smoke_run: Callable[[str], SmokeRun]) -> None:
    run = smoke_run("dsa.table5")
    assert all(value > 0 for value in run.values.values())
    assert len(run.lines) == 6 + 3 + 6 + 4
    assert set(run.pictures) == {"solution", "convergence", "history", "cases"}


@pytest.mark.parametrize("degree", DEGREES)
def test_the_solution_converges_with_its_order_and_the_energy_leads_there(
    measured: dict[str, float], degree: int
) -> None:
    coarse, fine = (measured[f"l2_solve_d{degree}_{mesh}"] for mesh in MESHES)
    assert math.log2(coarse / fine) == pytest.approx(degree + 1, abs=0.1)
    for mesh in MESHES:
        solved, minimised = (measured[f"rms_{way}_d{degree}_{mesh}"] for way in ("solve", "energy"))
        assert abs(minimised - solved) < 1e-5


def test_the_further_cases_are_solved_and_not_minimised(measured: dict[str, float]) -> None:
    """The smoke preset's steps are enough for an eigenvector, and for nothing else at degree 3."""
    for case in ("source", "diffusivity"):
        assert measured[f"rms_energy_{case}_d3"] > 100 * measured[f"rms_solve_{case}_d3"]


def test_a_case_gives_the_same_figures_again(tmp_path: Path) -> None:
    context = RecordingContext(tmp_path)
    first, again = (by_elements(random_source(), TINY, context) for _ in range(2))
    assert first == again
    assert [step[1:] for step in context.steps] == [(degree, len(DEGREES)) for degree in DEGREES] * 2


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.key)
def test_the_source_belongs_to_the_solution(case: Case) -> None:
    """-div(nu grad u) by autograd of the product nu grad u."""
    x, y = torch.rand(2, 20, generator=torch.Generator().manual_seed(0), dtype=torch.float64).requires_grad_()
    first = torch.autograd.grad(case.exact(x, y).sum(), (x, y), create_graph=True)
    second = [
        torch.autograd.grad((case.diffusivity(x, y) * part).sum(), at, retain_graph=True)[0]
        for part, at in zip(first, (x, y), strict=True)
    ]
    torch.testing.assert_close(-sum(second), case.source(x, y).detach(), rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.key)
def test_the_solutions_vanish_on_the_boundary_and_have_the_same_norm(case: Case) -> None:
    x, y = torch.meshgrid(*2 * [torch.linspace(0, 1, 101, dtype=torch.float64)], indexing="ij")
    u = case.exact(x, y)
    eps = torch.finfo(torch.float64).eps
    assert u[[0, -1]].abs().max() < 1000 * eps  # up to 16 pi times the rounding of pi, in 256 terms
    assert u[:, [0, -1]].abs().max() < 1000 * eps
    assert float(u[:-1, :-1].square().mean().sqrt()) == pytest.approx(0.5, rel=1e-9)


def test_the_derivatives_of_the_network() -> None:
    for hard in (False, True):
        model = _pinn.Pinn(hard=hard, generator=torch.Generator().manual_seed(0))
        x, y = torch.rand(
            2, 20, generator=torch.Generator().manual_seed(0), dtype=torch.float64
        ).requires_grad_()
        jet = model(x, y)
        first = torch.autograd.grad(jet.value.sum(), (x, y), create_graph=True)
        laplacian = sum(
            torch.autograd.grad(part.sum(), at, retain_graph=True)[0]
            for part, at in zip(first, (x, y), strict=True)
        )
        for found, expected in ((jet.x, first[0]), (jet.y, first[1]), (jet.laplacian, laplacian)):
            torch.testing.assert_close(found, expected)
    boundary = torch.tensor([0.0, 1.0, 0.3], dtype=torch.float64)
    assert (model(boundary, torch.tensor([0.3, 0.6, 1.0], dtype=torch.float64)).value == 0).all()


@pytest.mark.parametrize("hard", [False, True])
def test_training_a_network_brings_its_error_down(hard: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    errors = []
    for seconds in (0.01, 1.0):
        shares = []
        clock = SimpleNamespace(process_time=itertools.count(0.0, 0.08).__next__)
        monkeypatch.setattr(_pinn, "time", clock)
        model = _pinn.train(
            variable_diffusivity(),
            hard=hard,
            seconds=seconds,
            generator=torch.Generator().manual_seed(0),
            report=lambda share, loss, shares=shares: shares.append(share),
        )
        assert shares[-1] == 1
        errors.append(_pinn.errors(model, variable_diffusivity(), 8)["l2"])
    assert errors[1] < 0.5 * errors[0]


def test_the_errors_of_a_network_are_those_of_its_values() -> None:
    """Against the norms of `fem_diff` for the interpolant on a fine mesh."""
    model = _pinn.Pinn(hard=True, generator=torch.Generator().manual_seed(0))
    space = LagrangeSpace(unit_square(40), degree=3)
    x, y = space.nodes()
    with torch.no_grad():
        field = Field(space, model(x.flatten(), y.flatten()).value.view(x.shape))
    found = _pinn.errors(model, published(), 40)
    assert found["l2"] == pytest.approx(float(l2_error(field, exact)), rel=1e-5)
    assert found["h1"] == pytest.approx(float(h1_error(field, exact)), rel=1e-5)


def test_gradients_of_a_function_of_one_coordinate() -> None:
    x = torch.tensor([0.5, 2.0], dtype=torch.float64)
    slope_x, slope_y = gradient(lambda x, y: x**2, x, x)
    assert slope_x.tolist() == [1, 4]
    assert slope_y.tolist() == [0, 0]


@pytest.mark.parametrize(("degree", "mesh"), NODE_FLOORS)
def test_the_stated_floors(degree: int, mesh: int) -> None:
    """Of both readings, where the mesh is small enough for a test."""
    elements, l2, rms = NODE_FLOORS[degree, mesh]
    for count, stated in ((elements, (l2, rms)), (mesh, FLOORS[degree, mesh])):
        if count * degree <= 256:
            solution = solve(published().problem(count, degree, "cpu"), tol=1e-12)
            assert float(l2_error(solution, exact)) == pytest.approx(stated[0], rel=0.01)
            assert float(nodal_rms(solution, exact)) == pytest.approx(stated[1], rel=0.05)


def test_minimising_keeps_the_boundary_values_whatever_the_start() -> None:
    problem = published().problem(8, 2, "cpu")
    start = torch.randn(17, 17, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    field, errors = minimise(problem, start, exact, steps=100)
    assert (field.u[problem.fixed] == 0).all()
    assert errors[-1] < 1e-3 * errors[0]
    torch.testing.assert_close(field.u, solve(problem).u, rtol=0, atol=1e-6)


def test_presets_are_the_published_meshes() -> None:
    assert all(settings.elements == MESHES for settings in EXPERIMENT.presets.values())
    loose = {figure.key.rsplit("_", 1)[0] for figure in EXPERIMENT.figures if figure.smoke is None}
    # what ends by the clock, and nodal errors of the further cases, which have an L2 error with a band
    assert all("pinn" in key or "random" in key or key.startswith("rms_") for key in loose)
    assert sum(figure.smoke is not None for figure in EXPERIMENT.figures) == 4 * 6 + 6


def test_minimising_ends_by_the_clock() -> None:
    problem = published().problem(8, 1, "cpu")
    start = torch.randn(9, 9, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    _, errors = minimise(problem, start, exact, steps=10_000, seconds=0.0)
    assert errors == []
