"""The best piecewise polynomial of a signal."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import numpy as np

from kspline_core import _check, _constraints
from kspline_core._method import choose
from kspline_core._native import core, thread_count
from kspline_core._spline import Certificate, KSpline

if TYPE_CHECKING:
    from collections.abc import Callable

    from jaxtyping import Bool, Integer, Real
    from numpy.typing import ArrayLike


def fit(
    y: Real[np.ndarray, "*batch n"] | ArrayLike,
    pieces: int,
    degree: int = 0,
    *,
    x: Real[np.ndarray, "*#batch n"] | ArrayLike | None = None,
    weights: Real[np.ndarray, "*#batch n"] | ArrayLike | None = None,
    missing: Literal["error", "drop"] = "error",
    channels: bool = False,
    min_size: int | None = None,
    fixed: Integer[np.ndarray, " positions"] | Bool[np.ndarray, "*#batch n"] | ArrayLike | None = None,
    forbidden: Integer[np.ndarray, " positions"] | Bool[np.ndarray, "*#batch n"] | ArrayLike | None = None,
    method: Literal["auto", "dense", "functional", "lagrangian", "greedy"] = "auto",
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
    on. A piece with fewer samples than `degree` + 1 is interpolated by a polynomial of lower degree. A
    breakpoint b is the index of the sample that a piece starts with.

    Args:
        y: signals of n samples, shape (..., n), float32, float64 or integers. Leading dimensions are a
            batch; its signals are shared out among the threads. All sums are taken in float64. For signals
            of different lengths see `fit_many`.
        pieces: number of intervals k, from 1 to the number of samples of positive weight / `min_size`.
        degree: of the polynomials, 0 to 3.
        x: where the samples lie, in any unit: finite and strictly increasing, shape (n,) or (batch..., n).
            None: equally spaced, 0, 1, ..., n - 1.
        weights: non-negative, finite, shape of `y` or (n,). A sample of weight 0 is missing: its `y` is
            not read and may be NaN, and its fitted value is what its piece says there. None: all ones.
        missing: what a NaN in `y` is: `"error"`, or `"drop"`: a sample of weight 0.
        channels: whether the last dimension but one of `y`, (..., channels, n), holds channels of one
            signal. They share the breakpoints, each has its own polynomials, and the cost is the sum over
            them.
        min_size: least number of samples in a piece that have a positive weight (in any channel). None: 1.
        fixed: breakpoints that must be there: their positions, integers from 1 to n - 1, for all signals;
            or a boolean mask of shape (n,) or (batch..., n), True at b for a piece that starts at b.
        forbidden: breakpoints that must not be there, in the same form.
        method: `"dense"`: dynamic programming over all segments in O(n^2 pieces) time and O(n pieces)
            memory for each signal being fitted, exact. `"functional"`, exact: functional pruning (Rigaill,
            2015), for degree 0 and `min_size` 1, in O(n pieces log n) time for most signals and at worst
            O(n^2 pieces), and O(n) memory. `"lagrangian"`, exact: breakpoints that no best
            partition can have are ruled out by Lagrangian bounds, and dynamic programming decides among the
            rest; O(n) memory and about O(n) time where good breakpoints stand out, O(n pieces) memory and
            at worst O(n^2 pieces) time where all are alike. `"greedy"`: merging of neighbours to some 12
            `pieces` intervals (Acharya et al., 2016), the best partition along their ends, refined;
            near-linear time, O(n) memory, not exact, but with a `certificate`. These three take one channel,
            and neither `fixed` nor `forbidden`. `"auto"`: the faster of the exact methods. Where several
            partitions are equally good to rounding, `"lagrangian"` may return another than the leftmost.
        threads: at most this many threads; None: as many as the process may use cores. The result does
            not depend on it.
        progress: called with the fraction done, from 0 to 1, on the calling thread, about ten times a second
            and at the end; an exception in it ends the fit. Ctrl-C ends it too, within a second, by
            `KeyboardInterrupt`.

    Returns:
        The fitted spline, with `values` in the dtype of `y` (float64 for integers). A cost or a coefficient
        beyond the range of float64 is infinite there.

    Raises:
        TypeError: `y`, `x` or `weights` is not real, a count or a position is not an integer, or `progress`
            is not callable.
        ValueError: `y` has no samples or is not finite, `x` does not increase, `weights` has another shape
            or a negative value, a number is out of its range, `method` cannot do what is asked, or the
            pieces do not fit into the samples or contradict `fixed` and `forbidden`.

    Example:
        >>> import numpy as np
        >>> from kspline_core import fit
        >>> y = np.array([1.0, 1.2, 0.8, 5.0, 5.0, 2.0, 2.5, 1.5])
        >>> spline = fit(y, pieces=3)
        >>> spline.breakpoints
        array([0, 3, 5, 8])
        >>> spline.values
        array([1., 1., 1., 5., 5., 2., 2., 2.])
        >>> fit(y, pieces=3, fixed=[4]).breakpoints
        array([0, 3, 4, 8])

    Equivalent to `ruptures.KernelCPD(kernel="linear", min_size=1)` for degree 0, and for degree 1 to
    `ruptures.Dynp(model="linear", jump=1)` on the columns y, 1, j.
    """
    signal = _check.real("y", y)
    settings = _check.settings(signal.shape, pieces, degree, min_size, method, threads)
    _check.callback("progress", progress)
    if channels and (signal.ndim < 2 or signal.shape[-2] == 0):
        raise ValueError(
            f"`y` must have shape (..., channels, n) with a channel at least if `channels` is true; got "
            f"{signal.shape}. Pass y[None] for one channel."
        )
    n = signal.shape[-1]
    batch = signal.shape[:-2] if channels else signal.shape[:-1]
    w = _check.drop_missing(signal, _check.signal_weights(weights, signal.shape), missing)
    if w is not None:
        seen = (w > 0).any(axis=-2) if channels else w > 0
        _check.room(settings.pieces, settings.min_size, seen.sum(axis=-1, keepdims=True))
    read = signal if w is None else np.where(w > 0, signal, 0)
    _check.finite("y", read, "Repair it, or give missing samples the weight 0 (`missing='drop'` for NaN).")
    places = None if x is None else _check.abscissae(x, batch, n)

    count = int(np.prod(batch))
    rows = (count, signal.shape[-2] if channels else 1, n)
    w_rows = None if w is None else np.ascontiguousarray(w).reshape(rows)
    marks = _constraints.marks(fixed, forbidden, batch, n)
    if marks is not None:
        _constraints.check_room(marks, w_rows, rows, settings.pieces, settings.min_size)
    solver = choose(
        settings.method,
        n,
        settings.degree,
        min_size=settings.min_size,
        channels=channels,
        marked=marks is not None,
    )
    breakpoints, coefficients, values, cost, lower = core.fit(
        np.ascontiguousarray(signal, dtype=np.float64).reshape(rows),
        w_rows,
        settings.pieces,
        settings.degree,
        settings.min_size,
        thread_count(settings.threads),
        progress=progress,
        x=None if places is None or settings.degree == 0 else places.reshape(-1, n),
        marks=marks,
        method=solver,
    )
    if progress is not None:
        progress(1.0)
    return KSpline(
        # the binding's `long long` is an int64 of another name
        breakpoints=breakpoints.view(np.int64).reshape(*batch, settings.pieces + 1),
        coefficients=coefficients.reshape(*signal.shape[:-1], settings.pieces, settings.degree + 1),
        values=values.reshape(signal.shape).astype(signal.dtype, copy=False),
        cost=cost.reshape(batch),
        degree=settings.degree,
        weights=w,
        x=places,
        certificate=Certificate(lower.reshape(batch), cost.reshape(batch)) if solver == "greedy" else None,
    )
