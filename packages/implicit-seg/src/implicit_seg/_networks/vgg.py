"""VGG-16 with batch normalisation, cut short: small networks that predict spline coefficients."""

from __future__ import annotations

from typing import TYPE_CHECKING

from torch import nn

from implicit_seg._networks.blocks import check_image, check_positive, convolutions

if TYPE_CHECKING:
    from jaxtyping import Float
    from torch import Tensor


class _TruncatedVGG(nn.Module):
    scale: int  # pixels for each coefficient, in each direction

    def __init__(self, depths: tuple[int, ...], filters: int, in_channels: int, out_channels: int) -> None:
        super().__init__()
        check_positive(filters=filters, in_channels=in_channels, out_channels=out_channels)
        narrow = max(1, filters * self.scale // 16)
        layers: list[nn.Module] = []
        for level, depth in enumerate(depths):
            widths = (filters * 2**level,) * depth
            if layers:
                layers.append(nn.MaxPool2d(2))
            layers.append(convolutions(in_channels, *widths))
            in_channels = widths[-1]
        self.trunk = nn.Sequential(*layers)
        self.head = nn.Sequential(
            nn.Conv2d(in_channels, narrow, 1),
            nn.BatchNorm2d(narrow),
            nn.Tanh(),
            nn.Conv2d(narrow, out_channels, 1),
        )

    def forward(
        self, image: Float[Tensor, "batch in_channels height width"]
    ) -> Float[Tensor, "batch out_channels grid_height grid_width"]:
        """Predicts the coefficients.

        Raises:
            ValueError: `image` has no batch dimension or is smaller than the area of one coefficient.
        """
        check_image(image, least=self.scale)
        return self.head(self.trunk(image))


class VGGImplicit1(_TruncatedVGG):
    """VGG-16 up to its third block: one coefficient for every 4 x 4 pixels.

    Args:
        filters: of the first block, which every down-scaling doubles; 64 make 1,740,801 parameters.
        in_channels: of the image.
        out_channels: splines to predict, one for each class.

    Barrowclough et al., section 3.2 and Figure 2.
    """

    scale = 4

    def __init__(self, filters: int = 64, *, in_channels: int = 1, out_channels: int = 1) -> None:
        super().__init__((2, 2, 3), filters, in_channels, out_channels)


class VGGImplicit2(_TruncatedVGG):
    """VGG-16 up to its fourth block: one coefficient for every 8 x 8 pixels.

    Args:
        filters: of the first block, which every down-scaling doubles; 64 make 7,656,001 parameters.
        in_channels: of the image.
        out_channels: splines to predict, one for each class.

    Barrowclough et al., section 3.2 and Figure 2.
    """

    scale = 8

    def __init__(self, filters: int = 64, *, in_channels: int = 1, out_channels: int = 1) -> None:
        super().__init__((2, 2, 3, 3), filters, in_channels, out_channels)
