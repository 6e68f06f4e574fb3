from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from dsa.signal import DEGREES, EXPERIMENT, Settings, check_jacobian, reference_cost
from kspline_core import fit
from repro.testing import RecordingContext

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from repro.fixtures import SmokeRun


def test_every_figure_has_a_band_and_lies_in_it(smoke_run: Callable[[str], SmokeRun]) -> None:
    run = smoke_run("dsa.signal")
    for figure in EXPERIMENT.figures:
        assert figure.smoke is not None
        assert run.values[figure.key] in figure.smoke, figure.key
    assert list(run.pictures) == ["profile_coins", "profile_camera", "jacobian", "rows"]


def test_lines_fit_at_least_as_well_as_constants(smoke_run: Callable[[str], SmokeRun]) -> None:
    measured = smoke_run("dsa.signal").values
    assert measured["error_1"] <= measured["error_0"] < 1
    assert measured["rows_1"] <= measured["rows_0"] < 1


def test_further_rows_are_checked(tmp_path: Path) -> None:
    context = RecordingContext(tmp_path, draws=False)
    EXPERIMENT.run(Settings(pieces=2, further_rows=1), context)
    count = 2 * 2 * len(DEGREES)
    assert [step[1:] for step in context.steps] == [(i, count) for i in range(1, count + 1)]


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
