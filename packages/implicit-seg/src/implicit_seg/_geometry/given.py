"""What an implicit spline is made of and asked at, checked on entry."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch

from implicit_seg._geometry.frame import Frame

if TYPE_CHECKING:
    from collections.abc import Sequence

    from jaxtyping import Float


def spline(
    coefficients: Float[torch.Tensor, "*grid"] | Float[np.ndarray, "*grid"],
    degree: int,
    size: Sequence[int],
    spacing: float | Sequence[float],
    level: float,
) -> tuple[Float[np.ndarray, "*grid"], Frame]:
    """Returns the coefficients in float64, not to be written to, and where they lie; see `ImplicitSpline`."""
    if isinstance(coefficients, torch.Tensor):
        coefficients = coefficients.detach().cpu().double().numpy()
    net = np.array(coefficients, dtype=np.float64)
    if net.ndim not in (2, 3):
        raise ValueError(
            "`coefficients` must have two or three dimensions, one spline at a time; got the shape "
            f"{net.shape}. Take `coefficients[item, channel]`."
        )
    if degree not in (1, 2, 3):
        raise ValueError(f"`degree` must be 1, 2 or 3 for a boundary; got {degree!r}.")
    if min(net.shape) <= degree:
        raise ValueError(
            f"`coefficients` must have more than `degree` = {degree} in each direction; got {net.shape}."
        )
    if not np.isfinite(net).all():
        place = tuple(int(i) for i in np.argwhere(~np.isfinite(net))[0])
        raise ValueError(f"`coefficients` must be finite; coefficients{list(place)} is {net[place]}.")
    grid_size("size", size, net.ndim, 2)
    steps = (float(spacing),) * net.ndim if isinstance(spacing, (int, float)) else tuple(map(float, spacing))
    if len(steps) != net.ndim or not all(0 < step < np.inf for step in steps):
        raise ValueError(f"`spacing` must be one positive number or {net.ndim}; got {spacing}.")
    if not np.isfinite(level):
        raise ValueError(f"`level` must be finite; got {level}.")
    net.setflags(write=False)
    return net, Frame(net.shape, degree, tuple(map(int, size)), steps)


def grid_size(name: str, size: Sequence[int], dimension: int, least: int) -> tuple[int, ...]:
    """Returns one number for each direction; raises `ValueError` where they are too few or too small."""
    size = tuple(size)
    if len(size) != dimension or min(size) < least:
        raise ValueError(f"`{name}` must be {dimension} numbers of at least {least}; got {size}.")
    return size


def points(values: Float[np.ndarray, "*n dimension"], frame: Frame) -> Float[np.ndarray, "*n dimension"]:
    """Returns points as float64; raises `ValueError` where one lies outside or has another dimension."""
    found = np.asarray(values, dtype=np.float64)
    if found.ndim < 1 or found.shape[-1] != len(frame.grid):
        raise ValueError(f"`points` must have the shape (..., {len(frame.grid)}); got {found.shape}.")
    slack = 1e-9 * frame.extent
    outside = ~((found >= -slack) & (found <= frame.extent + slack)).all(-1)
    if outside.any():
        raise ValueError(
            f"`points` must lie in the domain, 0 to {tuple(frame.extent.tolist())}; "
            f"{found[outside][0]} does not."
        )
    return found
