"""CHD68 (Xu et al., MICCAI 2019): 68 CT volumes of hearts with congenital disease, and slices of seven."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import numpy as np

from implicit_seg.files import read_image
from implicit_splines._volumes import LABELS, SEPARATE, TEST, VALIDATION, Volume, Volumes
from repro.arrays import read_arrays

if TYPE_CHECKING:
    from pathlib import Path

    from implicit_splines._volumes import Tissue

NPZ = "chd68_ct_512.npz"
NAME = re.compile(r"ct_1(\d{3})_image\.nii\.gz")
"""ct_1018_image.nii.gz is volume 18; its labels are ct_1018_label.nii.gz."""
HELD_OUT = (3, 6)
"""Of the seven volumes with slices in `NPZ`: those that the paper validates on."""
QUANTILES = (0.005, 0.995)
"""Of a volume's grey values: what becomes 0 and 255."""


def load(folder: Path, tissue: Tissue) -> Volumes:
    """Reads the published volumes, or the slices of seven of them, whichever the folder has.

    Raises:
        ValueError: the folder has neither, a file has no counterpart, or cannot be read.
    """
    if paths := _published(folder):
        return _load_nifti(paths, tissue)
    if (folder / NPZ).is_file():
        return _load_slices(folder / NPZ, tissue)
    raise ValueError(
        f"{folder} has neither ct_1001_image.nii.gz with ct_1001_label.nii.gz and so on (CHD68 as published) "
        f"nor {NPZ} (slices of seven of its volumes). Give --data a folder that has."
    )


def read_each(folder: Path) -> int:
    """Opens the published volumes one after the other, as `load` does; returns how many there are.

    Raises:
        ValueError: a file has no counterpart, or cannot be read.
    """
    paths = _published(folder)
    for number, path in paths.items():
        _read_volume(number, path, "blood volume")
    return len(paths)


def _published(folder: Path) -> dict[int, Path]:
    """The published volumes' images by number."""
    return {
        int(match[1]): path
        for path in sorted(folder.glob("*.nii.gz"))
        if (match := NAME.fullmatch(path.name))
    }


def _load_nifti(paths: dict[int, Path], tissue: Tissue) -> Volumes:
    found = {
        number: _read_volume(number, path, tissue) for number, path in paths.items() if number not in SEPARATE
    }
    parts = {
        "train": [k for k in found if k not in VALIDATION + TEST],
        "validation": [k for k in found if k in VALIDATION],
        "test": [k for k in found if k in TEST],
    }
    for name, numbers in parts.items():
        if not numbers:
            raise ValueError(
                f"{next(iter(paths.values())).parent} has no volume of the paper's {name} part. It tests on "
                f"{_listed(TEST)}, validates on {_listed(VALIDATION)} and trains on the others up to 68."
            )
    train, validation, test = (tuple(found[k] for k in numbers) for numbers in parts.values())
    return Volumes(f"CHD68, whole volumes, {tissue}", train, validation, test, is_complete=True)


def _read_volume(number: int, path: Path, tissue: Tissue) -> Volume:
    other = path.with_name(path.name.replace("_image", "_label"))
    if not other.is_file():
        raise ValueError(f"{path} has no labels: {other.name} is missing beside it.")
    image, label = _read(path), _read(other)
    if image.shape != label.shape:
        raise ValueError(f"{path} has the shape {image.shape}, {other.name} has {label.shape}.")
    low, high = np.quantile(image[::4, ::4, ::4], QUANTILES)  # a sample says enough
    scaled = (image.astype(np.float32) - low) * (255 / max(high - low, 1))
    # labels above 7 (airways and the like, in some volumes) are none of the heart's
    return Volume(
        f"{number:02d}",
        np.clip(np.rint(scaled), 0, 255).astype(np.uint8),
        np.isin(label, LABELS[tissue]),
        tuple(range(len(image))),
    )


def _read(path: Path) -> np.ndarray:
    try:
        return read_image(path)[..., 0]
    except ValueError as error:
        raise ValueError(f"{error} Fetch it again.") from error


def _load_slices(path: Path, tissue: Tissue) -> Volumes:
    arrays = read_arrays(path, "image", "label", "name")
    images, labels, names = arrays["image"], arrays["label"], arrays["name"]
    if images.dtype != np.uint8 or labels.dtype.kind not in "iu":
        raise ValueError(
            f"{path}: `image` and `label` must be whole numbers, the former uint8; got {images.dtype} "
            f"and {labels.dtype}. Fetch it again."
        )
    if images.ndim != 3 or labels.shape != images.shape or names.shape != images.shape[:1]:
        raise ValueError(
            f"{path}: `image`, `label` and `name` do not go together; their shapes are {images.shape}, "
            f"{labels.shape} and {names.shape}. Fetch it again."
        )
    places: dict[int, list[tuple[int, int]]] = {}
    for index, name in enumerate(names):
        match = re.fullmatch(r"1(\d{3})_(\d+)", str(name))
        if match is None:
            raise ValueError(f"{path}: name[{index}] is {str(name)[:40]!r}; 1003_120 is volume 3, slice 120.")
        places.setdefault(int(match[1]), []).append((int(match[2]), index))
    volumes = {}
    for number, slices in sorted(places.items()):
        positions, order = zip(*sorted(slices), strict=True)  # by number, not as text
        masks = np.isin(labels[list(order)], LABELS[tissue])
        volumes[number] = Volume(f"{number:02d}", images[list(order)], masks, positions)
    if lacking := set(HELD_OUT) - set(volumes):
        raise ValueError(f"{path} has no slice of volume {_listed(sorted(lacking))}, which are scored on.")
    held_out = tuple(volumes[k] for k in HELD_OUT)
    train = tuple(volume for k, volume in volumes.items() if k not in HELD_OUT)
    if not train:
        raise ValueError(f"{path} has no slice of another volume than {_listed(HELD_OUT)} to train on.")
    return Volumes(
        f"CHD68, slices of {len(volumes)} of its volumes, {tissue}",
        train,
        held_out,
        held_out,
        is_complete=False,
    )


def _listed(numbers: list[int] | tuple[int, ...]) -> str:
    return ", ".join(map(str, numbers))
