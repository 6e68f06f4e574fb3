"""The networks that the tables compare."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

from torch.nn.functional import interpolate

from implicit_seg import SplineNetwork, UNet, UNetImplicit, VGGImplicit1, VGGImplicit2, evaluate_spline

if TYPE_CHECKING:
    from jaxtyping import Float
    from torch import Tensor, nn

Kind = Literal["UNetImplicit", "VGG-Implicit1", "VGG-Implicit2", "plain U-Net"]


@dataclass(frozen=True)
class Network:
    """A network by its name and its numbers.

    Attributes:
        kind: of the network.
        degree: of its splines; a plain U-Net has none.
        depth: down-scalings of both U-Nets.
        bottleneck: of UNetImplicit: its splines have bottleneck * 2**depth coefficients in each direction.
        filters: of the first block.
    """

    kind: Kind = "UNetImplicit"
    degree: int = 1
    depth: int = 4
    bottleneck: int = 8
    filters: int = 64

    def build(self, size: int) -> nn.Module:
        """Makes the network, for images of size x size pixels, with fresh weights."""
        if self.kind == "plain U-Net":
            return UNet(self.depth, self.filters)
        if self.kind == "UNetImplicit":
            network = UNetImplicit(self.depth, self.bottleneck, self.filters)
            return SplineNetwork(network, network.grid, (size, size), self.degree)
        make = {"VGG-Implicit1": VGGImplicit1, "VGG-Implicit2": VGGImplicit2}[self.kind]
        grid = (size // make.scale,) * 2
        return SplineNetwork(make(filters=self.filters), grid, (size, size), self.degree)

    def like(self, kind: Kind, degree: int = 1) -> Network:
        """The same numbers for another network."""
        return replace(self, kind=kind, degree=degree)


def values_at(
    model: nn.Module, images: Float[Tensor, "batch 1 h w"], size: tuple[int, int]
) -> Float[Tensor, "batch 1 height width"]:
    """Values on a grid of any size, from end to end of the image: of the spline itself, or interpolated."""
    if isinstance(model, SplineNetwork):
        return evaluate_spline(model.coefficients(images), size, model.degree)
    values = model(images)
    if values.shape[2:] == size:
        return values
    return interpolate(values, size, mode="bilinear", align_corners=True)
