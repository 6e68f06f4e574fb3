from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch

from dsa._diffusivity import FREQUENCIES, LIMIT, draw_parameters, log_diffusivity
from dsa._flow import flow_problem, on_elements
from dsa._muon import orthogonalised
from dsa._surrogate import Surrogate
from dsa.figure3 import EXPERIMENT, Scored, Settings, Training, train
from fem_diff import energy, residual, solve
from repro.testing import Broken, RecordingContext

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from repro.fixtures import SmokeRun

TINY = Settings(
    elements=16,
    widths=(16, 24),
    grid=8,
    steps=8,
    batch_size=4,
    held_out=6,
    save_every=3,
    learning_rate=0.03,
)


def generator() -> torch.Generator:
    return torch.Generator().manual_seed(0)


def test_training_by_energy_alone_approaches_the_solver(smoke_run: Callable[[str], SmokeRun]) -> None:
    run, settings = smoke_run("dsa.figure3"), EXPERIMENT.presets["smoke"]
    measured = run.values
    assert measured["median"] < 0.7 * measured["lifting"]
    assert measured["median"] <= measured["p90"] <= measured["worst"]
    assert measured["excess"] > 0  # the least energy is the solver's
    assert len(run.lines) == -(-settings.steps // settings.save_every)
    assert set(run.pictures) == {"published", "held_out", "learning"}


def test_a_killed_run_goes_on_to_the_same_bits(tmp_path: Path) -> None:
    settings = TINY
    scored = Scored.of(draw_parameters(2, generator()), settings.elements)
    context = RecordingContext(tmp_path / "whole")
    whole = train(settings, context, scored)
    assert [step for _, step, _ in context.steps] == list(range(1, settings.steps + 1))
    with pytest.raises(Broken):
        train(settings, RecordingContext(tmp_path / "broken", breaks_at_step=5), scored)
    again = RecordingContext(tmp_path / "broken")
    resumed = train(settings, again, scored)
    assert again.lines[0] == "resumed after step 3 of 8"
    assert resumed.curve == whole.curve
    pairs = zip(whole.averaged.state_dict().values(), resumed.averaged.state_dict().values(), strict=True)
    assert all(torch.equal(a, b) for a, b in pairs)


def test_a_checkpoint_of_other_settings_is_refused() -> None:
    state = Training(TINY, 0, "cpu").state()
    with pytest.raises(ValueError, match=r"the checkpoint belongs to other settings, .* Run with --fresh"):
        Training(replace(TINY, steps=9), 0, "cpu").restore(state)


def test_a_loss_that_is_not_finite_is_reported() -> None:
    training = Training(TINY, 0, "cpu")
    torch.nn.init.constant_(training.model.last.bias, float("nan"))
    with pytest.raises(FloatingPointError, match=r"the loss is nan in step 1. Lower `learning_rate`"):
        training.step()


def test_the_network_starts_from_the_lifting_and_always_holds_the_boundary_values() -> None:
    network = Surrogate(16, (16, 24), 8)
    maps = torch.randn(2, 16, 16, generator=generator())
    lifting = torch.linspace(1, 0, 17)[:, None].expand(2, 17, 17)
    eps = torch.finfo(torch.float32).eps
    atol = 8 * eps  # the basis sums to one but for a few roundings
    torch.testing.assert_close(network(maps), lifting, rtol=0, atol=atol)
    for parameter in network.parameters():
        torch.nn.init.normal_(parameter, generator=generator())
    u = network(maps)
    assert (u[:, 0] - 1).abs().max() <= atol
    assert u[:, -1].abs().max() == 0
    assert (u[:, 1:-1] - lifting[:, 1:-1]).abs().max() > 0.1


def test_predictions_have_the_mirror_symmetries_of_the_problem() -> None:
    network = Surrogate(16, (16, 24), 8)
    for parameter in network.parameters():
        torch.nn.init.normal_(parameter, std=0.1, generator=generator())
    maps = torch.randn(2, 16, 16, generator=generator())
    u = network.predict(maps)
    atol = 1e-5  # single precision through ten layers, values of order one
    torch.testing.assert_close(network.predict(maps.flip(2)).flip(2), u, rtol=0, atol=atol)
    torch.testing.assert_close(1 - network.predict(maps.flip(1)).flip(1), u, rtol=0, atol=atol)
    assert (network(maps.flip(2)).flip(2) - network(maps)).abs().max() > 100 * atol


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((20, (16, 24), 8), "`elements` must be a multiple of 8 for 2 levels; got 20"),
        ((16, (16, 20), 8), r"`widths` must be multiples of 8, .* got \(16, 20\)"),
    ],
)
def test_sizes_that_do_not_fit(arguments: tuple[int, tuple[int, ...], int], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Surrogate(*arguments)


def test_the_solver_has_the_least_energy_and_no_flow_through_the_sides() -> None:
    problem = flow_problem(draw_parameters(3, generator()), 16)
    u = solve(problem).u
    least = energy(problem, u)
    for _ in range(3):
        assert (
            energy(problem, u + 0.01 * torch.randn(u.shape, dtype=u.dtype, generator=generator())) > least
        ).all()
    assert residual(problem, u)[:, :, [0, -1]].abs().max() < 1e-8  # the solver's tolerance
    assert u.min() >= -1e-9
    assert u.max() <= 1 + 1e-9


def test_a_diffusivity_of_x_alone_gives_resistors_in_series() -> None:
    """Independent of the solver: with nu = nu(x) the nodal values are sums of the elements' resistances."""
    problem = flow_problem(torch.zeros(1, 4, dtype=torch.float64), 8)
    torch.testing.assert_close(
        solve(problem).u[0],
        torch.linspace(1, 0, 9, dtype=torch.float64)[:, None].expand(9, 9),
        rtol=0,
        atol=1e-9,
    )
    assert on_elements(problem).abs().max() < 1e-12


def test_equation_14() -> None:
    x, y = np.meshgrid(np.linspace(0, 1, 5), np.linspace(0, 1, 7), indexing="ij")
    omega = np.array([0.5, -1.0, 2.0, 3.0])
    expected = sum(
        w
        / (1 + 0.25 * a**2)
        * (a / 2 * np.cos(a * x) + np.sin(a * x))
        * (a / 2 * np.cos(a * y) + np.sin(a * y))
        for w, a in zip(omega, FREQUENCIES, strict=True)
    )
    found = log_diffusivity(torch.from_numpy(omega), torch.from_numpy(x), torch.from_numpy(y))
    np.testing.assert_allclose(found.numpy(), expected, atol=1e-14)


def test_parameters_fill_their_box() -> None:
    omega = draw_parameters(1000, generator())
    assert omega.shape == (1000, 4)
    assert -LIMIT <= omega.min() < -0.99 * LIMIT
    assert 0.99 * LIMIT < omega.max() <= LIMIT


@pytest.mark.parametrize("shape", [(8, 40), (40, 8)])
def test_muon_moves_along_matrices_with_equal_singular_values(shape: tuple[int, int]) -> None:
    matrix = torch.randn(shape, generator=generator(), dtype=torch.float64)
    left, _, right = torch.linalg.svd(matrix, full_matrices=False)
    found = left.T @ orthogonalised(matrix) @ right.T
    singular = found.diagonal()
    assert 0.6 < singular.min() <= singular.max() < 1.3  # what the quintic's coefficients allow
    assert (found - torch.diag(singular)).abs().max() < 1e-9


def test_presets_differ_in_effort_alone() -> None:
    presets = EXPERIMENT.presets
    assert len({replace(s, steps=0, save_every=1, held_out=1) for s in presets.values()}) == 1
    assert presets["smoke"].steps < presets["quick"].steps < presets["paper"].steps
    assert presets["quick"].held_out == presets["paper"].held_out == 64
