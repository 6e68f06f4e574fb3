"""The tables: what their smallest runs leave behind, and their presets."""

from __future__ import annotations

import numpy as np
import pytest

from implicit_splines import studies, table1, table2, table3, table4
from implicit_splines._protocol import PUBLISHED
from implicit_splines._scores import Scores

TABLES = {module.EXPERIMENT.name: module.EXPERIMENT for module in (studies, table1, table2, table3, table4)}
PICTURES = {
    "implicit_splines.studies": {"studies"},
    "implicit_splines.table1": {"table1"},
    "implicit_splines.table2": {"table2", "figure3", "closely", "figure4_5", "figure6"},
    "implicit_splines.table3": {"table3"},
    "implicit_splines.table4": {"table4"},
}


@pytest.mark.parametrize("name", TABLES)
def test_a_table_tells_its_data_and_draws_its_pictures(smoke_run, name):
    run = smoke_run(name)
    assert set(run.pictures) == PICTURES[name]
    assert run.lines[0].startswith("coins.png, regions of a photograph; train row-1-left")
    for key, value in run.values.items():
        if key.startswith(("accuracy", "dice", "jaccard")) and "less" not in key:
            assert 0 <= value <= 1, key


@pytest.mark.parametrize("name", TABLES)
def test_presets(name):
    experiment = TABLES[name]
    paper = experiment.presets["paper"]
    epochs = 320 if name.endswith("table2") else 100
    assert {key: getattr(paper, key) for key in PUBLISHED} == {**PUBLISHED, "epochs": epochs}
    assert paper.tissue == "blood volume"
    assert set(experiment.presets) == set(experiment.minutes) == {"smoke", "quick", "paper"}
    assert not any(f.comparable for f in experiment.figures if f.published is not None)
    assert "coins.png" in experiment.data()


def test_table1_varies_resolution_and_depth_as_the_paper(smoke_run):
    networks = table1._networks(table1.EXPERIMENT.presets["paper"])
    assert [(n.bottleneck * 2**n.depth, n.depth) for n in networks.values()] == [
        (64, 3),
        (64, 4),
        (128, 4),
        (128, 5),
    ]
    values = smoke_run("implicit_splines.table1").values
    dice = np.array([[values[f"dice_{key}_{p}"] for p in range(3)] for key in networks])
    assert values["dice_1_less_2"] == pytest.approx((dice[:, 1] - dice[:, 2]).mean())
    assert values["in_order"] == sum(row[1] > row[2] > row[0] for row in dice)


def test_table2_compares_slice_by_slice(smoke_run):
    values = smoke_run("implicit_splines.table2").values
    for other, metrics in table2.OTHERS.items():
        for metric in metrics:
            low, mean, high = (values[f"{metric}_less_{other}_{part}"] for part in ("low", "mean", "high"))
            assert low <= mean <= high
    one, two = ([np.array([0.5, 0.75]), np.array([1.0])], [np.array([0.25, 0.25]), np.array([0.5])])
    raw = {key: [_scores(one)] * 2 for key in table2.MODELS} | {"unet": [_scores(two)] * 2}
    clean = {key: raw[key] for key in ("spline", "unet")}
    figures = table2._figures(raw, clean)
    assert set(figures) == {figure.key for figure in table2.EXPERIMENT.figures}
    assert figures["dice_less_unet_mean"] == pytest.approx((0.25 + 0.5 + 0.5) / 3)
    assert figures["dice_less_degree_0_mean"] == figures["spread_spline"] == 0
    assert figures["dice_spline"] == pytest.approx((0.625 + 1) / 2)  # volumes count alike


def _scores(slices):
    metrics = ("accuracy", "dice", "jaccard", "hausdorff")
    return Scores(
        dict.fromkeys(metrics, np.array([part.mean() for part in slices])), dict.fromkeys(metrics, slices)
    )


def test_table3_measures_values_and_signs():
    class Data:
        masks = np.array([[[True, False]], [[True, True]]])
        images = masks

        def __len__(self):
            return 2

    values = np.array([[[3.0, -1.0]], [[0.5, -1.0]]])
    found = table3._measure([Data()], [values], 1)
    errors = np.array([2.0, 0.0, 0.5, 2.0])
    assert found[:2] == pytest.approx([1 - (errors**2).mean(), 1 - errors.mean()])
    assert found[2:] == pytest.approx([(1 + 1 / 2) / 2, (1 + 2 / 3) / 2, (1 + 1 / 2) / 2])
