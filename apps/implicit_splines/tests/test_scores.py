"""Scores of volumes and intervals of differences, against closed forms."""

from __future__ import annotations

import numpy as np
import pytest

from implicit_splines._scores import batch_scores, cleaned, paired_interval, score
from implicit_splines._volumes import Volume


def volume_of(masks, positions=None):
    positions = tuple(range(len(masks))) if positions is None else positions
    return Volume("v", np.zeros(masks.shape, np.uint8), masks, positions)


def test_a_volume_counts_all_its_voxels_and_its_slices_count_alike():
    masks = np.zeros((2, 8, 8), bool)
    masks[0, :4], masks[1, 0, 0] = True, True
    predicted = masks.copy()
    predicted[1, 0, :2] = [False, True]  # all of a small slice is missed, by one pixel
    scores = score([volume_of(masks)], [predicted])
    assert scores.mean("dice") == pytest.approx(2 * 32 / 66)
    assert scores.mean("jaccard") == pytest.approx(32 / 34)
    assert scores.mean("accuracy") == pytest.approx(126 / 128)
    assert scores.mean("hausdorff") == 1
    assert scores.slices["dice"][0].tolist() == [1, 0]
    assert scores.slices["hausdorff"][0].tolist() == [0, 1]


def test_distances_know_where_slices_are():
    masks = np.zeros((2, 5, 5), bool)
    masks[0, 0, 0] = True
    predicted = masks.copy()
    predicted[1, 0, 4] = True
    assert score([volume_of(masks)], [predicted]).mean("hausdorff") == pytest.approx(np.hypot(1, 4))
    apart = score([volume_of(masks, (10, 13))], [predicted])
    assert apart.mean("hausdorff") == pytest.approx(np.hypot(3, 4))
    assert apart.slices["hausdorff"][0].tolist() == pytest.approx([0, np.hypot(5, 5)])  # one mask is empty


def test_batches_are_scored_together():
    masks = np.zeros((3, 4, 4), bool)
    masks[0], masks[1, 0] = True, True
    predicted = np.zeros_like(masks)
    predicted[0] = True
    scores = batch_scores([volume_of(masks[:1]), volume_of(masks[1:])], [predicted[:1], predicted[1:]], 2)
    assert scores["dice"] == pytest.approx((2 * 16 / 36 + 1) / 2)  # the last batch has one slice, both empty
    assert scores["accuracy"] == pytest.approx((28 / 32 + 1) / 2)


def test_small_components_go_in_the_plane_or_in_space():
    mask = np.zeros((2, 10, 10), bool)
    mask[:, :3, :3] = True
    mask[0, 9, 9], mask[1, 6:8, 6:8] = True, True
    kept = cleaned(mask, 0.02, is_complete=False)  # two pixels
    assert [int(part.sum()) for part in kept] == [9, 13]
    assert cleaned(mask, 0.02, is_complete=True).sum() == 18


def test_the_interval_is_that_of_a_mean():
    generator = np.random.default_rng(0)
    same = [np.full((3, 4), 0.25), np.full((3, 2), 0.25)]
    assert paired_interval(same) == (0.25, 0.25, 0.25)
    values = generator.normal(1, 2, 400)
    mean, low, high = paired_interval([values[None]], draws=2000)
    half = 1.96 * values.std() / 20
    assert mean == pytest.approx(values.mean())
    assert (low, high) == pytest.approx((mean - half, mean + half), abs=0.15 * half)  # 2000 draws


def test_trainings_and_from_eight_volumes_on_volumes_are_drawn():
    _, low, high = paired_interval([np.array([[0.0], [1.0], [2.0]])])
    assert (low, high) == (0, 2)  # 1/27 of the draws have one training alone
    constant = [np.full((1, 3), float(k)) for k in range(7)]
    assert paired_interval(constant) == (3, 3, 3)
    _, low, high = paired_interval([*constant, np.full((1, 3), 7.0)])
    assert low < 2.5 < 4.5 < high
