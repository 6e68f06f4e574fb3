from __future__ import annotations

import copy
import re
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch
from skimage import io
from torch import nn

from dsa import _cells, _horses, _stand_ins
from dsa._component_network import ComponentNetwork
from dsa._image_set import draw_test, resized
from dsa._table2_scores import Gain, Scores, paired_gain, topology
from dsa._table2_training import METHODS, Layer, Protocol, compare
from dsa.table2 import AGAINST, EXPERIMENT, NAMES, Settings, image_sets
from kspline_core.torch import project_regions, regions
from repro.testing import Broken, RecordingContext

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from repro.fixtures import SmokeRun

LAYER = Layer(levels=(0.5,), min_size=4, mixing=0.5, ramp=0.5, space="probability")
TINY = Protocol(
    depth=1,
    filters=2,
    warm_up=2,
    epochs=2,
    batch_size=4,
    optimizer="adam",
    learning_rate=0.01,
    score_on="test",
)


def generator() -> torch.Generator:
    return torch.Generator().manual_seed(0)


def layered(network: nn.Module, **settings: object) -> ComponentNetwork:
    return ComponentNetwork(network, **({"levels": (0.5,), "min_size": 1, "mixing": 1.0} | settings)).double()


def test_the_run_states_its_data_its_verdicts_and_draws_figure_1(
    smoke_run: Callable[[str], SmokeRun],
) -> None:
    run = smoke_run("dsa.table2")
    assert set(run.pictures) == {"figure1_horses", "figure1_cells", "gains", "images", "learning"}
    for key, photograph in (("horses", _stand_ins.COINS), ("cells", _stand_ins.PAGE)):
        assert any(line.startswith(f"{key}: ") and photograph in line for line in run.lines)
        verdicts = [line for line in run.lines if line.startswith(f"{key}, layer against")]
        assert len(verdicts) == len(AGAINST)
        assert all(re.search(r"significantly|not significant", line) for line in verdicts)
        for other in AGAINST:
            mean, low, high = (run.values[f"gain_{other}{end}_{key}"] for end in ("", "_low", "_high"))
            assert low <= mean <= high
            difference = run.values[f"jaccard_weak_{key}"] - run.values[f"jaccard_{other}_{key}"]
            assert mean == pytest.approx(difference, abs=1e-9)


def test_the_weak_jacobian_averages_the_gradient_over_each_region() -> None:
    """Without the layer's code: the chain rule with the projection written out."""
    logits = torch.randn(2, 1, 6, 7, generator=generator(), dtype=torch.float64)
    truth = (torch.rand(2, 1, 6, 7, generator=generator()) > 0.5).double()
    probability = logits.sigmoid()
    labels = regions(probability)
    for jacobian in ("weak", "identity"):
        leaf = logits.clone().requires_grad_()
        output = layered(nn.Identity(), jacobian=jacobian, mixing=0.7)(leaf)
        nn.BCEWithLogitsLoss(reduction="sum")(output, truth).backward()
        mixed = 0.7 * project_regions(probability, labels) + 0.3 * probability
        torch.testing.assert_close(output.detach(), mixed.logit(), rtol=1e-9, atol=1e-9)
        upstream = (mixed - truth) / (mixed * (1 - mixed))
        if jacobian == "weak":
            upstream = 0.7 * project_regions(upstream, labels) + 0.3 * upstream
        expected = upstream * probability * (1 - probability)
        torch.testing.assert_close(leaf.grad, expected, rtol=1e-9, atol=1e-9)


def test_a_region_whose_mean_is_its_true_share_has_no_gradient() -> None:
    """Why the layer alone cannot mend a boundary: the cross-entropy is stationary there."""
    logits = torch.full((1, 1, 4, 5), 3.0, dtype=torch.float64)
    truth = torch.ones_like(logits)
    truth[..., 0] = 0  # a fifth of the region is wrong
    logits += torch.logit(torch.tensor(0.8, dtype=torch.float64)) - 3
    for jacobian, vanishes in (("weak", True), ("identity", False)):
        leaf = logits.clone().requires_grad_()
        nn.BCEWithLogitsLoss()(layered(nn.Identity(), jacobian=jacobian)(leaf), truth).backward()
        assert leaf.grad is not None
        assert bool(leaf.grad.abs().max() < 1e-12) == vanishes


