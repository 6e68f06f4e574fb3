from __future__ import annotations

import numpy as np
import pytest

from fuzzy_metaballs import Camera, sphere_views
from metaballs._score import cross_entropy, masks_of, overlap
from metaballs.rabbit import rabbit
from metaballs.silhouette import (
    DISTANCE,
    EXPERIMENT,
    FIELD_OF_VIEW,
    Settings,
    run,
)
from repro.testing import Broken, RecordingContext

TINY = Settings(components=6, views=8, pixels=24, batch_rays=400, epochs=4, window=20, mesh_cells=24)


def test_pictures_and_log(smoke_run):
    run, settings = smoke_run("metaballs.silhouette"), EXPERIMENT.presets["smoke"]
    assert set(run.pictures) == {"meshes", "silhouettes", "view", "loss"}
    assert run.lines[0].startswith(f"SilhouetteFit(components={settings.components}, steps=")


def test_a_broken_run_resumes_to_the_same_figures(tmp_path):
    want = run(TINY, RecordingContext(tmp_path / "unbroken", draws=False))
    with pytest.raises(Broken):
        run(TINY, RecordingContext(tmp_path / "broken", breaks_at_step=15, draws=False))
    context = RecordingContext(tmp_path / "broken", draws=False)
    got = run(TINY, context)
    assert context.steps[0][1] == 12  # eleven steps make an epoch; the first is not repeated
    assert "resumed: steps 1 to 11" in context.lines[1]
    for key in ("cross_entropy", "iou", "mesh_iou"):
        assert got[key] == want[key]


def test_the_rabbit_fits_into_every_view():
    camera = Camera.from_fov(64, 64, fov=FIELD_OF_VIEW)
    masks = masks_of(*rabbit(48), camera, np.asarray(sphere_views(32, distance=DISTANCE)))
    border = np.concatenate([masks[:, 0], masks[:, -1], masks[:, :, 0], masks[:, :, -1]], axis=1)
    assert not border.any()
    assert masks.mean() > 0.15


def test_scored_views_are_not_fitted_views():
    fitted, scored = (
        np.asarray(sphere_views(32, distance=DISTANCE, phase=phase))[:, :3, 2] for phase in (0.0, 1.3)
    )
    nearest = np.degrees(np.arccos(np.clip(fitted @ scored.T, -1, 1))).min(1)
    assert nearest.mean() > 10


def test_scores():
    truth = np.array([[True, True, False, False]])
    assert overlap(truth, np.array([[True, False, True, False]])) == pytest.approx(1 / 3)
    alpha = np.array([[1.0, 0.5, 0.0, 1.0]])
    want = -(np.log(1 - 1e-6) * 2 + np.log(0.5) + np.log(1e-6)) / 4
    assert cross_entropy(truth, alpha) == pytest.approx(want, rel=1e-9)


def test_presets_are_the_paper_where_it_says_so():
    paper = EXPERIMENT.presets["paper"]
    assert (paper.components, paper.views, paper.pixels) == (40, 32, 64)
    images = paper.epochs * (paper.views * paper.pixels**2 // paper.batch_rays)
    assert images == pytest.approx(2000, rel=0.02)
