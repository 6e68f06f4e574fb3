"""The data set that this app's experiments read with `--data`; `repro data` lists it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from repro.dataset import Dataset, require

if TYPE_CHECKING:
    from pathlib import Path


def _read(folder: Path) -> str:
    from implicit_splines import _chd68

    return f"All {_chd68.read_each(folder)} volumes can be read, with their labels."


CHD68 = Dataset(
    name="chd68",
    title="68 CT volumes of hearts with congenital disease, labelled; 5.4 GB",
    licence="Apache 2.0, as its page on Kaggle states",
    citation="Xu et al., Whole heart and great vessel segmentation in congenital heart disease using deep "
    "neural networks and graph matching, MICCAI 2019",
    home="https://github.com/XiaoweiXu/Whole-heart-and-great-vessel-segmentation-of-chd_segmentation",
    by_hand="sign in at "
    "https://www.kaggle.com/datasets/xiaoweixumedicalai/chd68-segmentation-dataset-miccai19, "
    "download the split archive, join and unpack it, and put all volumes into the set's folder.",
    layout="ct_1NNN_image.nii.gz with ct_1NNN_label.nii.gz (labels 0 to 7)",
    check=lambda folder: require(folder, {"ct_1*_image.nii.gz": 1, "ct_1*_label.nii.gz": 1}),
    read=_read,
    experiments=tuple(
        f"implicit_splines.{name}" for name in ("studies", "table1", "table2", "table3", "table4")
    ),
)
