"""Augmentation of whole batches, images and masks alike, by kornia."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import Tensor


def full() -> Callable[[Tensor, Tensor], tuple[Tensor, Tensor]]:
    """Shifts, scales, rotations, bending and noise, drawn anew for every image from torch's generator.

    Raises:
        ImportError: kornia is missing.
    """
    from implicit_seg.files._extra import named_extra

    with named_extra("--augment full", "train"), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of kornia's own imports
        import kornia.augmentation as ka
    steps = ka.AugmentationSequential(
        ka.RandomAffine(20.0, (0.08, 0.08), (0.85, 1.15), padding_mode="border", p=0.8),
        ka.RandomElasticTransform(
            sigma=(12.0, 12.0), alpha=(0.5, 0.5), padding_mode="border", align_corners=False, p=0.3
        ),
        ka.RandomGaussianNoise(0.0, 0.05, p=0.3),
        data_keys=["input", "mask"],
    )

    def augment(images: Tensor, masks: Tensor) -> tuple[Tensor, Tensor]:
        images, masks = steps(images, masks)
        return images, (masks > 0.5).to(images.dtype)

    return augment
