"""Any network as one that predicts a spline."""

from __future__ import annotations

from typing import TYPE_CHECKING

from torch import nn
from torch.nn import functional

from implicit_seg._networks.blocks import check_positive
from implicit_seg._splines.evaluation import evaluate_spline
from implicit_seg._splines.head import TensorProductSplineHead

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from jaxtyping import Float
    from torch import Tensor

_POOLS: dict[int, Callable[..., Tensor]] = {
    1: functional.adaptive_avg_pool1d,
    2: functional.adaptive_avg_pool2d,
    3: functional.adaptive_avg_pool3d,
}


class SplineNetwork(nn.Module):
    """A network, adaptive average pooling to a grid of coefficients, and the spline's values.

    Args:
        backbone: maps images (batch, in_channels, *image) to (batch, classes, *any): a network of this
            package, or one of segmentation_models.pytorch or MONAI without its last activation.
        grid: number of coefficients in each of one, two or three dimensions. Where the backbone gives another
            size, as those do that keep the size of the image, its output is averaged.
        size: number of values in each dimension; None takes the size of each image.
        degree: of the spline, 0 to 3.

    Raises:
        ValueError: `grid` or `size` does not fit the degree or each other, see `evaluate_spline`.

    >>> import torch
    >>> model = SplineNetwork(torch.nn.Conv2d(3, 2, 3, padding=1), grid=(8, 12))
    >>> model(torch.zeros(1, 3, 40, 50)).shape
    torch.Size([1, 2, 40, 50])
    """

    def __init__(
        self, backbone: nn.Module, grid: Sequence[int], size: Sequence[int] | None = None, degree: int = 1
    ) -> None:
        super().__init__()
        if len(grid) not in (1, 2, 3):
            raise ValueError(f"`grid` must have one to three dimensions; got {tuple(grid)}.")
        check_positive(grid=min(grid))
        self.backbone, self.grid, self.degree = backbone, tuple(grid), degree
        sizes = (2,) * len(grid) if size is None else size  # any size: the head checks degree and grid
        head = TensorProductSplineHead(grid, sizes, degree)
        self.head = head if size is not None else None

    def coefficients(
        self, image: Float[Tensor, "batch in_channels *image"]
    ) -> Float[Tensor, "batch classes *grid"]:
        """Returns the coefficients of the spline, to be evaluated anywhere.

        Raises:
            ValueError: the backbone's output has other dimensions than (batch, classes, *grid).
        """
        features = self.backbone(image)
        if features.ndim != len(self.grid) + 2:
            raise ValueError(
                f"the backbone must give (batch, classes, ...) with {len(self.grid)} more dimensions to fit "
                f"`grid` = {self.grid}; it gave the shape {tuple(features.shape)}."
            )
        if features.shape[2:] == self.grid:
            return features
        return _POOLS[len(self.grid)](features, self.grid)

    def forward(
        self, image: Float[Tensor, "batch in_channels *image"]
    ) -> Float[Tensor, "batch classes *size"]:
        """Returns the values of the spline, positive inside.

        Raises:
            ValueError: see `coefficients`.
        """
        coefficients = self.coefficients(image)
        if self.head is not None:
            return self.head(coefficients)
        return evaluate_spline(coefficients, tuple(image.shape[2:]), self.degree)

    def extra_repr(self) -> str:
        """Names the grid and the degree."""
        return f"grid={self.grid}, degree={self.degree}"
