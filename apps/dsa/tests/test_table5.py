from __future__ import annotations

import math
from typing import TYPE_CHECKING

import pytest
import torch

from dsa.table5 import (
    DEGREES,
    EXPERIMENT,
    FLOORS,
    MESHES,
    NODE_FLOORS,
    Settings,
    exact,
    minimise,
    published_problem,
    source,
)
from fem_diff import l2_error, nodal_rms, solve
from repro.testing import RecordingContext

if TYPE_CHECKING:
    from pathlib import Path

TINY = Settings(elements=(10, 20), convergence=(5,), shown=4, steps=20, random_steps=30)


@pytest.fixture(scope="module")
def context(tmp_path_factory: pytest.TempPathFactory) -> RecordingContext:
    return RecordingContext(tmp_path_factory.mktemp("table5"))


@pytest.fixture(scope="module")
def measured(context: RecordingContext) -> dict[str, float]:
    return dict(EXPERIMENT.run(TINY, context))


def test_every_figure_is_measured(measured: dict[str, float]) -> None:
    assert set(measured) == {figure.key for figure in EXPERIMENT.figures}
    assert all(0 < value < 0.01 for value in measured.values())


@pytest.mark.parametrize("degree", DEGREES)
def test_the_solution_converges_with_its_order_and_the_energy_leads_there(
    measured: dict[str, float], degree: int
) -> None:
    coarse, fine = (measured[f"l2_solve_d{degree}_{mesh}"] for mesh in MESHES)
    assert math.log2(coarse / fine) == pytest.approx(degree + 1, abs=0.1)
    for mesh in MESHES:
        solved, minimised = (measured[f"rms_{way}_d{degree}_{mesh}"] for way in ("solve", "energy"))
        assert abs(minimised - solved) < 1e-5


def test_progress_log_and_pictures(measured: dict[str, float], context: RecordingContext) -> None:
    assert measured
    assert [(step, total) for _, step, total in context.steps] == [(k, 6) for k in range(1, 7)]
    assert len(context.lines) == 6
    assert set(context.pictures) == {"solution", "convergence", "history"}


def test_a_second_run_gives_the_same_figures(measured: dict[str, float], tmp_path: Path) -> None:
    assert dict(EXPERIMENT.run(TINY, RecordingContext(tmp_path))) == measured


def test_the_source_belongs_to_the_solution() -> None:
    x, y = torch.rand(2, 20, generator=torch.Generator().manual_seed(0), dtype=torch.float64).requires_grad_()
    first = torch.autograd.grad(exact(x, y).sum(), (x, y), create_graph=True)
    second = [
        torch.autograd.grad(part.sum(), at, retain_graph=True)[0]
        for part, at in zip(first, (x, y), strict=True)
    ]
    torch.testing.assert_close(-sum(second), source(x, y))


@pytest.mark.parametrize(("degree", "mesh"), NODE_FLOORS)
def test_the_stated_floors(degree: int, mesh: int) -> None:
    """Of both readings, where the mesh is small enough for a test."""
    elements, l2, rms = NODE_FLOORS[degree, mesh]
    for count, stated in ((elements, (l2, rms)), (mesh, FLOORS[degree, mesh])):
        if count * degree <= 256:
            solution = solve(published_problem(count, degree, "cpu"), tol=1e-12)
            assert float(l2_error(solution, exact)) == pytest.approx(stated[0], rel=0.01)
            assert float(nodal_rms(solution, exact)) == pytest.approx(stated[1], rel=0.05)


def test_minimising_keeps_the_boundary_values_whatever_the_start() -> None:
    problem = published_problem(8, 2, "cpu")
    start = torch.randn(17, 17, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    field, errors = minimise(problem, start, 100)
    assert (field.u[problem.fixed] == 0).all()
    assert errors[-1] < 1e-3 * errors[0]
    torch.testing.assert_close(field.u, solve(problem).u, rtol=0, atol=1e-6)


def test_presets_are_the_published_meshes() -> None:
    assert all(settings.elements == MESHES for settings in EXPERIMENT.presets.values())
    assert all(figure.smoke is not None for figure in EXPERIMENT.figures)
