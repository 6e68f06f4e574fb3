"""A function on a box as the coefficients of a cubic spline."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable

    from jaxtyping import Float


def interpolate(
    function: Callable[[np.ndarray], np.ndarray],
    grid: tuple[int, ...],
    extent: Float[np.ndarray, " dimension"],
) -> Float[np.ndarray, "*grid"]:
    """Coefficients of the cubic spline on open uniform knots that has the function's values at its sites.

    Args:
        function: of points (*n, dimension).
        grid: coefficients in each direction, at least 4.
        extent: length of the box in each direction, from 0.

    The sites are Greville's points of the knots: there the interpolation is well-posed.
    """
    from scipy.interpolate import BSpline, make_interp_spline

    sites, knots = [], []
    for n, length in zip(grid, extent, strict=True):
        knot = np.concatenate([np.zeros(3), np.linspace(0, length, n - 2), np.full(3, length)])
        knots.append(knot)
        sites.append(np.stack([knot[i : i + n] for i in (1, 2, 3)]).mean(0).clip(0, length))
    values = function(np.stack(np.meshgrid(*sites, indexing="ij"), -1))
    for axis, (site, knot) in enumerate(zip(sites, knots, strict=True)):
        fitted = make_interp_spline(site, np.moveaxis(values, axis, 0), k=3, t=knot)
        assert isinstance(fitted, BSpline)
        values = np.moveaxis(fitted.c, 0, axis)
    return values
