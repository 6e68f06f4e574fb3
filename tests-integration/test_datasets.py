"""The data sets that the apps declare."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from repro import datasets, registry

if TYPE_CHECKING:
    from pathlib import Path

# one file of each kind in the published layout, and how many of it
LAYOUTS = {
    "bbbc038": {"stage1_train/a/images/a.png": 1, "stage1_train/a/masks/b.png": 1},
    "bbbc039": {"images/a{}.tif": 200, "masks/a{}.png": 200, "metadata/training.txt": 1},
    "chd68": {"ct_1001_image.nii.gz": 1, "ct_1001_label.nii.gz": 1},
    "co3d": {"teddybear/frame_annotations.jgz": 1},
    "livecell": {
        "images/livecell_train_val_images/A172/A172_Phase_A7_1_00d00h00m_1.tif": 1,
        "images/livecell_test_images/A172_Phase_C7_1_00d00h00m_1.tif": 1,
        "annotations/LIVECell/livecell_coco_train.json": 1,
        "annotations/LIVECell/livecell_coco_val.json": 1,
        "annotations/LIVECell/livecell_coco_test.json": 1,
    },
    "parsenet-splines": {"open_splines.h5": 1},
    "stanford-scans": {"armadillo.ply": 1, "bunny.ply": 1, "dragon.ply": 1},
    "weizmann-horses": {
        "weizmann_horse_db/rgb/horse001.jpg": 1,
        "weizmann_horse_db/figure_ground/horse001.jpg": 1,
    },
}


def test_every_declared_set_has_a_layout_here() -> None:
    assert LAYOUTS.keys() == datasets.entry_points().keys()


@pytest.mark.parametrize("name", LAYOUTS)
def test_a_set_is_known_by_its_layout(name: str, tmp_path: Path) -> None:
    dataset = datasets.load(name)
    assert set(dataset.experiments) <= registry.entry_points().keys()
    with pytest.raises(ValueError, match=re.escape(f"in {tmp_path}, found 0")):
        dataset.check(tmp_path)
    for pattern, count in LAYOUTS[name].items():
        for number in range(count):
            path = tmp_path / pattern.format(number)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch()
    assert dataset.check(tmp_path).endswith(".")


def test_what_is_fetched_is_addressed_over_https() -> None:
    for name in LAYOUTS:
        for file in datasets.load(name).files:
            assert all(url.startswith("https://") for url in file.urls)
