"""The data sets that the apps declare."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import h5py
import numpy as np
import pytest

from repro import datasets, fetch, registry
from repro.errors import DataError

PATCHES = "patches of ParSeNet"
CORPUS = Path(__file__).parents[1] / "tests-faults" / "corpus"
# the published layout: how many of each file, and what of the corpus stands for it (None: it is not read)
LAYOUTS: dict[str, dict[str, tuple[int, str | None]]] = {
    "bbbc038": {
        "stage1_train/{}/images/a.png": (2, "images/grey.png"),
        "stage1_train/{}/masks/b.png": (2, "images/grey.png"),
    },
    "bbbc039": {
        "images/a{}.tif": (200, "images/packed.tif"),
        "masks/a{}.png": (200, "images/grey.png"),
        "metadata/training.txt": (1, None),
    },
    "chd68": {
        "ct_1001_image.nii.gz": (1, "images/volume.nii.gz"),
        "ct_1001_label.nii.gz": (1, "images/volume.nii.gz"),
    },
    "co3d": {
        "teddybear/frame_annotations.jgz": (1, "frames/frames.jgz"),
        "a.png": (1, "images/grey.png"),
    },
    "livecell": {
        path: (1, f"sets/published/{path}")
        for path in (
            "images/livecell_train_val_images/A172_Phase_A8_1_01d04h00m_3.tif",
            "images/livecell_train_val_images/A172_Phase_B8_1_01d04h00m_3.tif",
            "images/livecell_test_images/BV2_Phase_A8_1_01d04h00m_3.tif",
            "annotations/LIVECell/livecell_coco_train.json",
            "annotations/LIVECell/livecell_coco_val.json",
            "annotations/LIVECell/livecell_coco_test.json",
        )
    },
    "parsenet-splines": {"open_splines.h5": (1, PATCHES)},
    "stanford-scans": {f"{name}.ply": (1, "meshes/box.ply") for name in ("armadillo", "bunny", "dragon")},
    "weizmann-horses": {
        "weizmann_horse_db/rgb/horse{}.jpg": (2, "images/grey.jpg"),
        "weizmann_horse_db/figure_ground/horse{}.jpg": (2, "images/grey.jpg"),
    },
}


def test_every_declared_set_has_a_layout_here() -> None:
    assert LAYOUTS.keys() == datasets.entry_points().keys()


def lay_out(name: str, folder: Path) -> None:
    """Writes the least of a set that its app reads."""
    for pattern, (count, source) in LAYOUTS[name].items():
        for number in range(count):
            path = folder / pattern.format(number)
            path.parent.mkdir(parents=True, exist_ok=True)
            if source is None:
                path.touch()
            elif source == PATCHES:  # as many as the parts of the published split need
                with h5py.File(path, "w") as file:
                    for array, shape in (("points", (1, 3)), ("controlpoints", (4, 4, 3))):
                        file.create_dataset(array, (60_001, *shape), np.float32, chunks=(60_001, *shape))
            else:
                shutil.copy(CORPUS / source, path)


@pytest.mark.parametrize("name", LAYOUTS)
def test_a_set_is_known_by_its_layout_and_read(name: str, tmp_path: Path) -> None:
    dataset = datasets.load(name)
    assert set(dataset.experiments) <= registry.entry_points().keys()
    with pytest.raises(ValueError, match=re.escape(f"in {tmp_path}, found 0")):
        dataset.check(tmp_path)
    lay_out(name, tmp_path)
    assert dataset.check(tmp_path).endswith(".")
    assert re.fullmatch(
        r"All \d+ \w+ (of the first sequence )?can be read.*\.", fetch.read(dataset, tmp_path)
    )


@pytest.mark.parametrize(
    ("name", "pattern"),
    [
        (name, pattern)
        for name, files in LAYOUTS.items()
        for pattern, (_, source) in files.items()
        if source is not None
    ],
)
def test_a_damaged_file_of_a_set_is_named(name: str, pattern: str, tmp_path: Path) -> None:
    lay_out(name, tmp_path)
    path = tmp_path / pattern.format(0)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    remedy = r"(Copy it anew|Fetch it again|take it out of the folder)\.$"
    with pytest.raises(DataError, match=f"^{name}: {re.escape(str(path))}:? .*{remedy}"):
        fetch.read(datasets.load(name), tmp_path)


def test_what_is_fetched_is_addressed_over_https() -> None:
    for name in LAYOUTS:
        for file in datasets.load(name).files:
            assert all(url.startswith("https://") for url in file.urls)
