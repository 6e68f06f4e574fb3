from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
import torch

from dsa.inverse import EXPERIMENT, Model, Settings, follow, observe
from repro.testing import RecordingContext

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from repro.fixtures import SmokeRun

TINY = Settings(elements=12, true_elements=24, sensors=11, noise=0.05, iterations=12, halvings=1)


def model_of(settings: Settings) -> Model:
    return Model(observe(settings, torch.Generator().manual_seed(0), "cpu"), settings.elements)


def test_the_recovery_beats_the_trivial_guess_and_explains_the_data(
    smoke_run: Callable[[str], SmokeRun],
) -> None:
    run = smoke_run("dsa.inverse")
    measured = run.values
    assert measured["error"] < 0.4 * measured["error_trivial"]
    assert measured["error_oracle"] <= measured["error"]
    assert measured["correlation"] > 0.9
    target = model_of(EXPERIMENT.presets["smoke"]).target
    assert measured["misfit"] <= target < measured["misfit_trivial"]
    assert set(run.pictures) == {"recovery", "path"}
    assert sum("of the prior: misfit" in line for line in run.lines) >= 2


def test_noise_is_as_stated() -> None:
    settings = replace(TINY, sensors=23)
    noisy = observe(settings, torch.Generator().manual_seed(0), "cpu")
    clean = observe(replace(settings, noise=0.0), torch.Generator().manual_seed(0), "cpu")
    ratio = ((noisy.values - clean.values) / noisy.deviations).square().mean().sqrt()
    # the deviation of a root mean square of N normal values is 1 / sqrt(2 N)
    assert float(ratio) == pytest.approx(1, abs=4 / (2 * noisy.values.numel()) ** 0.5)
    level = noisy.deviations.squeeze() / clean.values.square().mean((1, 2)).sqrt()
    torch.testing.assert_close(level, torch.full_like(level, 0.05))


def test_the_gradient_through_the_solver() -> None:
    model = model_of(TINY)
    z = 0.3 * torch.randn(model.scales.shape, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    direction = torch.randn(z.shape, generator=torch.Generator().manual_seed(2), dtype=torch.float64)
    z.requires_grad_()
    model.residuals(z).square().mean().backward()
    assert z.grad is not None
    step = 1e-4
    with torch.no_grad():
        high, low = (model.residuals(z + s * step * direction).square().mean() for s in (1, -1))
    # second-order differences: step^2 = 1e-8, and the solver's tolerance 1e-8 over the step
    assert float((z.grad * direction).sum()) == pytest.approx(float(high - low) / (2 * step), rel=1e-3)


def test_data_that_the_model_cannot_explain(tmp_path: Path) -> None:
    settings = replace(TINY, noise=1e-4, iterations=2)
    model = model_of(settings)
    start = torch.zeros_like(model.scales)
    with pytest.raises(RuntimeError, match=r"the misfit stays at .* cannot explain the data. Allow more"):
        follow(model, start, settings, RecordingContext(tmp_path))
