"""The data set that this app's experiments read with `--data`; `repro data` lists it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from repro.dataset import Dataset, require

if TYPE_CHECKING:
    from pathlib import Path

_BUCKET = "https://livecell-dataset.s3.eu-central-1.amazonaws.com/LIVECell_dataset_2021"


def _read(folder: Path) -> str:
    from pde_priors import _published

    return f"All {_published.read_each(folder)} frames can be read, with their outlines."


LIVECELL = Dataset(
    name="livecell",
    title="5239 phase-contrast images of eight kinds of cells, outlined",
    licence="CC BY-NC 4.0: not for commercial use",
    citation="Edlund et al., LIVECell: a large-scale dataset for label-free live cell segmentation, Nature "
    "Methods 18, 2021",
    home="https://sartorius-research.github.io/LIVECell/",
    by_hand=f"download {_BUCKET}/images.zip and unpack it; from {_BUCKET}/annotations/LIVECell/ download "
    "livecell_coco_train.json, livecell_coco_val.json and livecell_coco_test.json into annotations/LIVECell.",
    layout="images/livecell_train_val_images and images/livecell_test_images with *.tif (in folders by kind "
    "or not), annotations/LIVECell/livecell_coco_{train,val,test}.json",
    check=lambda folder: require(
        folder,
        {
            "images/livecell_train_val_images/**/*.tif": 1,
            "images/livecell_test_images/**/*.tif": 1,
            "annotations/LIVECell*/**/*train.json": 1,
            "annotations/LIVECell*/**/*val.json": 1,
            "annotations/LIVECell*/**/*test.json": 1,
        },
    ),
    read=_read,
    experiments=("pde_priors.livecell",),
)
