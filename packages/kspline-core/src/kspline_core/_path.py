"""The best partitions into 1, 2, ..., k pieces, at the price of one fit."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

import numpy as np

from kspline_core import _check, _signal
from kspline_core._method import DENSE_OVER_FUNCTIONAL_UP_TO, choose_path
from kspline_core._native import core

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from jaxtyping import Float64, Int64, Real
    from numpy.typing import ArrayLike

    from kspline_core._spline import KSpline


@dataclass(frozen=True, eq=False, repr=False)
class KSplinePath:
    """The best splines of one signal, one for each number of pieces: `path[k]` has k of them.

    Attributes:
        costs: (weighted) sum of squared residuals with 1, 2, ..., max_pieces pieces, shape (max_pieces,); it
            never increases, unless `min_size` makes more pieces dearer.
        degree: of the polynomials.
        signal: what was fitted, checked.
    """

    costs: Float64[np.ndarray, " max_pieces"]
    degree: int
    signal: _signal.Signal
    _packed: Int64[np.ndarray, " packed"] = field(repr=False)

    @property
    def max_pieces(self) -> int:
        """The greatest number of pieces."""
        return self.costs.size

    def breakpoints(self, pieces: int) -> Int64[np.ndarray, " ends"]:
        """Breakpoints of the best partition into `pieces` pieces, shape (pieces + 1,).

        Raises:
            IndexError: `pieces` is not from 1 to `max_pieces`.
        """
        k = _check.integer("pieces", pieces, 1)
        if k > self.max_pieces:
            raise IndexError(f"`pieces` must be from 1 to max_pieces = {self.max_pieces}; got {k}.")
        first = (k - 1) * (k + 2) // 2  # 2 + 3 + ... + k entries before it
        return self._packed[first : first + k + 1].copy()

    def __getitem__(self, pieces: int) -> KSpline:
        """The best spline of so many pieces; coefficients and values are computed here, in O(n)."""
        return self.signal.on_pieces(self.breakpoints(pieces), self.degree)

    def __len__(self) -> int:
        return self.max_pieces

    def __iter__(self) -> Iterator[KSpline]:
        return (self[k] for k in range(1, self.max_pieces + 1))

    def __repr__(self) -> str:
        n = self.signal.y.size
        return f"KSplinePath(n={n}, max_pieces={self.max_pieces}, degree={self.degree})"


def fit_path(
    y: Real[np.ndarray, " n"] | ArrayLike,
    max_pieces: int,
    degree: int = 0,
    *,
    x: Real[np.ndarray, " n"] | ArrayLike | None = None,
    weights: Real[np.ndarray, " n"] | ArrayLike | None = None,
    missing: Literal["error", "drop"] = "error",
    min_size: int | None = None,
    method: Literal["auto", "dense", "functional"] = "auto",
    progress: Callable[[float], object] | None = None,
) -> KSplinePath:
    r"""The best spline of each number of pieces from 1 to `max_pieces`, as `fit` would give it.

    $$C_k = \min_{h \text{ of } k \text{ pieces}} \sum_j w_j (y_j - h_j)^2, \quad k = 1, \dots, K$$

    All levels of the dynamic programme are computed for K pieces anyway. Time O(n^2 K) and memory of 8 n K
    bytes for `"dense"`; O(n K log n) for most signals and 4 n K bytes for `"functional"` (degree 0,
    `min_size` 1). One thread.

    Args:
        y: one signal of n samples and one channel, shape (n,), float32, float64 or integers.
        max_pieces: the greatest number of pieces K, as `pieces` of `fit`.
        degree: of the polynomials, 0 to 3.
        x: as for `fit`, shape (n,).
        weights: as for `fit`, shape (n,).
        missing: as for `fit`.
        min_size: as for `fit`.
        method: `"dense"` or `"functional"`, as for `fit`; `"auto"`: the faster one that applies.
        progress: as for `fit`.

    Returns:
        The path: `path.costs[k - 1]` is $C_k$, `path[k]` the spline.

    Raises:
        TypeError: as for `fit`.
        ValueError: as for `fit`, and if `y` is no single signal.

    Example:
        >>> import numpy as np
        >>> from kspline_core import fit_path
        >>> path = fit_path(np.array([1.0, 1.0, 5.0, 5.0, 2.0, 2.0]), max_pieces=3)
        >>> path.costs
        array([17.33333333,  9.        ,  0.        ])
        >>> path[2].breakpoints
        array([0, 2, 6])
    """
    signal = _signal.signal(y, weights, x, missing)
    settings = _check.settings((signal.y.size,), max_pieces, degree, min_size, method, None)
    _check.room(settings.pieces, settings.min_size, np.array(signal.present))
    _check.callback("progress", progress)
    packed, costs = core.fit_path(
        *signal.for_core(settings.degree),
        settings.pieces,
        settings.degree,
        settings.min_size,
        choose_path(
            settings.method,
            signal.y.size,
            settings.degree,
            min_size=settings.min_size,
            dense_up_to=DENSE_OVER_FUNCTIONAL_UP_TO,
        ),
        progress=progress,
    )
    if progress is not None:
        progress(1.0)
    return KSplinePath(costs, settings.degree, signal, packed.view(np.int64))