def test_averaging_features_before_a_last_convolution_is_averaging_logits() -> None:
    features = torch.randn(1, 5, 8, 9, generator=generator(), dtype=torch.float64)
    last = nn.Conv2d(5, 1, 1).double()
    logits = last(features)
    labels = regions(logits.detach(), (0.0,))
    averaged = last(project_regions(features, labels.expand(features.shape)))
    output = layered(last, space="logit")(features)
    torch.testing.assert_close(output, averaged, rtol=0, atol=1e-12)


def test_the_mixing_rises_in_training_only_and_a_copy_goes_on_where_it_was() -> None:
    network = layered(nn.Identity(), ramp=4)
    image = torch.randn(1, 1, 4, 4, generator=generator(), dtype=torch.float64)
    seen = []
    for _ in range(3):
        network(image)
        seen.append(network.layer.mixing)
    assert seen == [0, 0.25, 0.5]
    resumed = layered(nn.Identity(), ramp=4)
    resumed.load_state_dict(copy.deepcopy(network.state_dict()))
    resumed(image)
    assert resumed.layer.mixing == 0.75
    network.eval()(image)
    assert network.layer.mixing == 1
    with pytest.raises(ValueError, match=r"`levels` must be probabilities between 0 and 1; got 1.5"):
        layered(nn.Identity(), levels=(0.5, 1.5))


def test_a_killed_run_goes_on_to_the_same_losses(tmp_path: Path) -> None:
    data = _stand_ins.coins(16)

    def losses(folder: str, breaks_at_line: int | None = None) -> dict[str, list[float]]:
        context = RecordingContext(tmp_path / folder, breaks_at_line=breaks_at_line)
        outcome = compare("horses", data, LAYER, TINY, context)
        assert set(outcome.scores) == set(METHODS)
        assert len(outcome.truth) == data.is_test.sum()
        return {label: history["loss"] for label, history in outcome.histories.items()}

    whole = losses("whole")
    with pytest.raises(Broken):
        losses("broken", breaks_at_line=6)  # in the middle of the training with the layer
    assert losses("broken") == whole
    ends = [history[-1] for history in whole.values()]
    assert len(set(ends)) == len(ends)  # no method is another one


def test_no_image_for_testing_is_looked_at_while_settings_are_chosen() -> None:
    data = _stand_ins.coins(8)
    test = set(np.flatnonzero(data.is_test))
    seen, scored = data.split("test")
    assert set(scored) == test
    assert set(seen) == set(range(len(data.images))) - test
    fitted, validation = data.split("validation")
    assert set(fitted) | set(validation) == set(seen)
    assert not set(fitted) & set(validation)
    assert len(validation) == max(1, round(0.15 * len(seen)))
    assert draw_test(328).sum() == 49
    assert (draw_test(328) == draw_test(328)).all()
    with pytest.raises(ValueError, match=r"1 images cannot be split into two parts"):
        draw_test(1)


def test_the_interval_of_a_gain_agrees_with_the_normal_one() -> None:
    difference = np.random.default_rng(0).normal(1.0, 2.0, 400)
    gain = paired_gain(50 + difference, np.full(400, 50.0), seed=0)
    half = 1.96 * difference.std() / 20
    assert gain.mean == pytest.approx(difference.mean())
    # 10,000 draws: a percentile is off by about 1 % of the width
    assert (gain.low, gain.high) == pytest.approx((gain.mean - half, gain.mean + half), abs=0.1 * half)
    assert gain.verdict == "significantly above zero"
    assert Gain(-1, -2, -0.1).verdict == "significantly below zero"
    assert str(Gain(0.5, -0.25, 1.25)) == "+0.50 [-0.25, +1.25], not significant"


def test_scores_of_a_ring() -> None:
    ring = np.ones((1, 5, 5), bool)
    ring[0, 2, 2] = False
    full = np.ones((1, 5, 5), bool)
    scores = Scores.of(ring, full)
    assert scores.jaccard == pytest.approx([96.0])
    assert scores.topology.tolist() == [[1, 1]]
    assert topology(full).tolist() == [[1, 0]]


