"""Folders of images and masks: everything is read and compared before any work starts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch.nn.functional import interpolate
from torch.utils.data import Dataset

from implicit_seg.files._read import ENDINGS, read_image, stem

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from torch import Tensor


@dataclass(frozen=True)
class Pair:
    """An image and its mask, as read.

    Attributes:
        name: of the file, without its ending.
        image: (slices, height, width, channels).
        mask: (slices, height, width), bool; None where there is none.
    """

    name: str
    image: np.ndarray
    mask: np.ndarray | None


def files_of(path: Path) -> dict[str, Path]:
    """The images of a folder by name, or the one that is given.

    Raises:
        ValueError: there are none, or two of one name.
    """
    if not path.exists():
        raise ValueError(f"{path}: there is no such file or folder.")
    every = [path] if path.is_file() else sorted(path.iterdir())
    files = [file for file in every if file.name.lower().endswith(ENDINGS) and not file.name.startswith(".")]
    if not files:
        raise ValueError(f"{path}: holds no image. Known endings: {', '.join(ENDINGS)}.")
    named: dict[str, Path] = {}
    for file in files:
        if stem(file) in named:
            raise ValueError(f"{path}: {named[stem(file)].name} and {file.name} have one name. Remove one.")
        named[stem(file)] = file
    return named


def read_images(path: Path) -> list[Pair]:
    """Reads images without masks.

    Raises:
        ValueError: names all that cannot be read.
    """
    pairs, problems = [], []
    for name, file in files_of(path).items():
        try:
            pairs.append(Pair(name, _finite(read_image(file), file), None))
        except ValueError as error:
            problems.append(str(error))
    _complain(problems, "image", len(pairs) + len(problems), "Repair or remove them.")
    return pairs


def read_pairs(
    images: Path, masks: Path, labels: Sequence[int], *, size: tuple[int, int] | None, uniform: bool
) -> list[Pair]:
    """Reads all pairs, sorted by name.

    Args:
        images: folder.
        masks: folder.
        labels: values that are inside; none: all but 0.
        size: what images will be resampled to; None: they must be of one size if `uniform`.
        uniform: whether they must have the same number of channels (and size).

    Raises:
        ValueError: names every pair that cannot be used, and why.
    """
    image_files, mask_files = files_of(images), files_of(masks)
    problems = [
        f"{file}: has no mask {name}.* in {masks}."
        for name, file in image_files.items()
        if name not in mask_files
    ] + [
        f"{file}: has no image {name}.* in {images}."
        for name, file in mask_files.items()
        if name not in image_files
    ]
    pairs: list[Pair] = []
    for name in [name for name in image_files if name in mask_files]:
        read = []
        for file, then in ((image_files[name], _finite), (mask_files[name], _as_mask(labels))):
            try:
                read.append(then(read_image(file), file))
            except ValueError as error:
                problems.append(str(error))
        if len(read) < 2:
            continue
        image, mask = read
        if image.shape[:3] != mask.shape:
            problems.append(
                f"{image_files[name]}: is {_size(image)}, its mask {mask_files[name].name} {_size(mask)}."
            )
            continue
        pairs.append(Pair(name, image, mask))
    if uniform and pairs:
        problems += _outliers(pairs, image_files, is_resampled=size is not None)
    remedy = "Repair or remove them, or give other folders."
    _complain(problems, "pair", len(image_files.keys() | mask_files.keys()), remedy)
    return pairs


def _outliers(pairs: list[Pair], files: dict[str, Path], *, is_resampled: bool) -> list[str]:
    """Those that are unlike most others in their channels or, unless they are resampled, their size."""
    kinds = [(pair.image.shape[3],) if is_resampled else pair.image.shape[1:] for pair in pairs]
    usual = max(set(kinds), key=kinds.count)
    remedy = "" if is_resampled else " Give --size to resample all, if only the sizes differ."
    return [
        f"{files[pair.name]}: has (rows, columns, channels) {pair.image.shape[1:]}, most have "
        f"{next(p.image.shape[1:] for p, k in zip(pairs, kinds, strict=True) if k == usual)}.{remedy}"
        for pair, kind in zip(pairs, kinds, strict=True)
        if kind != usual
    ]


def _complain(problems: list[str], what: str, total: int, remedy: str) -> None:
    if problems:
        many = (
            f"{len(problems)} faults in {total} {what}s"
            if len(problems) > 1
            else f"a fault in {total} {what}s"
        )
        raise ValueError("\n  ".join([f"{many}; nothing was started. {remedy}", *problems]))


def _size(array: np.ndarray) -> str:
    slices, height, width = array.shape[:3]
    return f"{height} x {width}" + (f" x {slices} slices" if slices > 1 else "")


def _finite(image: np.ndarray, file: Path) -> np.ndarray:
    if not np.issubdtype(image.dtype, np.number) and image.dtype != bool:
        raise ValueError(f"{file}: holds no numbers but {image.dtype}.")
    if not np.isfinite(image).all():
        raise ValueError(f"{file}: holds values that are infinite or not a number.")
    if min(image.shape[1:3]) < 2:
        raise ValueError(f"{file}: is only {_size(image)}.")
    return image


def _as_mask(labels: Sequence[int]) -> Callable[[np.ndarray, Path], np.ndarray]:
    def convert(mask: np.ndarray, file: Path) -> np.ndarray:
        _finite(mask, file)
        if mask.shape[3] > 1 and not (mask == mask[..., :1]).all():
            raise ValueError(f"{file}: a mask must be grey; its {mask.shape[3]} channels differ.")
        return np.isin(mask[..., 0], labels) if labels else mask[..., 0] != 0

    return convert


class Slices(Dataset):
    """Every slice of every pair: image (channels, height, width) and mask (1, height, width), float32."""

    def __init__(
        self, pairs: Sequence[Pair], size: tuple[int, int], window: tuple[float, float] | None
    ) -> None:
        self.pairs, self.size, self.window = list(pairs), size, window
        self.places = [(pair, k) for pair in self.pairs for k in range(len(pair.image))]

    def __len__(self) -> int:
        return len(self.places)

    def __getitem__(self, index: int) -> tuple[Tensor, Tensor]:
        pair, k = self.places[index]
        assert pair.mask is not None
        mask = torch.from_numpy(np.ascontiguousarray(pair.mask[k]))
        rows, columns = (
            torch.linspace(0, have - 1, want).round().long()
            for have, want in zip(mask.shape, self.size, strict=True)
        )
        return prepare(pair.image[k], self.size, self.window), mask[rows][:, columns][None].float()


def prepare(image: np.ndarray, size: tuple[int, int], window: tuple[float, float] | None) -> Tensor:
    """An image (height, width, channels) as the network takes it: (channels, *size), float32.

    Resampled from corner to corner, as the spline is evaluated.
    """
    values = torch.from_numpy(np.ascontiguousarray(image.transpose(2, 0, 1), dtype=np.float32))
    if window is not None:
        values = ((values - window[0]) / (window[1] - window[0])).clamp(0, 1)
    else:
        deviation = values.std()
        values = (values - values.mean()) / (deviation if deviation > 0 else 1)
    if tuple(values.shape[1:]) != tuple(size):
        values = interpolate(values[None], tuple(size), mode="bilinear", align_corners=True)[0]
    return values
