"""The U-Net, and its adaptive version that predicts spline coefficients."""

from __future__ import annotations

from functools import partial
from itertools import pairwise
from typing import TYPE_CHECKING

import torch
from torch import nn
from torch.nn.functional import adaptive_avg_pool2d, max_pool2d, max_pool3d

from implicit_seg._networks.blocks import (
    CONVOLUTION,
    TRANSPOSED,
    check_image,
    check_positive,
    convolutions,
)

if TYPE_CHECKING:
    from jaxtyping import Float
    from torch import Tensor


class _Trunk(nn.Module):
    """The layers that both networks share; they differ in the sizes that meet on the expanding path."""

    def __init__(
        self, depth: int, filters: int, in_channels: int, out_channels: int, dimensions: int = 2
    ) -> None:
        super().__init__()
        check_positive(depth=depth, filters=filters, in_channels=in_channels, out_channels=out_channels)
        widths = [filters * 2**level for level in range(depth + 1)]
        pairs = list(pairwise(widths))
        block = partial(convolutions, dimensions=dimensions)
        self.dimensions = dimensions
        self.first = block(in_channels, filters, filters)
        self.contracting = nn.ModuleList(block(a, b, b) for a, b in pairs)
        self.upward = nn.ModuleList(TRANSPOSED[dimensions](b, a, 2, stride=2) for a, b in reversed(pairs))
        self.expanding = nn.ModuleList(block(b, a, a) for a, b in reversed(pairs))
        self.last = CONVOLUTION[dimensions](filters, out_channels, 1)

    def _contract(self, image: Tensor) -> tuple[Tensor, list[Tensor]]:
        """Returns the features at the bottleneck, and those of the skip connections from coarse to fine."""
        check_image(image, 2 ** len(self.contracting), self.dimensions)
        pool = max_pool2d if self.dimensions == 2 else max_pool3d
        features = self.first(image)
        skips = []
        for block in self.contracting:
            skips.insert(0, features)
            features = block(pool(features, 2))
        return features, skips


class UNetImplicit(_Trunk):
    """Predicts the coefficients of an implicit spline from an image of any size.

    A U-Net whose bottleneck and skip connections pass through adaptive average pooling, so that the number of
    coefficients, `bottleneck * 2**depth` in each direction, does not depend on the size of the image. Follow
    it by `TensorProductSplineHead` or `evaluate_spline`; a point is inside where the spline is positive.

    Args:
        depth: number of down-scalings, and of up-scalings.
        bottleneck: resolution at the bottleneck, in both directions or (height, width).
        filters: of the first block; every down-scaling doubles them.
        in_channels: of the image.
        out_channels: splines to predict, one for each class.

    Raises:
        ValueError: an argument is below one.

    With 64 filters and one channel it has 7,701,825 / 31,042,369 / 124,385,089 parameters for depth 3 / 4 / 5
    (Barrowclough et al., section 3.2, Figure 2 and Table 1).

    >>> import torch
    >>> network = UNetImplicit(depth=3, bottleneck=4, filters=8)
    >>> network(torch.zeros(2, 1, 96, 100)).shape
    torch.Size([2, 1, 32, 32])
    """

    def __init__(
        self,
        depth: int = 4,
        bottleneck: int | tuple[int, int] = 8,
        filters: int = 64,
        *,
        in_channels: int = 1,
        out_channels: int = 1,
    ) -> None:
        super().__init__(depth, filters, in_channels, out_channels)
        self.bottleneck = (bottleneck, bottleneck) if isinstance(bottleneck, int) else bottleneck
        check_positive(bottleneck=min(self.bottleneck))

    @property
    def grid(self) -> tuple[int, int]:
        """Number of coefficients in each direction: what `TensorProductSplineHead` takes as `grid`."""
        height, width = self.bottleneck
        scale = 2 ** len(self.contracting)
        return height * scale, width * scale

    def forward(
        self, image: Float[Tensor, "batch in_channels height width"]
    ) -> Float[Tensor, "batch out_channels grid_height grid_width"]:
        """Predicts the coefficients.

        Raises:
            ValueError: `image` is smaller than `2**depth` pixels in one direction, or has no batch dimension.
        """
        features, skips = self._contract(image)
        features = adaptive_avg_pool2d(features, self.bottleneck)
        for up, block, skip in zip(self.upward, self.expanding, skips, strict=True):
            features = up(features)
            features = block(torch.cat([features, adaptive_avg_pool2d(skip, features.shape[2:])], dim=1))
        return self.last(features)


class UNet(_Trunk):
    """The plain U-Net with padded convolutions: one value for each pixel of an image of any size.

    In the plane it has exactly the layers and the parameters of a `UNetImplicit` of the same depth and
    filters, and is its baseline. In space it is a backbone for `SplineNetwork`.

    Args:
        depth: number of down-scalings, and of up-scalings.
        filters: of the first block; every down-scaling doubles them.
        in_channels: of the image.
        out_channels: one for each class.
        dimensions: 2 for images, 3 for volumes.

    Raises:
        ValueError: an argument is below one, or `dimensions` is neither 2 nor 3.

    Ronneberger, Fischer and Brox, *U-Net*, 2015; in space Çiçek and others, *3D U-Net*, 2016.
    """

    def __init__(
        self,
        depth: int = 4,
        filters: int = 64,
        *,
        in_channels: int = 1,
        out_channels: int = 1,
        dimensions: int = 2,
    ) -> None:
        if dimensions not in (2, 3):
            raise ValueError(f"`dimensions` must be 2 or 3; got {dimensions}.")
        super().__init__(depth, filters, in_channels, out_channels, dimensions)

    def forward(
        self, image: Float[Tensor, "batch in_channels *size"]
    ) -> Float[Tensor, "batch out_channels *size"]:
        """Predicts one value for each pixel, positive inside.

        Raises:
            ValueError: `image` is smaller than `2**depth` pixels in one direction, or has another number of
                dimensions.
        """
        features, skips = self._contract(image)
        for up, block, skip in zip(self.upward, self.expanding, skips, strict=True):
            features = up(features, output_size=skip.shape[2:])  # restores the odd row that pooling dropped
            features = block(torch.cat([features, skip], dim=1))
        return self.last(features)
