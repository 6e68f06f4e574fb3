from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import torch

from dsa.table3 import DOMAINS, EXPERIMENT, RESOLUTIONS, bukin

if TYPE_CHECKING:
    from collections.abc import Callable

    from repro.fixtures import SmokeRun


@pytest.fixture
def measured(smoke_run: Callable[[str], SmokeRun]) -> dict[str, float]:
    return smoke_run("dsa.table3").values


def test_the_bands() -> None:
    bands = [figure.key for figure in EXPERIMENT.figures if figure.smoke is not None]
    assert len([key for key in bands if "weights" not in key]) == 4


def test_free_knots_fit_better_than_fixed_ones(measured: dict[str, float]) -> None:
    for key in measured:
        if key.startswith("mse") and "free" in key and "weights" not in key and "recipe" not in key:
            assert measured[key] < 0.5 * measured[key.replace("free", "fixed")]
    for resolution in RESOLUTIONS:
        assert measured[f"mse_free_weights_{resolution}"] < 0.5 * measured[f"mse_weights_{resolution}"]
        assert measured[f"seconds_free_{resolution}"] > 0


def test_the_papers_recipe_stays_above_the_optimum(measured: dict[str, float]) -> None:
    assert 1 <= measured["mse_recipe_fixed"] / measured["mse_fixed_128"] < 2
    assert measured["mse_free_128"] < measured["mse_recipe_free"] < measured["mse_recipe_fixed"]


def test_report(smoke_run: Callable[[str], SmokeRun]) -> None:
    run = smoke_run("dsa.table3")
    assert len(run.values) == 16
    assert set(run.pictures) == {"surfaces", "errors", "section"}
    assert "at y = 0.005" in run.pictures["errors"]  # the valley's floor is y = 0.01 x^2, lowest at y = 0
    assert len(run.lines) == 8


def test_bukin_at_known_points() -> None:
    points = bukin(5, (-15.0, 5.0), (-3.0, 5.0))
    assert points.shape == (5, 5, 3)
    # x = -10, y = 1 is the minimum with value 0
    at_minimum = points[1, 2]
    assert at_minimum.tolist() == pytest.approx([-10, 1, 0], abs=1e-5)  # the square root of one rounding of y
    # x = 5, y = -3: 100 sqrt(3.25) + 0.15
    assert points[4, 0].tolist() == pytest.approx([5, -3, 100 * 3.25**0.5 + 0.15])


def test_every_preset_has_its_time_and_the_same_problem() -> None:
    assert set(EXPERIMENT.presets) == set(EXPERIMENT.minutes) == {"smoke", "quick", "paper"}
    starts = [EXPERIMENT.presets[preset].starts for preset in ("smoke", "quick", "paper")]
    assert starts == sorted(starts)
    assert not EXPERIMENT.seeded
    assert DOMAINS[""] != DOMAINS["printed_"]
    assert torch.equal(bukin(3, *DOMAINS[""])[:, 0, 0], torch.tensor([-15.0, -5.0, 5.0], dtype=torch.float64))
