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
    size=50, depth=1, bottleneck=8, filters=4, crops=32, batch_size=4, epochs=2, learning_rate=1e-2
)


@pytest.fixture(scope="module")
def result(tmp_path_factory):
    context = RecordingContext(tmp_path_factory.mktemp("unbroken"))
    return EXPERIMENT.run(TINY, context), context


def test_every_figure_is_measured(result):
    figures, _ = result
    assert set(figures) == {figure.key for figure in EXPERIMENT.figures}
    assert all(0 <= value <= 1 for key, value in figures.items() if not key.startswith("hausdorff"))
    # even this network does better than "everything is coin", which scores 0.53
    assert figures["dice_degree_1"] > 0.7
    assert figures["jaccard_degree_1"] == pytest.approx(
        figures["dice_degree_1"] / (2 - figures["dice_degree_1"])
    )


def test_it_tells_what_it_does(result):
    _, context = result
    assert len(context.lines) == len(set(context.lines)) == 4 * TINY.epochs
    assert context.lines[0].startswith("spline, degree 1: epoch 1/2: loss ")
    labels = dict.fromkeys(label for label, _, _ in context.steps)
    assert context.steps == [(label, k, 16) for label in labels for k in range(1, 17)]
    assert set(context.pictures) == {"contours", "implicit_function", "degrees", "data", "learning"}


def test_a_broken_run_goes_on_without_repeating_an_epoch(result, tmp_path):
    figures, unbroken = result
    first = RecordingContext(tmp_path, breaks_at_line=3)
    with pytest.raises(Broken):
        EXPERIMENT.run(TINY, first)
    second = RecordingContext(tmp_path)
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


def test_global_generator_is_left_alone(tmp_path):
    before = torch.get_rng_state()
    EXPERIMENT.run(replace(TINY, epochs=1, crops=2), RecordingContext(tmp_path))
    assert torch.equal(torch.get_rng_state(), before)
