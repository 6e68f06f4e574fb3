"""How far fitted points lie from their spline: what the results of all fits tell in the same words."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor


class Residuals:
    """Measures of a fit, from `points` and the `values` of the spline at their parameters, (..., dim)."""

    points: Tensor
    values: Tensor

    @property
    def residuals(self) -> Tensor:
        """Points minus spline, in the shape of the points."""
        return self.points - self.values

    @property
    def distances(self) -> Tensor:
        """Distance of each point from the spline at its parameters, without the last axis of the points."""
        return self.residuals.norm(dim=-1)

    @property
    def mse(self) -> float:
        """Mean squared residual over points and coordinates alike, as in DSA's Table 3."""
        return float(self.residuals.double().square().mean())

    @property
    def rms(self) -> float:
        """Root mean square distance: the square root of `mse` times the number of coordinates."""
        return (self.mse * self.points.shape[-1]) ** 0.5

    @property
    def max_error(self) -> float:
        """Largest distance."""
        return float(self.distances.max())
