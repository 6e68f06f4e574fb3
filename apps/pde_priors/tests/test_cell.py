from __future__ import annotations

import pytest
import torch
from scipy import ndimage

from pde_priors.cell import EXPERIMENT, Scene, Settings, _photographs
from repro import photographs
from repro.testing import Broken, RecordingContext

TINY = Settings(noise=0.5, crops=2, size=48, depth=1, filters=2, epochs=2, repeats=2, learning_rate=1e-2)


def test_the_figures_belong_together(smoke_run):
    run = smoke_run("pde_priors.cell")
    figures = run.values
    assert figures["gain_coins"] == figures["dice_coins_phase_field"] - figures["dice_coins_none"]
    assert len(set(figures.values())) > 6  # the priors do change what is learned
    assert set(run.pictures) == {"coins", "cell", "trained_on", "learning"}


def test_a_broken_run_goes_on_without_repeating_an_epoch(tmp_path):
    unbroken = RecordingContext(tmp_path / "unbroken", draws=False)
    figures = EXPERIMENT.run(TINY, unbroken)
    first = RecordingContext(tmp_path / "broken", breaks_at_line=3, draws=False)
    with pytest.raises(Broken):
        EXPERIMENT.run(TINY, first)
    second = RecordingContext(tmp_path / "broken", draws=False)
    assert EXPERIMENT.run(TINY, second) == figures
    assert first.lines + [line for line in second.lines if "resumed" not in line] == unbroken.lines
    assert len(unbroken.lines) == len(set(unbroken.lines)) == 3 * TINY.epochs


def test_scenes_hold_the_objects_they_are_said_to_hold():
    counts = [ndimage.label(mask)[1] for _, mask in _photographs()]
    assert counts == [12, 12, 1]
    cell = _photographs()[2][1]
    coin_areas = ndimage.sum(_photographs()[1][1], ndimage.label(_photographs()[1][1])[0], range(1, 13))
    assert coin_areas.min() < cell.sum() < coin_areas.max()  # the cell is as large as a coin


def test_perimeter_ratio_of_the_truth_is_one():
    mask = torch.from_numpy(photographs.bright_objects(photographs.load("coins.png")))[None].float()
    scene = Scene(mask, mask)
    model = torch.nn.Module()
    model.forward = lambda image: image - 0.5
    assert scene.perimeter_ratio(model) == 1
    assert scene.dice(model) == 1


def test_presets():
    assert set(EXPERIMENT.presets) == set(EXPERIMENT.minutes) == {"smoke", "quick", "paper"}
    assert set(EXPERIMENT.data()) == {"coins.png", "cell.png"}
    for figure in EXPERIMENT.figures:  # the abstract gives no figures
        assert figure.published is None
        assert not figure.comparable
