"""Open uniform knots, and their B-splines at uniform parameters."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from jaxtyping import Float, Int
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

    Barrowclough et al., *Binary segmentation of medical images using implicit spline representations and deep
    learning*, 2021, section 2.4.
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
    first, values = basis_rows(n, size, degree)
    columns = first[:, None] + torch.arange(degree + 1, device="cpu")
    return torch.zeros(size, n, dtype=torch.float64, device="cpu").scatter_(1, columns, values)


def basis_rows(n: int, size: int, degree: int) -> tuple[Int[Tensor, " size"], Float[Tensor, "size order"]]:
    """The `degree + 1` entries of each row of `collocation_matrix` that can differ from zero.

    Args:
        n: number of basis functions.
        size: number of parameters, at least 2.
        degree: 0 to 3.

    Returns:
        The column of the first entry of each row, and the entries, float64, on the CPU.

    Raises:
        ValueError: as `collocation_matrix`.

    Piegl and Tiller, *The NURBS Book*, algorithm A2.2, for all parameters at a time: O(size * degree**2).
    """
    knots = open_uniform_knots(n, degree)
    if size < 2:
        raise ValueError(f"`size` must be at least 2 in each direction; got {size}.")
    # integers first: the quotient is then rounded once, and a parameter on a knot is exactly that knot
    s = torch.arange(size, dtype=torch.float64, device="cpu") * (n - degree) / (size - 1)
    span = s.long().clamp(max=n - degree - 1)  # closes the last interval
    basis = [torch.ones_like(s)]
    for p in range(1, degree + 1):
        raised, carried = [], torch.zeros_like(s)
        for k, value in enumerate(basis):
            upper, lower = knots[span + degree + 1 + k], knots[span + degree + 1 + k - p]
            share = value / (upper - lower)  # the two knots enclose the span: never 0 / 0
            raised.append(carried + (upper - s) * share)
            carried = (s - lower) * share
        basis = [*raised, carried]
    return span, torch.stack(basis, dim=1)
