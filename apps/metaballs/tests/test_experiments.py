from __future__ import annotations

import gzip
import json

import jax
import numpy as np
import pytest
from skimage.io import imsave

from fuzzy_metaballs import Camera, FuzzyMetaballs, sphere_views
from metaballs import figure4, figure9, gmm, table1, table2, table3
from metaballs._arrays import shape_arrays
from metaballs._reconstruct import METHODS
from metaballs._score import masks_of
from metaballs._timing import seconds_of
from metaballs.models import load
from repro.arrays import save_arrays
from repro.testing import RecordingContext


def test_presets_are_the_paper_where_it_says_so():
    effort = table3.EXPERIMENT.presets["paper"].effort
    assert (effort.components, effort.cells, effort.nerf_hidden) == (40, 384, 128)
    assert (effort.splat_images, effort.mesh_images) == (2000, 2000)
    assert table3.EXPERIMENT.presets["paper"].models == 10
    assert table2.EXPERIMENT.presets["paper"].models == 7
    for preset in (table1.EXPERIMENT.presets["paper"], table2.EXPERIMENT.presets["paper"]):
        assert (preset.components, preset.points, preset.faces) == (40, 470, 170)
    assert (table1.EXPERIMENT.presets["paper"].width, table1.EXPERIMENT.presets["paper"].height) == (80, 60)


def test_a_finished_part_is_not_done_again(tmp_path):
    """What was kept is read; a file that cannot be read is named."""
    settings = gmm.Settings(models=1, sizes=(8, 12, 16))
    scores = np.arange(12.0).reshape(2, 3, 2) + 1
    np.savez(tmp_path / "rabbit-gmm.npz", scores=scores)
    context = RecordingContext(tmp_path)
    values = gmm.run(settings, context)
    assert values["mask_surface_least"] == 1
    assert values["depth_volume_most"] == 12
    assert set(context.pictures) == {"fidelity"}
    (tmp_path / "rabbit-gmm.npz").write_bytes(b"broken")
    with pytest.raises(ValueError, match=r"rabbit-gmm\.npz cannot be read .*Delete it"):
        gmm.run(settings, RecordingContext(tmp_path))


def test_table2_takes_mean_range_and_median_of_all_trials(tmp_path):
    rotation = np.random.default_rng(0).uniform(1, 20, (2, len(table2.METHODS), 5))
    np.savez(tmp_path / "rabbit-poses.npz", errors=np.stack([rotation, 4 * rotation], axis=-1))
    context = RecordingContext(tmp_path)
    values = table2.run(table2.Settings(models=1, trials=5), context)
    error = 2 * rotation[1, -1]  # sqrt(r * 4 r)
    assert values["mean_noisy_fuzzy"] == pytest.approx(error.mean())
    assert values["median_noisy_fuzzy"] == pytest.approx(np.median(error))
    assert values["iqr_noisy_fuzzy"] == pytest.approx(np.subtract(*np.quantile(error, (0.75, 0.25))))
    assert set(values) == {figure.key for figure in table2.EXPERIMENT.figures}
    assert set(context.pictures) == {"figure5"}


def test_figure4_takes_the_middle_size_for_the_papers(tmp_path):
    kept = {method: np.array([[1.0], [2.0], [3.0]]) * k for k, method in enumerate(figure4.METHODS, 1)}
    np.savez(tmp_path / "rabbit-sensitivity.npz", **kept)
    values = figure4.run(figure4.Settings(models=1, trials=1), RecordingContext(tmp_path))
    assert (values["mesh_less"], values["mesh_equal"], values["mesh_more"]) == (2, 4, 6)
    assert set(values) == {figure.key for figure in figure4.EXPERIMENT.figures}


def test_the_generated_video_has_masks_with_less_and_with_more():
    video = figure9.generated(12, 32, np.random.default_rng(0))
    less = (video.truth & ~video.masks).any((1, 2))
    more = (video.masks & ~video.truth).any((1, 2))
    assert less.sum() == 3
    assert more.sum() == 3
    assert not (less & more).any()


