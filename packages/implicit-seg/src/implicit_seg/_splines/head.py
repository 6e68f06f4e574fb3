"""The last layer of a network that predicts a spline."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import nn

from implicit_seg._splines.banded import collocation_band
from implicit_seg._splines.collocation import collocation_matrix
from implicit_seg._splines.evaluation import check_dimensions, contract, contract_bands, uses_bands

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from jaxtyping import Float
    from torch import Tensor


class TensorProductSplineHead(nn.Module):
    """Turns a grid of coefficients into the values of its spline: the last layer of a network of any kind.

    Any network will do whose output is (batch, channels, *grid): those of this package, or of
    segmentation_models.pytorch and MONAI with a last layer that keeps the grid. Values come in the dtype and
    on the device of the coefficients.

    The collocation matrices are computed once and kept as buffers that no checkpoint stores; they are
    computed anew, not rounded, when the module changes its dtype, and materialised when it leaves the meta
    device. On the CPU their bands are used instead (see `evaluate_spline`).

    Args:
        grid: number of coefficients in each dimension, such as (128, 128).
        size: number of values in each dimension, such as (512, 512).
        degree: of the spline, 0 to 3.

    Raises:
        ValueError: see `evaluate_spline`, its function form for sizes that change from call to call.

    >>> import torch
    >>> head = TensorProductSplineHead((16, 20), (64, 96), degree=2)
    >>> head(torch.zeros(8, 1, 16, 20)).shape
    torch.Size([8, 1, 64, 96])
    """

    def __init__(self, grid: Sequence[int], size: Sequence[int], degree: int = 1) -> None:
        super().__init__()
        if len(grid) != len(size):
            raise ValueError(
                f"`grid` has {len(grid)} dimensions, `size` has {len(size)}; give as many for both."
            )
        self.grid, self.size, self.degree = tuple(grid), tuple(size), degree
        for k, (n, m) in enumerate(zip(self.grid, self.size, strict=True)):
            matrix = collocation_matrix(n, m, degree).to(torch.get_default_dtype())
            self.register_buffer(f"matrix_{k}", matrix.to(torch.get_default_device()), persistent=False)
        self._bands = [collocation_band(n, m, degree) for n, m in zip(self.grid, self.size, strict=True)]

    def forward(
        self, coefficients: Float[Tensor, "batch channels *grid"]
    ) -> Float[Tensor, "batch channels *size"]:
        """Evaluates the spline.

        Raises:
            ValueError: `coefficients` has another grid than the head.
        """
        check_dimensions(coefficients, self.size)
        if coefficients.shape[2:] != self.grid:
            raise ValueError(
                f"`coefficients` has the grid {tuple(coefficients.shape[2:])}; the head expects {self.grid}."
            )
        if uses_bands(coefficients):
            return contract_bands(coefficients, self._bands)
        return contract(coefficients, [self.get_buffer(f"matrix_{k}") for k in range(len(self.grid))])

    def extra_repr(self) -> str:
        """Names the grid, the size and the degree."""
        return f"grid={self.grid}, size={self.size}, degree={self.degree}"

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> TensorProductSplineHead:
        # every move and cast of a module comes through here (`to`, `double`, `cuda`, `to_empty`)
        super()._apply(fn, recurse)
        for k, (n, m) in enumerate(zip(self.grid, self.size, strict=True)):
            setattr(
                self, f"matrix_{k}", collocation_matrix(n, m, self.degree).to(self.get_buffer(f"matrix_{k}"))
            )
        return self
