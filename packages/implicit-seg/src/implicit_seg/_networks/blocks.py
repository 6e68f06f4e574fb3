"""The convolutional block that all networks of this package are made of."""

from __future__ import annotations

from typing import TYPE_CHECKING

from torch import nn

if TYPE_CHECKING:
    from torch import Tensor


CONVOLUTION = {2: nn.Conv2d, 3: nn.Conv3d}
TRANSPOSED = {2: nn.ConvTranspose2d, 3: nn.ConvTranspose3d}
_NORMALISATION = {2: nn.BatchNorm2d, 3: nn.BatchNorm3d}


def convolutions(in_channels: int, *out_channels: int, dimensions: int = 2) -> nn.Sequential:
    """Padded convolution of width 3, batch normalisation and ReLU, once for each of `out_channels`."""
    layers: list[nn.Module] = []
    for channels in out_channels:
        layers += [
            CONVOLUTION[dimensions](in_channels, channels, 3, padding=1),
            _NORMALISATION[dimensions](channels),
            nn.ReLU(inplace=True),
        ]
        in_channels = channels
    return nn.Sequential(*layers)


def check_positive(**counts: int) -> None:
    """Raises `ValueError` for the first count that is below one."""
    for name, count in counts.items():
        if count < 1:
            raise ValueError(f"`{name}` must be at least 1; got {count}.")


def check_image(image: Tensor, least: int, dimensions: int = 2) -> None:
    """Raises `ValueError` unless `image` is (batch, channels, *size) and not too small to pool."""
    if image.ndim != dimensions + 2 or min(image.shape[2:]) < least:
        size = ("depth", "height", "width")[3 - dimensions :]
        raise ValueError(
            f"`image` must have the shape (batch, channels, {', '.join(size)}) with {' and '.join(size)} of "
            f"at least {least} for this network; got the shape {tuple(image.shape)}."
        )