def test_a_video_in_the_layout_of_co3d(tmp_path):
    """A disc right of the middle of a wide image, seen by a square camera."""
    folder = tmp_path / "toy" / "one" / "masks"
    folder.mkdir(parents=True)
    row, column = np.mgrid[:60, :80]
    imsave(
        folder / "0.png",
        (255 * (np.hypot(row - 29.5, column - 54.5) < 12)).astype(np.uint8),
        check_contrast=False,
    )
    frame = {
        "sequence_name": "one",
        "frame_number": 0,
        "image": {"path": "toy/one/images/0.jpg", "size": [60, 80]},
        "mask": {"path": "toy/one/masks/0.png"},
        "viewpoint": {
            "R": np.eye(3).tolist(),
            "T": [0.0, 0.0, 4.0],
            "focal_length": [2.0, 2.0],
            "principal_point": [0.0, 0.0],
            "intrinsics_format": "ndc_isotropic",
        },
    }
    annotations = tmp_path / "toy" / "frame_annotations.jgz"
    annotations.write_bytes(gzip.compress(json.dumps([frame]).encode()))
    video = figure9.co3d(tmp_path, 5, 60)
    assert video.masks.shape == (1, 60, 60)
    middle = np.argwhere(video.masks[0]).mean(0)
    np.testing.assert_allclose(middle, [29.5, 29.5 + 15], atol=0.6)  # as many rows, so the same pixels
    assert video.masks[0].sum() == pytest.approx(np.pi * 12**2, rel=0.05)
    frame["mask"] = {}
    annotations.write_bytes(gzip.compress(json.dumps([frame]).encode()))
    with pytest.raises(ValueError, match=r"toy/one/images/0\.jpg: the frame has no mask"):
        figure9.co3d(tmp_path, 5, 60)
    with pytest.raises(ValueError, match=r"holds no frame_annotations\.jgz"):
        figure9.co3d(folder, 5, 60)


def test_table3_scores_what_was_kept_and_draws_it(tmp_path):
    """Every method's alpha is 1/2 everywhere but for fuzzy metaballs, which know the truth."""
    settings = table3.Settings(models=1, resolution=24, views=4, pixels=16)
    model = load(None, 1, resolution=24)[0]
    camera = Camera.from_fov(16, 16, fov=table3.FIELD_OF_VIEW)
    unseen = np.asarray(sphere_views(4, distance=table3.DISTANCE, phase=2.6))
    truth = masks_of(model.vertices, model.faces, camera, unseen)
    shape = FuzzyMetaballs.sphere(4, key=jax.random.key(0))
    for kind in ("clean", "noisy"):
        for method in METHODS:
            arrays = {"alpha": np.full(truth.shape, 0.5), "seconds": np.array(2.0)}
            if method == "fuzzy":
                arrays = {"alpha": truth.astype(float), "seconds": np.array(1.0), **shape_arrays([shape] * 4)}
            save_arrays(tmp_path / f"rabbit-{kind}-{method}.npz", arrays)
    context = RecordingContext(tmp_path)
    values = table3.run(settings, context)
    assert set(values) == {figure.key for figure in table3.EXPERIMENT.figures}
    assert values["clean_nerf"] == pytest.approx(np.log(2))
    assert values["noisy_fuzzy"] == pytest.approx(-np.log1p(-1e-6), rel=1e-6)
    assert (values["iou_clean"], values["seconds_fuzzy"], values["seconds_mesh"]) == (1, 1, 2)
    assert set(context.pictures) == {"figure6", "figure7", "figure8", "errors"}
    assert not context.steps  # nothing was fitted


def test_time_of_steps_reported_one_by_one_and_in_blocks():
    assert seconds_of([10.0, 10.5, 11.0, 11.5], 8) == pytest.approx(4)
    blocks = [t + 1e-5 * k for t in (10.0, 12.0, 14.0) for k in range(4)]  # half a second a step
    assert seconds_of(blocks, 20) == pytest.approx(10, rel=1e-4)
    assert seconds_of([1.0], 20) == 0
