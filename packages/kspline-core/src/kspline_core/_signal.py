"""One checked signal, and least squares on given pieces of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from kspline_core import _check
from kspline_core._native import core
from kspline_core._spline import KSpline

if TYPE_CHECKING:
    from jaxtyping import Float, Float64, Int64
    from numpy.typing import ArrayLike


class Signal(NamedTuple):
    """A signal that has passed its checks."""

    y: Float[np.ndarray, " n"]
    rows: Float64[np.ndarray, " n"]
    weights: Float64[np.ndarray, " n"] | None
    x: Float64[np.ndarray, " n"] | None

    @property
    def present(self) -> int:
        """Number of samples of positive weight."""
        return self.y.size if self.weights is None else int(np.count_nonzero(self.weights))

    def for_core(
        self, degree: int
    ) -> tuple[Float64[np.ndarray, " n"], Float64[np.ndarray, " n"] | None, Float64[np.ndarray, " n"] | None]:
        """Samples, weights and abscissae as the core reads them; constants do not depend on the last."""
        return self.rows, self.weights, self.x if degree > 0 else None

    def on_pieces(self, breakpoints: Int64[np.ndarray, " ends"], degree: int) -> KSpline:
        """The best polynomials on given pieces."""
        coefficients, values, cost = core.fit_given(*self.for_core(degree), breakpoints, degree)
        return KSpline(
            breakpoints=breakpoints,
            coefficients=coefficients,
            values=values.astype(self.y.dtype, copy=False),
            cost=cost.reshape(()),
            degree=degree,
            weights=self.weights,
            x=self.x,
        )


def signal(y: ArrayLike, weights: ArrayLike | None, x: ArrayLike | None, missing: str) -> Signal:
    """Checks one signal, its weights and where its samples lie."""
    array = _check.real("y", y)
    if array.ndim != 1:
        raise ValueError(
            "`y` must be one signal of one channel, of shape (n,), since each has a result of its own "
            f"length; got shape {array.shape}. Call it for each row: [f(row, ...) for row in y]."
        )
    if array.size == 0:
        raise ValueError("`y` must hold at least one sample; got shape (0,).")
    w = _check.drop_missing(array, _check.signal_weights(weights, array.shape), missing)
    if w is not None and not (w > 0).any():
        raise ValueError("no sample of `y` is left: all are missing or of weight 0. Give at least one.")
    _check.finite(
        "y",
        array if w is None else np.where(w > 0, array, 0),
        "Repair it, or give missing samples the weight 0 (`missing='drop'` for NaN).",
    )
    places = None if x is None else _check.abscissae(x, (), array.size)
    return Signal(array, np.ascontiguousarray(array, dtype=np.float64), w, places)


def refuse_infinite(costs: Float64[np.ndarray, "*any"]) -> None:
    """Refuses to compare costs that are not finite."""
    if not np.isfinite(costs).all():
        raise ValueError(
            "the costs leave the range of float64 and cannot be compared: `y` or `weights` is too large. "
            "Divide it by its largest value."
        )
