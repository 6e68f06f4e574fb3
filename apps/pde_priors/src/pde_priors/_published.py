"""LIVECell as published: TIFF images, COCO annotations.

    images/livecell_train_val_images/[<Type>/]<Type>_Phase_<Well>_<Location>_<Time>_<Crop>.tif
    images/livecell_test_images/...
    annotations/LIVECell/livecell_coco_{train,val,test}.json
    annotations/LIVECell_single_cells/<type>/[livecell_<type>_]{train,val,test}.json

The archive of images has had a folder for each type, and none. The files of single types, which are smaller,
are read where they are there. In them `annotations` is a mapping rather than a list.

Edlund et al., *LIVECell: A large-scale dataset for label-free live cell segmentation*, Nature Methods, 2021.
"""

from __future__ import annotations

import json
import re
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any

import numpy as np
from skimage import io

from pde_priors._coco import mask_of
from pde_priors._frames import Frame, Split, half_frame

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

IMAGES = {
    "train": "images/livecell_train_val_images",
    "val": "images/livecell_train_val_images",
    "test": "images/livecell_test_images",
}
ANNOTATIONS = "annotations/LIVECell or annotations/LIVECell_single_cells"

INCOMPLETE = frozenset(
    {
        "A172_Phase_A7_1_01d04h00m_3",
        "A172_Phase_D7_1_01d20h00m_1",
        "BT474_Phase_B3_1_03d00h00m_3",
        "BV2_Phase_A4_2_00d00h00m_1",
        "BV2_Phase_A4_2_02d04h00m_3",
        "BV2_Phase_C4_1_01d16h00m_3",
        "BV2_Phase_D4_1_00d12h00m_2",
        "SHSY5Y_Phase_D10_1_01d16h00m_4",
        "SkBr3_Phase_H3_2_00d00h00m_1",
    }
)
"""Frames of which only a few of many cells are annotated (sartorius-research/LIVECell, issue 21): left out.

Cells annotated twice (issue 30) do no harm to a union of masks.
"""


def is_in(root: Path) -> bool:
    """Returns whether the folder has the published layout's images."""
    return (root / IMAGES["train"]).is_dir() or (root / IMAGES["test"]).is_dir()


def site_of(name: str) -> str:
    """Returns well and location from a file name.

    Raises:
        ValueError: it does not follow LIVECell's pattern.
    """
    match = re.match(r"[^_]+_Phase_([A-Z]\d+_\d+)_", name)
    if match is None:
        raise ValueError(
            f"{name} does not follow LIVECell's <Type>_Phase_<Well>_<Location>_<Time>_<Crop>.tif."
        )
    return match[1]


def load(root: Path, seen: Sequence[str], unseen: str) -> Split:
    """Reads the seen kinds' frames to train and to validate, and those of the unseen kind to test.

    Raises:
        ValueError: an annotation file or an image is missing or cannot be read, or a kind has no frame.
    """
    train, validation = (
        [frame for kind in seen for frame in _frames(root, kind, part)] for part in ("train", "val")
    )
    return Split(train, validation, _frames(root, unseen, "test"))


def read_each(root: Path) -> int:
    """Opens every frame that an annotation file names, one after the other; returns how many there are.

    Raises:
        ValueError: a file is missing or cannot be read.
    """
    count = 0
    for part, place in IMAGES.items():
        for path in sorted(root.glob(f"annotations/LIVECell*/**/*{part}.json")):
            names, cells = _table(path, "")
            for key, name in names.items():
                _frame(root / place, name.partition("_")[0], name, cells[key], path)
            count += len(names)
    return count


def _frames(root: Path, kind: str, part: str) -> list[Frame]:
    path = _annotations(root, kind, part)
    names, cells = _table(path, f"{kind}_")
    if not names:
        raise ValueError(f"{path} names no frame of the kind {kind!r}.")
    return [
        _frame(root / IMAGES[part], kind, name, cells[key], path)
        for key, name in sorted(names.items(), key=lambda item: item[1])
    ]


def _table(path: Path, prefix: str) -> tuple[dict[int, str], dict[int, list]]:
    """The file names of the frames that begin so and their cells, both by the number of the frame."""
    try:
        return _parsed(json.loads(path.read_text(encoding="utf-8")), prefix)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise ValueError(
            f"{path} is no COCO file ({type(error).__name__}: {error}). Fetch it again."
        ) from error


def _parsed(content: Any, prefix: str) -> tuple[dict[int, str], dict[int, list]]:
    names: dict[int, str] = {}
    for image in content["images"]:
        name = image["file_name"]
        if PurePosixPath(name).name != name:
            raise ValueError(f"the file name {name[:80]!r} has a folder")
        if name.startswith(prefix) and name.rpartition(".")[0] not in INCOMPLETE:
            names[image["id"]] = name
    cells: dict[int, list] = {key: [] for key in names}
    listed = content["annotations"]
    for cell in listed.values() if isinstance(listed, dict) else listed:
        if cell["image_id"] in cells:
            cells[cell["image_id"]].append(cell["segmentation"])
    return names, cells


def _annotations(root: Path, kind: str, part: str) -> Path:
    single = root / "annotations" / "LIVECell_single_cells" / kind.lower()
    places = (
        single / f"{part}.json",
        single / f"livecell_{kind.lower()}_{part}.json",
        root / "annotations" / "LIVECell" / f"livecell_coco_{part}.json",
    )
    for path in places:
        if path.is_file():
            return path
    raise ValueError(
        f"there are no annotations of {kind}, {part}; looked for {', '.join(str(path) for path in places)}."
    )


def _frame(folder: Path, kind: str, name: str, cells: list, source: Path) -> Frame:
    places = (folder / name, folder / kind / name)
    try:
        path = next((path for path in places if path.is_file()), None)
    except OSError as error:  # a name longer than the system allows
        raise ValueError(f"{source} names {name[:80]}..., which is no file ({error.strerror}).") from error
    if path is None:
        raise ValueError(f"{source} names {name}, which is neither in {folder} nor in its folder {kind}.")
    try:
        image = io.imread(path)
    except Exception as error:  # readers raise whatever they like about a damaged file
        raise ValueError(
            f"{path} cannot be read ({type(error).__name__}: {error}). Fetch it again."
        ) from error
    if image.ndim != 2 or image.dtype.kind not in "biuf" or not np.isfinite(image).all():
        raise ValueError(f"{path} must be a grey image; its shape is {image.shape}, its type {image.dtype}.")
    mask = np.zeros(image.shape, bool)
    for number, cell in enumerate(cells):
        try:
            mask |= mask_of(cell, image.shape)
        except ValueError as error:
            raise ValueError(f"{source}: cell {number} of {name}: {error}") from error
    try:
        return half_frame(name, kind, site_of(name), image, mask)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from error
