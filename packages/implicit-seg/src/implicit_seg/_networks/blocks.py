"""The convolutional block that all networks of this package are made of."""

from __future__ import annotations

from typing import TYPE_CHECKING

from torch import nn

if TYPE_CHECKING:
    from torch import Tensor


def convolutions(in_channels: int, *out_channels: int) -> nn.Sequential:
    """Padded 3 x 3 convolution, batch normalisation and ReLU in turn, once for each of `out_channels`."""
    layers: list[nn.Module] = []
    for channels in out_channels:
        layers += [
            nn.Conv2d(in_channels, channels, 3, padding=1),
            nn.BatchNorm2d(channels),
            nn.ReLU(inplace=True),
        ]
        in_channels = channels
    return nn.Sequential(*layers)


def check_positive(**counts: int) -> None:
    """Raises `ValueError` for the first count that is below one."""
    for name, count in counts.items():
        if count < 1:
            raise ValueError(f"`{name}` must be at least 1; got {count}.")


def check_image(image: Tensor, least: int) -> None:
    """Raises `ValueError` unless `image` is (batch, channels, height, width) and not too small to pool."""
    if image.ndim != 4 or min(image.shape[2:]) < least:
        raise ValueError(
            "`image` must have the shape (batch, channels, height, width) with height and width of at least "
            f"{least} for this network; got the shape {tuple(image.shape)}."
        )
