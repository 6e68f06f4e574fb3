"""Differences of a function sampled on a regular grid, with one spacing for every direction."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor


def check_field(u: Tensor, spacing: float, least: int) -> None:
    """Raises `ValueError` unless `u` is (batch, channels, ...), large enough, and `spacing` is positive."""
    if u.ndim < 3 or min(u.shape[2:]) < least:
        raise ValueError(
            f"`u` must have the shape (batch, channels, ...) with at least {least} points in each further "
            f"dimension; got the shape {tuple(u.shape)}."
        )
    if not spacing > 0:
        raise ValueError(f"`spacing` must be positive; got {spacing}.")


def forward_difference(u: Tensor, axis: int, spacing: float) -> Tensor:
    """Returns (u[i + 1] - u[i]) / spacing along `axis`, one shorter than `u`."""
    return u.diff(dim=axis) / spacing


def laplacian(u: Tensor, spacing: float) -> Tensor:
    """Returns the second-order Laplacian at the inner points: two shorter than `u` in every direction."""
    axes = range(2, u.ndim)
    total = -2 * len(axes) * inner(u)
    for axis in axes:
        for start in (0, 2):
            moved = u
            for other in axes:
                moved = moved.narrow(other, start if other == axis else 1, u.shape[other] - 2)
            total = total + moved
    return total / spacing**2


def inner(u: Tensor) -> Tensor:
    """Returns `u` without its border."""
    return u[(..., *[slice(1, -1)] * (u.ndim - 2))]
