"""Knot vectors."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor

from nurbs_diff._checks import check_degree

if TYPE_CHECKING:
    from jaxtyping import Float


def uniform_knots(
    n: int,
    degree: int,
    *,
    domain: tuple[float, float] = (0.0, 1.0),
    dtype: torch.dtype = torch.float64,
    device: torch.device | str | None = None,
) -> Float[Tensor, "k"]:
    """A clamped knot vector with equal spans: both ends stand degree + 1 times.

    Args:
        n: number of control points, more than `degree`.
        degree: of the spline.
        domain: first and last knot.
        dtype: of the knots.
        device: where they lie.

    Returns:
        n + degree + 1 knots.

    Raises:
        ValueError: too few control points for the degree, or an empty domain.

    >>> uniform_knots(5, degree=2)
    tensor([0.0000, 0.0000, 0.0000, 0.3333, 0.6667, 1.0000, 1.0000, 1.0000],
           dtype=torch.float64)
    """
    check_degree("degree", degree)
    if n <= degree:
        raise ValueError(
            f"`n` must exceed the degree {degree}; got {n}. Use at least {degree + 1} control points."
        )
    low, high = domain
    if not low < high:
        raise ValueError(f"`domain` must be an interval (low, high) with low < high; got {domain}.")
    interior = torch.linspace(low, high, n - degree + 1, dtype=dtype, device=device)
    return clamp_ends(interior, degree)


def clamp_ends(breakpoints: Tensor, degree: int) -> Tensor:
    """Repeats the first and the last of `breakpoints` until each stands degree + 1 times."""
    return torch.cat([breakpoints[:1].expand(degree), breakpoints, breakpoints[-1:].expand(degree)])
