"""The order of the data and its augmentation, both known from the seed and the epoch alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
from torch.utils.data import DataLoader, Dataset

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor

    from implicit_seg.training._settings import TrainingSettings

    Items = Dataset[tuple[Tensor, Tensor]] | Sequence[tuple[Tensor, Tensor]]


def epoch_seed(seed: int, epoch: int) -> int:
    """Returns a seed of its own for every pair of seed and epoch."""
    return int(np.random.SeedSequence((seed, epoch)).generate_state(1, np.uint32)[0])


def epoch_batches(
    items: Items, settings: TrainingSettings, epoch: int, process: int, processes: int
) -> DataLoader:
    """Returns the batches of one epoch, this process's share of each.

    With several processes the last, smaller batch is left out unless every process gets a part of it.
    """
    generator = torch.Generator().manual_seed(epoch_seed(settings.seed, epoch))
    order = torch.randperm(len(items), generator=generator)  # pyright: ignore[reportArgumentType] (a map-style data set)
    symmetries = torch.randint(8, (len(order),), generator=generator) if settings.augment else None
    batches = [
        batch[process::processes].tolist()
        for batch in order.split(settings.batch_size)
        if len(batch) >= processes
    ]
    return DataLoader(
        _Turned(items, symmetries), batch_sampler=batches, num_workers=settings.workers, generator=generator
    )


class _Turned(Dataset):
    """The items, each turned and mirrored by the symmetry that was drawn for it."""

    def __init__(self, items: Items, symmetries: Tensor | None) -> None:
        self.items, self.symmetries = items, symmetries

    def __getitem__(self, index: int) -> tuple[Tensor, Tensor]:
        image, mask = self.items[index]
        if image.ndim < 3 or image.shape[1:] != mask.shape[1:]:
            raise ValueError(
                f"item {index} of `items` must be an image and a mask of shapes (channels, height, width) "
                f"that agree in height and width; got {tuple(image.shape)} and {tuple(mask.shape)}."
            )
        if self.symmetries is None:
            return image, mask
        symmetry = int(self.symmetries[index])
        return turn(image, symmetry), turn(mask, symmetry)


def turn(image: Tensor, symmetry: int) -> Tensor:
    """Applies one of the eight symmetries of the square to the last two dimensions.

    A rectangle keeps its shape: its quarter turns are left out.
    """
    quarters, mirrored = divmod(symmetry, 2)
    if image.shape[-1] != image.shape[-2]:
        quarters -= quarters % 2
    image = torch.rot90(image, quarters, (-2, -1))
    return image.flip(-1) if mirrored else image
