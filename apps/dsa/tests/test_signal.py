from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from dsa.signal import DEGREES, EXPERIMENT, Settings, check_jacobian, reference_cost
from kspline_core import fit
from repro.testing import RecordingContext

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(scope="module")
def context(tmp_path_factory: pytest.TempPathFactory) -> RecordingContext:
    return RecordingContext(tmp_path_factory.mktemp("signal"))


@pytest.fixture(scope="module")
def measured(context: RecordingContext) -> dict[str, float]:
    return dict(EXPERIMENT.run(EXPERIMENT.presets["smoke"], context))


def test_every_figure_is_measured_and_in_its_band(measured: dict[str, float]) -> None:
    assert measured.keys() == {figure.key for figure in EXPERIMENT.figures}
    for figure in EXPERIMENT.figures:
        assert figure.smoke is not None
        assert measured[figure.key] in figure.smoke, figure.key


def test_lines_fit_at_least_as_well_as_constants(measured: dict[str, float]) -> None:
    assert measured["error_1"] <= measured["error_0"] < 1
    assert measured["rows_1"] <= measured["rows_0"] < 1


def test_pictures_and_progress(measured: dict[str, float], context: RecordingContext) -> None:
    assert list(context.pictures) == ["profile_coins", "profile_camera", "jacobian", "rows"]
    steps = [(step, total) for _, step, total in context.steps]
    assert steps == [(i, len(steps)) for i in range(1, len(steps) + 1)]


def test_further_rows_are_checked(tmp_path: Path) -> None:
    context = RecordingContext(tmp_path)
    EXPERIMENT.run(Settings(pieces=2, further_rows=1), context)
    assert len(context.steps) == 2 * 2 * len(DEGREES)


def test_rows_outside_the_photograph(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"`rows`: the row of camera.png must be from 46 to 465, .* got 500"):
        EXPERIMENT.run(Settings(rows=(130, 500)), RecordingContext(tmp_path))


@pytest.mark.parametrize("degree", DEGREES)
def test_reference_is_the_least_cost(degree: int) -> None:
    y = np.random.default_rng(0).standard_normal(60)
    # both exact; the prefix sums of the reference lose n^2 eps at most
    assert reference_cost(y, 5, degree) == pytest.approx(float(fit(y, 5, degree).cost), rel=60**2 * 2.3e-16)


def test_a_sample_at_a_tie_is_not_held_against_the_jacobian() -> None:
    """The middle sample of 0 0 1/2 1 1 belongs to either side: a step up and a step down part the two."""
    check = check_jacobian(np.array([0.0, 0.0, 0.5, 1.0, 1.0]), 2, 0)
    assert check.still < 1
    assert check.deviation <= 1e-8


def test_the_data_are_named() -> None:
    assert EXPERIMENT.data().keys() == {"coins.png", "camera.png"}
    assert not EXPERIMENT.seeded
