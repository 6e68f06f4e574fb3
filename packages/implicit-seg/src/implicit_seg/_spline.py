"""Tensor-product splines on open uniform knots, evaluated on a regular grid by collocation matrices."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import nn

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from jaxtyping import Float
    from torch import Tensor


def open_uniform_knots(n: int, degree: int) -> Float[Tensor, " knots"]:
    """Open uniform knots of `n` B-splines: the integers 0 to `n - degree`, both ends `degree + 1` times.

    Args:
        n: number of basis functions, and so of coefficients; more than `degree`.
        degree: of the spline, 0 to 3.

    Returns:
        `n + degree + 1` knots, float64, dimensionless.

    Raises:
        ValueError: `degree` is none of 0, 1, 2, 3, or `n` is too small.

    Barrowclough et al., *Binary segmentation by implicit spline representations*, section 2.4.
    """
    if degree not in (0, 1, 2, 3):
        raise ValueError(f"`degree` must be 0, 1, 2 or 3; got {degree!r}.")
    if n <= degree:
        raise ValueError(f"a spline of degree {degree} needs at least {degree + 1} coefficients; got {n}.")
    inner = torch.arange(n - degree + 1, dtype=torch.float64, device="cpu")
    return torch.cat([inner[:1].expand(degree), inner, inner[-1:].expand(degree)])


def collocation_matrix(n: int, size: int, degree: int) -> Float[Tensor, "size n"]:
    r"""B-splines at uniform parameters: $U_{ik} = B_{k,p}(s_i)$, $s_i = (n - p)(i - 1) / (\text{size} - 1)$.

    Args:
        n: number of basis functions.
        size: number of parameters, at least 2; the first and the last are the ends of the domain.
        degree: p, 0 to 3.

    Returns:
        The matrix in float64, on the CPU. Its rows are non-negative and sum to one. The last knot interval is
        closed, so that the last row is (0, ..., 0, 1) for every degree.

    Raises:
        ValueError: `degree`, `n` or `size` is out of range.

    Equivalent to `scipy.interpolate.BSpline.design_matrix`. Barrowclough et al., sections 2.4 and 3.3.
    """
    knots = open_uniform_knots(n, degree)
    if size < 2:
        raise ValueError(f"`size` must be at least 2 in each direction; got {size}.")
    # integers first: the quotient is then rounded once, and a parameter on a knot is exactly that knot
    s = (torch.arange(size, dtype=torch.float64, device="cpu") * (n - degree) / (size - 1))[:, None]
    span = s.floor().clamp(max=n - degree - 1)  # closes the last interval
    basis = (knots[:-1] == span) & (knots[1:] > knots[:-1])
    basis = basis.to(torch.float64)
    for p in range(1, degree + 1):
        width = knots[p:] - knots[:-p]
        inverse = torch.where(
            width > 0, 1 / width.clamp(min=1), 0.0
        )  # 0/0 is 0; knots are integers, so width >= 1
        rising = (s - knots[:-p]) * inverse
        basis = rising[:, :-1] * basis[:, :-1] + (1 - rising[:, 1:]) * (inverse[1:] > 0) * basis[:, 1:]
    return basis


def evaluate_spline(
    coefficients: Float[Tensor, "batch channels *grid"], size: Sequence[int], degree: int = 1
) -> Float[Tensor, "batch channels *size"]:
    r"""Values of a tensor-product spline on a regular grid, ends of the domain included.

    $Z_{ij} = \sum_{k,l} U_{ik} V_{jl} c_{kl}$, contracted one direction at a time (Barrowclough et al., eq. 2
    and section 3.3). For degree 1 this is `torch.nn.functional.interpolate` with `align_corners=True`.

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
    _check_dimensions(coefficients, size)
    matrices = [collocation_matrix(n, m, degree) for n, m in zip(coefficients.shape[2:], size, strict=True)]
    return _contract(coefficients, matrices)


class TensorProductSplineHead(nn.Module):
    """Turns a grid of coefficients into the values of its spline: the last layer of a network of any kind.

    The collocation matrices are computed once and kept as buffers that no checkpoint stores; they are
    computed anew, not rounded, when the module changes its dtype, and materialised when it leaves the meta
    device.

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

    def forward(
        self, coefficients: Float[Tensor, "batch channels *grid"]
    ) -> Float[Tensor, "batch channels *size"]:
        """Evaluates the spline.

        Raises:
            ValueError: `coefficients` has another grid than the head.
        """
        _check_dimensions(coefficients, self.size)
        if coefficients.shape[2:] != self.grid:
            raise ValueError(
                f"`coefficients` has the grid {tuple(coefficients.shape[2:])}; the head expects {self.grid}."
            )
        return _contract(coefficients, [self.get_buffer(f"matrix_{k}") for k in range(len(self.grid))])

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


def _check_dimensions(coefficients: Tensor, size: Sequence[int]) -> None:
    if coefficients.ndim != len(size) + 2:
        raise ValueError(
            f"`coefficients` must have the shape (batch, channels, ...) with {len(size)} more dimensions to "
            f"fit `size` = {tuple(size)}; got the shape {tuple(coefficients.shape)}."
        )


def _contract(coefficients: Tensor, matrices: Sequence[Tensor]) -> Tensor:
    values = coefficients
    for k, matrix in enumerate(matrices):
        matrix = matrix.to(coefficients)
        if k == len(matrices) - 1:
            values = values @ matrix.mT
        else:
            rest = values.shape[k + 3 :]
            values = (matrix @ values.flatten(k + 3)).unflatten(-1, rest)
    return values
