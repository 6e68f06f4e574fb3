"""The best piecewise polynomial of a signal."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import numpy as np

from kspline_core import _check
from kspline_core._native import core, thread_count
from kspline_core._spline import KSpline

if TYPE_CHECKING:
    from collections.abc import Callable

    from jaxtyping import Real
    from numpy.typing import ArrayLike


def fit(
    y: Real[np.ndarray, "*batch n"] | ArrayLike,
    pieces: int,
    degree: int = 0,
    *,
    weights: Real[np.ndarray, "*#batch n"] | ArrayLike | None = None,
    min_size: int | None = None,
    method: Literal["auto", "dense"] = "auto",
    threads: int | None = None,
    progress: Callable[[float], object] | None = None,
) -> KSpline:
    r"""Orthogonal projection of a signal onto the discretised k-splines.

    $$F(y) = \arg\min_h \tfrac12 \sum_j w_j (y_j - h_j)^2$$

    over all $h$ that consist of `pieces` intervals with a polynomial of degree `degree` on each, with no
    continuity asked between them: breakpoints and coefficients are both optimal. Cho et al., *Differentiable
    Spline Approximations* (2021), eq. 1.

    Ties: among partitions that cost the same to rounding (1e-12 of the cost, or n times the square of 32 eps
    of half the signal's range), the last breakpoint is the leftmost possible, then the one before it, and so
    on. A piece with fewer samples than `degree` + 1 is interpolated by a polynomial of lower degree.

    Args:
        y: signals of n equally spaced samples, shape (..., n), float32, float64 or integers. Leading
            dimensions are a batch; its signals are shared out among the threads. All sums are taken in
            float64.
        pieces: number of intervals k, from 1 to the number of samples of positive weight / `min_size`.
        degree: of the polynomials, 0 to 3.
        weights: non-negative, finite, shape (..., n) or (n,). A sample of weight 0 is missing: its `y` is
            not read and may be NaN, and its fitted value is what its piece says there. None: all ones.
        min_size: least number of samples of positive weight in a piece. None: 1.
        method: `"dense"`: dynamic programming over all segments in O(n^2 pieces) time and O(n pieces)
            memory for each signal being fitted, exact. `"auto"`: the fastest exact method, at present
            `"dense"`.
        threads: at most this many threads; None: as many as the process may use cores. The result does
            not depend on it.
        progress: called with the fraction done, from 0 to 1, on the calling thread, about ten times a second
            and at the end; an exception in it ends the fit. Ctrl-C ends it too, within a second, by
            `KeyboardInterrupt`.

    Returns:
        The fitted spline, with `values` in the dtype of `y` (float64 for integers).

    Raises:
        TypeError: `y` or `weights` is not real, a count is not an integer, or `progress` is not callable.
        ValueError: `y` has no samples or is not finite, `weights` has another shape or a negative value,
            a number is out of its range, the pieces do not fit into the samples, or sums leave the
            range of float64.

    Example:
        >>> import numpy as np
        >>> from kspline_core import fit
        >>> spline = fit(np.array([1.0, 1.2, 0.8, 5.0, 5.0, 2.0, 2.5, 1.5]), pieces=3)
        >>> spline.breakpoints
        array([0, 3, 5, 8])
        >>> spline.values
        array([1., 1., 1., 5., 5., 2., 2., 2.])

    Equivalent to `ruptures.KernelCPD(kernel="linear", min_size=1)` for degree 0, and for degree 1 to
    `ruptures.Dynp(model="linear", jump=1)` on the columns y, 1, j.
    """
    signal = _check.real("y", y)
    settings = _check.settings(signal.shape, pieces, degree, min_size, method, threads)
    _check.callback("progress", progress)
    w = _check.signal_weights(weights, signal.shape)
    n = signal.shape[-1]
    if w is not None:
        _check.room(settings.pieces, settings.min_size, (w > 0).sum(axis=-1, keepdims=True))
    read = signal if w is None else np.where(w > 0, signal, 0)
    _check.finite("y", read, "Repair it, or give missing samples the weight 0.")

    rows = np.ascontiguousarray(signal, dtype=np.float64).reshape(-1, n)
    breakpoints, coefficients, values, cost = core.fit(
        rows,
        None if w is None else w.reshape(-1, n),
        settings.pieces,
        settings.degree,
        settings.min_size,
        thread_count(settings.threads),
        progress=progress,
    )
    if np.isnan(cost).any():
        raise ValueError(
            f"the sums of signal {int(np.isnan(cost).argmax())} leave the range of float64: `y` or "
            "`weights` is too large or too small. Divide it by its largest value."
        )
    if progress is not None:
        progress(1.0)
    batch = signal.shape[:-1]
    return KSpline(
        # the binding's `long long` is an int64 of another name
        breakpoints=breakpoints.view(np.int64).reshape(*batch, settings.pieces + 1),
        coefficients=coefficients.reshape(*batch, settings.pieces, settings.degree + 1),
        values=values.reshape(signal.shape).astype(signal.dtype, copy=False),
        cost=cost.reshape(batch),
        degree=settings.degree,
        weights=w,
    )
