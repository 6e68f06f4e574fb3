from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from implicit_splines.coins import DIVIDE, EXPERIMENT, Settings, _crops, _mosaic
from repro import photographs
from repro.experiment import Experiment
from repro.testing import Broken, RecordingContext

TINY = Settings(
    size=50, depth=1, bottleneck=8, filters=2, crops=8, batch_size=4, epochs=2, learning_rate=1e-2
)


def test_the_scores_belong_together(smoke_run):
    figures = smoke_run("implicit_splines.coins").values
    assert all(0 <= value <= 1 for key, value in figures.items() if not key.startswith("hausdorff"))
    assert figures["jaccard_degree_1"] == pytest.approx(
        figures["dice_degree_1"] / (2 - figures["dice_degree_1"])
    )


def test_it_tells_what_it_does(smoke_run):
    run, epochs = smoke_run("implicit_splines.coins"), EXPERIMENT.presets["smoke"].epochs
    assert len(run.lines) == len(set(run.lines)) == 4 * epochs
    assert run.lines[0].startswith(f"spline, degree 1: epoch 1/{epochs}: loss ")
    assert set(run.pictures) == {"contours", "implicit_function", "degrees", "data", "learning"}


def test_a_broken_run_goes_on_without_repeating_an_epoch(tmp_path):
    before = torch.get_rng_state()
    unbroken = RecordingContext(tmp_path / "unbroken", draws=False)
    figures = EXPERIMENT.run(TINY, unbroken)
    assert torch.equal(torch.get_rng_state(), before)  # the global generator is left alone
    labels = dict.fromkeys(label for label, _, _ in unbroken.steps)
    assert unbroken.steps == [(label, k, 4) for label in labels for k in range(1, 5)]
    first = RecordingContext(tmp_path / "broken", breaks_at_line=3, draws=False)
    with pytest.raises(Broken):
        EXPERIMENT.run(TINY, first)
    second = RecordingContext(tmp_path / "broken", draws=False)
    assert EXPERIMENT.run(TINY, second) == figures
    assert first.lines + [line for line in second.lines if "resumed" not in line] == unbroken.lines


def test_what_is_scored_is_not_trained_on():
    """Every crop that is trained on lies above the divide, whatever the seed; what is scored lies below."""
    mask = photographs.bright_objects(photographs.load("coins.png"))
    assert not mask[DIVIDE].any()  # the divide cuts no coin
    for seed in range(20):
        corners = photographs.random_corners(mask[:DIVIDE].shape, 75, 50, np.random.default_rng(seed))
        assert max(i for i, _ in corners) + 75 <= DIVIDE
        assert max(j for _, j in corners) + 75 <= mask.shape[1]


def test_mosaic_undoes_the_crops():
    image = np.random.default_rng(0).random((50, 75))
    corners = photographs.tile_corners(image.shape, 25)
    crops, _ = _crops(image, image, corners, 25)
    assert np.array_equal(_mosaic(crops, corners), image.astype(np.float32))


def test_presets():
    assert isinstance(EXPERIMENT, Experiment)
    assert set(EXPERIMENT.presets) == set(EXPERIMENT.minutes) == {"smoke", "quick", "paper"}
    assert EXPERIMENT.data()["coins.png"] == photographs.checksums("coins.png")["coins.png"]
    assert not any(figure.comparable for figure in EXPERIMENT.figures)  # other data than the paper's
    assert replace(EXPERIMENT.presets["smoke"]) == Settings()
