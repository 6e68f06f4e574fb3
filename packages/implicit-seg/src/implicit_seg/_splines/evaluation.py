"""Values of a tensor-product spline on a regular grid."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from implicit_seg._splines.banded import BandProduct, collocation_band
from implicit_seg._splines.collocation import collocation_matrix

if TYPE_CHECKING:
    from collections.abc import Sequence

    from jaxtyping import Float
    from torch import Tensor

    from implicit_seg._splines.banded import Band


def evaluate_spline(
    coefficients: Float[Tensor, "batch channels *grid"], size: Sequence[int], degree: int = 1
) -> Float[Tensor, "batch channels *size"]:
    r"""Values of a tensor-product spline on a regular grid, ends of the domain included.

    $Z_{ij} = \sum_{k,l} U_{ik} V_{jl} c_{kl}$, contracted one direction at a time (Barrowclough et al., eq. 2
    and section 3.3). For degree 1 this is `torch.nn.functional.interpolate` with `align_corners=True`.

    On the CPU it takes O(degree) operations for each value, forward and backward, and keeps nothing for the
    backward pass; elsewhere it is one matrix product for each dimension.

    Args:
        coefficients: control net of each item and channel, in one, two, three or more dimensions.
        size: number of points in each dimension, each at least 2. Any size: the spline knows no pixels.
        degree: 0 to 3, the same in every direction.

    Returns:
        The values, in the dtype and on the device of `coefficients`.

    Raises:
        ValueError: the dimensions of `coefficients` and `size` differ, or one of them is too small.

    >>> import torch
    >>> net = torch.tensor([[[[0.0, 1.0], [2.0, 3.0]]]])
    >>> evaluate_spline(net, (3, 2)).squeeze()
    tensor([[0., 1.],
            [1., 2.],
            [2., 3.]])
    """
    check_dimensions(coefficients, size)
    axes = [(n, m, degree) for n, m in zip(coefficients.shape[2:], size, strict=True)]
    if uses_bands(coefficients):
        return contract_bands(coefficients, [collocation_band(*axis) for axis in axes])
    return contract(coefficients, [collocation_matrix(*axis) for axis in axes])


def check_dimensions(coefficients: Tensor, size: Sequence[int]) -> None:
    """Raises `ValueError` unless `coefficients` is (batch, channels, ...), as many as `size` has."""
    if coefficients.ndim != len(size) + 2:
        raise ValueError(
            f"`coefficients` must have the shape (batch, channels, ...) with {len(size)} more dimensions to "
            f"fit `size` = {tuple(size)}; got the shape {tuple(coefficients.shape)}."
        )


def uses_bands(coefficients: Tensor) -> bool:
    """Whether `contract_bands` takes these coefficients: on the CPU, and not while a graph is recorded.

    A graph (`torch.compile`, `torch.export`, a TorchScript trace) gets the plain matrix products, which every
    consumer of graphs knows.
    """
    recording = torch.jit.is_tracing() or torch.compiler.is_compiling()  # pyright: ignore[reportPrivateImportUsage]
    return coefficients.is_cpu and not recording


def contract(coefficients: Tensor, matrices: Sequence[Tensor]) -> Tensor:
    """The plain form: a dense matrix for each dimension, the reference for `contract_bands`."""
    values = coefficients
    for k, matrix in enumerate(matrices):
        matrix = matrix.to(coefficients)
        if k == len(matrices) - 1:
            values = values @ matrix.mT
        else:
            rest = values.shape[k + 3 :]
            values = (matrix @ values.flatten(k + 3)).unflatten(-1, rest)
    return values


def contract_bands(coefficients: Tensor, bands: Sequence[Band]) -> Tensor:
    """A band for each dimension; the last first, where the tensor is still small and work is dearest."""
    values = coefficients
    for axis in range(-1, -len(bands) - 1, -1):
        values = BandProduct.apply(values, bands[axis], axis)
    return values
