"""LIVECell from a local folder: in its published layout, or as the arrays of whole frames or of crops."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import numpy as np

from pde_priors import _published
from pde_priors._frames import Frame, Split, half_frame, split_by_site, standardised
from repro.arrays import read_arrays

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

WHOLE, CROPS = "livecell_full_520x704.npz", "livecell_crops_128.npz"


def parse(direction: str) -> tuple[list[str], str]:
    """Returns the seen kinds and the unseen one of a direction such as `A172+BT474>SKOV3`.

    Raises:
        ValueError: it is not of this form, or the unseen kind is among the seen.
    """
    match = re.fullmatch(r"(\w+(?:\+\w+)*)>(\w+)", direction)
    if match is None:
        raise ValueError(
            f"`directions`: {direction!r} must name the seen kinds and the unseen one: A172+BT474>SKOV3."
        )
    seen, unseen = match[1].split("+"), match[2]
    if unseen in seen:
        raise ValueError(f"`directions`: in {direction!r} {unseen} is seen; name another unseen kind.")
    return seen, unseen


def load(folder: Path, seen: Sequence[str], unseen: str, limit: int = 0) -> tuple[Split, str]:
    """Reads the frames of the kinds at half resolution, split so that no site is on two sides.

    The published split is kept where it is there; its sites are apart, too. Of the arrays, the last site of
    every seen kind is for validation.

    Args:
        folder: with `images` and `annotations` (or the folder above them), or with one of the arrays.
        seen: cell types to train and to validate on, such as "A172".
        unseen: cell type to test on.
        limit: frames of each type to validate and to test on at most, evenly over the list; 0 takes all.

    Returns:
        The split, and in words where it is from.

    Raises:
        ValueError: the folder holds none of the layouts, or a kind is missing.
    """
    root = next((root for root in (folder, folder / "LIVECell_dataset_2021") if _published.is_in(root)), None)
    if root is not None:
        split, source = _published.load(root, seen, unseen), "LIVECell as published"
    elif (folder / WHOLE).is_file():
        split, source = _of_arrays(folder / WHOLE, _whole, seen, unseen), f"LIVECell, {WHOLE}"
    elif (folder / CROPS).is_file():
        split, source = _of_arrays(folder / CROPS, _joined, seen, unseen), f"LIVECell, {CROPS}"
    else:
        raise ValueError(
            f"{folder} holds no LIVECell. Looked for {_published.IMAGES['train']} and "
            f"{_published.ANNOTATIONS} (there or in LIVECell_dataset_2021), {WHOLE}, {CROPS}."
        )
    return Split(split.train, _some(split.validation, limit), _some(split.test, limit)), source


def _of_arrays(path: Path, read: Callable[[Path], list[Frame]], seen: Sequence[str], unseen: str) -> Split:
    try:
        return split_by_site(read(path), seen, unseen)
    except ValueError as error:
        words = str(error)
        raise ValueError(words if words.startswith(str(path)) else f"{path}: {words}") from error


def _arrays(path: Path, mask: str) -> tuple[list[str], list[str], np.ndarray, np.ndarray]:
    """Names, cell types, images and masks, one of each for a frame or crop."""
    arrays = read_arrays(path, "name", "cell_type", "image", mask)
    images, masks = arrays["image"], arrays[mask]
    for array in (images, masks):
        if array.dtype.kind not in "biuf" or array.ndim != 3 or not np.isfinite(array).all():
            raise ValueError(f"`image` and `{mask}` must be stacks of finite numbers; got {array.dtype}.")
    names, kinds = ([str(word) for word in arrays[key].ravel()] for key in ("name", "cell_type"))
    if masks.shape != images.shape or {len(names), len(kinds)} != {len(images)}:
        raise ValueError(
            f"there are {len(names)} names, {len(kinds)} types, images of shape {images.shape} and masks of "
            f"shape {masks.shape}; one of each is expected. Fetch it again."
        )
    return names, kinds, images, masks


def _some(frames: list[Frame], limit: int) -> list[Frame]:
    """Returns at most `limit` frames of every kind, evenly over the list."""
    if not limit:
        return frames
    chosen = []
    for kind in sorted({frame.kind for frame in frames}):
        of_kind = [frame for frame in frames if frame.kind == kind]
        count = min(limit, len(of_kind))
        chosen += [of_kind[k * len(of_kind) // count] for k in range(count)]
    return chosen


def _whole(path: Path) -> list[Frame]:
    names, kinds, images, instances = _arrays(path, "instance")
    return [
        half_frame(name, kind, _published.site_of(name), image, instance > 0)
        for name, kind, image, instance in zip(names, kinds, images, instances, strict=True)
    ]


def _joined(path: Path) -> list[Frame]:
    """Puts the crops of every frame, which are at half resolution, back together."""
    names, kinds, images, masks = _arrays(path, "mask")
    places: dict[str, list[tuple[int, int, int]]] = {}
    for k, name in enumerate(names):
        match = re.fullmatch(r"(.+)@(\d{1,9}),(\d{1,9})", name)
        if match is None:
            raise ValueError(f"name[{k}] is {name[:80]!r}; FRAME@ROW,COLUMN is expected.")
        frame, row, column = match[1], int(match[2]), int(match[3])
        places.setdefault(frame, []).append((row, column, k))
    frames = []
    for name, crops in places.items():
        rows, columns = (sorted({crop[axis] for crop in crops}) for axis in (0, 1))
        if len(crops) != len(rows) * len(columns):
            raise ValueError(f"the {len(crops)} crops of {name} do not make up a rectangle.")
        order = {crop[:2]: crop[2] for crop in crops}
        if len(order) != len(crops):
            raise ValueError(f"two of the crops of {name} have one place.")
        image, mask = (
            np.block([[stack[order[row, column]] for column in columns] for row in rows])
            for stack in (images, masks)
        )
        kind = kinds[crops[0][2]]
        frames.append(Frame(name, kind, _published.site_of(name), standardised(image), mask > 0))
    return frames
