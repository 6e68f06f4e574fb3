"""As many pieces as a penalty allows, and all partitions that a range of penalties leads to."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, NamedTuple

import numpy as np

from kspline_core import _check, _signal
from kspline_core._method import choose_path
from kspline_core._native import core

if TYPE_CHECKING:
    from collections.abc import Callable

    from jaxtyping import Float64, Real
    from numpy.typing import ArrayLike

    from kspline_core._spline import KSpline


def fit_penalized(
    y: Real[np.ndarray, " n"] | ArrayLike,
    penalty: float,
    degree: int = 0,
    *,
    x: Real[np.ndarray, " n"] | ArrayLike | None = None,
    weights: Real[np.ndarray, " n"] | ArrayLike | None = None,
    missing: Literal["error", "drop"] = "error",
    min_size: int | None = None,
    method: Literal["auto", "dense", "functional"] = "auto",
    progress: Callable[[float], object] | None = None,
) -> KSpline:
    r"""The spline that is best when every breakpoint has a price.

    $$\min_k \min_{h \text{ of } k \text{ pieces}} \sum_j w_j (y_j - h_j)^2 + \lambda (k - 1)$$

    The penalty is counted once for each change, as `penalty` of skchange and `pen` of ruptures are. The
    result is `fit(y, k)` for the k that comes out.

    Args:
        y: one signal of n samples and one channel, shape (n,), float32, float64 or integers. Signals of a
            batch have different numbers of pieces: call it for each.
        penalty: $\lambda$, positive, in units of `y` squared (times those of `weights`); `numpy.inf` gives
            one piece. For noise of variance s^2, 2 s^2 log(n) is the penalty of BIC for degree 0.
        degree: of the polynomials, 0 to 3.
        x: as for `fit`, shape (n,).
        weights: as for `fit`, shape (n,).
        missing: as for `fit`.
        min_size: as for `fit`.
        method: `"functional"`: degree 0 and `min_size` 1, by functional pruning (FPOP; Maidstone et al.,
            2017), in O(n log n) time for most signals. `"dense"`: dynamic programming with inequality
            pruning (PELT; Killick et al., 2012) for every degree, between O(n) time where pieces are short
            and O(n^2). Both are exact and take O(n) memory. `"auto"`: functional where it applies.
        progress: as for `fit`.

    Raises:
        TypeError: as for `fit`.
        ValueError: as for `fit`; `penalty` is not positive; `y` is no single signal.

    Example:
        >>> import numpy as np
        >>> from kspline_core import fit_penalized
        >>> fit_penalized(np.array([1.0, 1.0, 5.0, 5.0, 2.0, 2.0]), penalty=8.5).breakpoints
        array([0, 2, 4, 6])

    Equivalent to `skchange.detectors.FPOP(penalty=penalty)` and, for every degree's own cost, to
    `ruptures.Pelt(jump=1).predict(pen=penalty)`.
    """
    signal = _signal.signal(y, weights, x, missing)
    spline = _checked(signal, degree, min_size, method, progress).at(_penalty("penalty", penalty))
    if progress is not None:
        progress(1.0)
    return spline


@dataclass(frozen=True, eq=False, repr=False)
class PenaltyPath:
    r"""All partitions that are best for some penalty in a range.

    Attributes:
        splines: from many pieces to few. `splines[i]` is best from `penalties[i]` to `penalties[i + 1]`.
        penalties: ends of those ranges, shape (len(splines) + 1,), increasing, from `low` to `high`.
    """

    splines: tuple[KSpline, ...]
    penalties: Float64[np.ndarray, " ends"]

    @property
    def pieces(self) -> list[int]:
        """Number of pieces of each spline."""
        return [spline.pieces for spline in self.splines]

    def __repr__(self) -> str:
        low, high = self.penalties[0], self.penalties[-1]
        return f"PenaltyPath(low={low:g}, high={high:g}, pieces={self.pieces})"


def penalty_path(
    y: Real[np.ndarray, " n"] | ArrayLike,
    low: float,
    high: float,
    degree: int = 0,
    *,
    x: Real[np.ndarray, " n"] | ArrayLike | None = None,
    weights: Real[np.ndarray, " n"] | ArrayLike | None = None,
    missing: Literal["error", "drop"] = "error",
    min_size: int | None = None,
    method: Literal["auto", "dense", "functional"] = "auto",
    progress: Callable[[float], object] | None = None,
) -> PenaltyPath:
    r"""Every partition that is best for some penalty between `low` and `high`.

    CROPS (Haynes, Eckley & Fearnhead, "Computationally efficient changepoint detection for a range of
    penalties", 2017): two partitions of $k_1 > k_2$ pieces cost the same at the penalty
    $(C_{k_2} - C_{k_1}) / (k_1 - k_2)$; if a fit there finds nothing better, none lies between them. They
    are the corners of the lower convex hull of $C_k$. Takes about two penalised fits for each result.

    Args:
        y: as for `fit_penalized`.
        low: least penalty, positive.
        high: greatest penalty, finite, more than `low`.
        degree: as for `fit_penalized`.
        x: as for `fit_penalized`.
        weights: as for `fit_penalized`.
        missing: as for `fit_penalized`.
        min_size: as for `fit_penalized`.
        method: as for `fit_penalized`.
        progress: called in each of the penalised fits, with the fraction of that one.

    Raises:
        TypeError: as for `fit_penalized`.
        ValueError: as for `fit_penalized`; `low` is not below `high`; the costs leave the range of float64.

    Example:
        >>> import numpy as np
        >>> from kspline_core import penalty_path
        >>> path = penalty_path(np.array([1.0, 1.0, 5.0, 5.0, 2.0, 2.0]), 1.0, 100.0)
        >>> path.pieces
        [3, 1]
        >>> path.penalties.round(2)
        array([  1.  ,   8.67, 100.  ])
    """
    problem = _checked(_signal.signal(y, weights, x, missing), degree, min_size, method, progress)
    lowest, highest = _penalty("low", low), _penalty("high", high)
    if not lowest < highest < np.inf:
        raise ValueError(f"`high` must be finite and more than `low`, {lowest:g}; got {highest:g}.")
    found = [problem.at(lowest)]
    last = problem.at(highest)
    _signal.refuse_infinite(last.cost)
    gaps = [last] if last.pieces < found[0].pieces else []
    penalties = [lowest]
    while gaps:  # between found[-1] and gaps[-1]
        many, few = found[-1], gaps[-1]
        crossing = float(few.cost - many.cost) / (many.pieces - few.pieces)
        # outside only by rounding
        middle = problem.at(min(max(crossing, lowest), highest)) if many.pieces - few.pieces > 1 else few
        if few.pieces < middle.pieces < many.pieces and _below(middle, many, few, crossing):
            gaps.append(middle)
        else:
            found.append(gaps.pop())
            penalties.append(crossing)
    return PenaltyPath(tuple(found), np.array([*penalties, highest]))


def _below(middle: KSpline, many: KSpline, few: KSpline, penalty: float) -> bool:
    """Whether `middle` is better at the penalty where the others cost the same, by more than rounding."""
    level = float(many.cost) + penalty * many.pieces
    return float(middle.cost) + penalty * middle.pieces < level - 1e-12 * (abs(level) + float(few.cost))


class _Problem(NamedTuple):
    """What the fits of one call have in common."""

    signal: _signal.Signal
    degree: int
    min_size: int
    method: str
    progress: Callable[[float], object] | None

    def at(self, penalty: float) -> KSpline:
        """The best spline under a penalty."""
        breakpoints = core.fit_penalized(
            *self.signal.for_core(self.degree),
            penalty,
            self.degree,
            self.min_size,
            self.method,
            progress=self.progress,
        )
        return self.signal.on_pieces(breakpoints.view(np.int64), self.degree)


def _checked(
    signal: _signal.Signal,
    degree: int,
    min_size: int | None,
    method: str,
    progress: Callable[[float], object] | None,
) -> _Problem:
    n = signal.y.size
    settings = _check.settings((n,), 1, degree, min_size, method, None)
    _check.room(1, settings.min_size, np.array(signal.present))
    _check.callback("progress", progress)
    # functional pruning wins from the first sample on: the other method is not vectorised
    solver = choose_path(settings.method, n, settings.degree, min_size=settings.min_size, dense_up_to=0)
    return _Problem(signal, settings.degree, settings.min_size, solver, progress)


def _penalty(name: str, value: float) -> float:
    """Returns `value` as a positive float."""
    try:
        number = float(value)
    except (TypeError, ValueError):
        raise TypeError(f"`{name}` must be a number; got {value!r}.") from None
    if not number > 0:
        raise ValueError(
            f"`{name}` must be positive; got {number:g}. Without one every sample is a piece of its own."
        )
    return number
