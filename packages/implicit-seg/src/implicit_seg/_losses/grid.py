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


def weak_laplacian(u: Tensor, spacing: float) -> Tensor:
    """Returns minus the stiffness matrix of Q1 elements times `u`, over the mass of each inner node.

    On a regular grid the matrix is a sum of products over the axes: second differences along one of them, and
    the averages of `weak_average` along the others.
    """
    parts = []
    for axis in range(2, u.ndim):
        part = u.diff(n=2, dim=axis)
        for other in range(2, u.ndim):
            if other != axis:
                part = _average(part, other)
        parts.append(part)
    return sum(parts[1:], parts[0]) / spacing**2


def weak_average(v: Tensor) -> Tensor:
    """Returns the mass matrix of Q1 elements times `v`, over the mass of each inner node."""
    for axis in range(2, v.ndim):
        v = _average(v, axis)
    return v


def _average(v: Tensor, axis: int) -> Tensor:
    """Returns (v[i - 1] + 4 v[i] + v[i + 1]) / 6 along `axis`."""
    n = v.shape[axis] - 2
    return (v.narrow(axis, 0, n) + v.narrow(axis, 2, n)) / 6 + v.narrow(axis, 1, n) * (2 / 3)