def picture(path: Path, image: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    io.imsave(path, image, check_contrast=False)


def half(height: int, width: int) -> np.ndarray:
    """White on the left, black on the right."""
    image = np.zeros((height, width), np.uint8)
    image[:, : width // 2] = 255
    return image


def write_horses(base: Path, mask_width: int = 42) -> None:
    for k in range(3):
        picture(base / "rgb" / f"horse00{k}.jpg", np.dstack([half(30, 40)] * 3))
        picture(base / "figure_ground" / f"horse00{k}.jpg", half(31, mask_width))


def test_horses_in_the_published_layout(tmp_path: Path) -> None:
    write_horses(tmp_path / "weizmann_horse_db")
    (tmp_path / "weizmann_horse_db" / "gray").mkdir()
    for folder in (tmp_path, tmp_path / "weizmann_horse_db"):
        data = _horses.load(folder, 16)
        assert data is not None
        assert data.images.shape == (3, 3, 16, 16)
        assert data.images.max() <= 1
        # JPEG leaves greys between 0 and 255 beside the edge; the threshold puts it back where it was
        assert np.array_equal(data.masks, np.broadcast_to(np.arange(16) < 8, data.masks.shape))
        assert data.is_test.sum() == 1
    assert _horses.load(tmp_path / "nowhere", 16) is None


def test_broken_horses_are_named(tmp_path: Path) -> None:
    write_horses(tmp_path, mask_width=50)
    with pytest.raises(ValueError, match=r"horse000.jpg: the mask is 50 x 31, its image 40 x 30 pixels"):
        _horses.load(tmp_path, 16)
    (tmp_path / "figure_ground" / "horse001.jpg").write_bytes(b"no picture")
    (tmp_path / "figure_ground" / "horse000.jpg").unlink()
    with pytest.raises(ValueError, match=r"rgb.horse000.jpg: .*figure_ground has no file of this name"):
        _horses.load(tmp_path, 16)
    (tmp_path / "rgb" / "horse000.jpg").unlink()
    with pytest.raises(ValueError, match=r"horse001.jpg: cannot be read"):
        _horses.load(tmp_path, 16)


def test_cells_in_the_layouts_of_bbbc038_and_bbbc039(tmp_path: Path) -> None:
    for k, height in enumerate((32, 48)):
        folder = tmp_path / "bowl" / "stage1_train" / f"{k:064d}"
        picture(folder / "images" / f"{k}.png", np.dstack([half(height, 32) // (k + 1)] * 3))
        top = np.zeros((height, 32), np.uint8)
        top[: height // 2, :8] = 255
        for m, mask in enumerate((top, top[::-1])):
            picture(folder / "masks" / f"{m}.png", mask)
        picture(tmp_path / "frames" / "images" / f"{k}.tif", half(height, 32).astype(np.uint16) * (k + 1))
        encoded = np.zeros((height, 32, 4), np.uint8)
        encoded[..., 1:] = 255  # only the red channel says what is a nucleus
        encoded[:, :8, 0] = 3
        picture(tmp_path / "frames" / "masks" / f"{k}.png", encoded)
    instance = np.zeros((2, 32, 32), np.uint16)
    instance[..., :8] = 7
    np.savez(tmp_path / "dsb2018_nuclei_256.npz", image=np.stack([half(32, 32)] * 2), instance=instance)
    for folder in ("bowl", "frames", "."):
        data = _cells.load(tmp_path / folder, 16)
        assert data is not None
        assert data.images.shape == (2, 1, 16, 16)
        assert data.images.reshape(2, -1).max(1) == pytest.approx([1, 1])  # whatever the exposure
        assert np.array_equal(data.masks, np.broadcast_to(np.arange(16) < 4, data.masks.shape)), folder
    assert _cells.load(tmp_path / "nowhere", 16) is None


def test_broken_cells_are_named(tmp_path: Path) -> None:
    (tmp_path / "stage1_train").mkdir()
    with pytest.raises(ValueError, match=r"stage1_train: holds no folder with an image"):
        _cells.load(tmp_path, 16)
    image = tmp_path / "stage1_train" / "a" / "images" / "a.png"
    picture(image, half(20, 20))
    with pytest.raises(ValueError, match=r"has 1 files images/\*.png and 0 files masks/\*.png"):
        _cells.load(tmp_path, 16)
    picture(tmp_path / "stage1_train" / "a" / "masks" / "m.png", half(21, 20))
    with pytest.raises(ValueError, match=r"m.png: the mask has 20 x 21 pixels, its image 20 x 20"):
        _cells.load(tmp_path, 16)
    image.write_bytes(b"no picture")
    with pytest.raises(ValueError, match=r"a.png: cannot be read"):
        _cells.load(tmp_path, 16)
    arrays = tmp_path / "arrays"
    arrays.mkdir()
    stack = np.ones((2, 8, 8), np.float32)
    np.savez(arrays / _cells.ARRAYS, image=-stack, instance=stack)
    with pytest.raises(ValueError, match=r"`image` holds a value that is negative or not finite. Fetch"):
        _cells.load(arrays, 16)
    np.savez(arrays / _cells.ARRAYS, image=stack[..., None], instance=stack)
    np.testing.assert_allclose(_cells.load(arrays, 8).images, 1)  # one channel is as good as none
    frames = tmp_path / "frames"
    picture(frames / "images" / "f.tif", half(20, 20))
    with pytest.raises(ValueError, match=r"f.tif: there is no mask .*f.png"):
        _cells.load(frames, 16)


def test_what_the_folder_lacks_is_said_and_stood_in_for(tmp_path: Path) -> None:
    context = RecordingContext(tmp_path / "run")
    context.data = tmp_path
    with pytest.raises(ValueError, match=r"neither horses nor cells. Looked for horses: `weizmann_horse_db"):
        image_sets(Settings(), context)
    write_horses(tmp_path / "weizmann-horses" / "weizmann_horse_db")  # as `repro data` leaves it
    found = image_sets(Settings(horse_size=16, cell_size=20), context)
    assert context.lines[0].startswith(f"cells: none in {tmp_path} (looked for `stage1_train/")
    assert {key: data.title for key, data in found.items()} == {
        "horses": "Weizmann horses",
        "cells": "letters for cells",
    }
    assert [data.images.shape[1:] for data in found.values()] == [(3, 16, 16), (1, 20, 20)]


def test_scaling_keeps_the_mean_and_what_has_the_size() -> None:
    image = np.random.default_rng(0).random((32, 32)).astype(np.float32)
    assert np.array_equal(resized(image, 32), image)
    assert resized(image, 16).mean() == pytest.approx(image.mean(), abs=0.02)
    assert resized(np.dstack([image] * 3), 20).shape == (20, 20, 3)


def test_stand_ins_have_few_large_and_many_small_objects() -> None:
    objects = [topology(load(48).masks)[:, 0].mean() for load in (_stand_ins.coins, _stand_ins.letters)]
    assert objects[0] < 3 < 6 < objects[1]


def test_every_figure_stands_beside_other_data_and_the_paper_is_quoted() -> None:
    assert not any(figure.comparable for figure in EXPERIMENT.figures)
    published = {figure.key: figure.published for figure in EXPERIMENT.figures if figure.published}
    assert published == {
        "jaccard_baseline_horses": 72.06,
        "jaccard_weak_horses": 73.13,
        "jaccard_baseline_cells": 79.34,
        "jaccard_weak_cells": 81.56,
    }
    same = {
        "depth": 3,
        "filters": 8,
        "warm_up": 0,
        "epochs": 0,
        "batch_size": 0,
        "horse_size": 0,
        "cell_size": 0,
    }
    chosen = {"horse_min_size": 0, "cell_min_size": 0}  # in pixels, so they go with the size
    presets = {replace(settings, **same, **chosen) for settings in EXPERIMENT.presets.values()}
    assert len(presets) == 1  # levels, mixing, space and optimiser are the same everywhere
    assert set(NAMES) == {"horses", "cells"}
