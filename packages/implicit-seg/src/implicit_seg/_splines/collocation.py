"""Open uniform knots, and the matrix of their B-splines at uniform parameters."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
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
