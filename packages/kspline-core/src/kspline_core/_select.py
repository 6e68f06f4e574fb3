"""How many pieces: criteria over a path of best splines."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

from kspline_core import _signal
from kspline_core._path import KSplinePath, fit_path

if TYPE_CHECKING:
    from collections.abc import Callable

    from jaxtyping import Float64, Real
    from matplotlib.axes import Axes
    from numpy.typing import ArrayLike

    from kspline_core._spline import KSpline

CRITERIA = ("bic", "mbic", "slope")
FEWEST_FOR_SLOPE = 8
EPS = float(np.finfo(np.float64).eps)


@dataclass(frozen=True, eq=False, repr=False)
class Selection:
    """A chosen number of pieces, and what the choice rests on.

    Attributes:
        pieces: the number of pieces with the least value; of equal ones the smallest.
        values: of the criterion for 1, 2, ..., max_pieces pieces, shape (max_pieces,); the least is best.
        criterion: its name.
        path: the splines it chose from.
    """

    pieces: int
    values: Float64[np.ndarray, " max_pieces"]
    criterion: str
    path: KSplinePath

    @property
    def spline(self) -> KSpline:
        """The spline chosen."""
        return self.path[self.pieces]

    def plot(self, *, ax: Axes | None = None) -> Axes:
        """Draws the criterion and, dashed, the cost over the number of pieces, and marks the choice.

        Args:
            ax: axes to draw into; None: those of a new figure.

        Raises:
            ImportError: matplotlib is not installed.
        """
        if ax is None:
            try:
                from matplotlib import pyplot
            except ImportError as error:
                raise ImportError(
                    'plotting needs matplotlib, an optional part: pip install "kspline-core[plot]".'
                ) from error
            ax = pyplot.figure().add_subplot()
        pieces = np.arange(1, self.values.size + 1)
        ax.plot(pieces, self.values, color="C0", marker=".", label=f"{self.criterion} (left)")
        ax.axvline(self.pieces, color="C1", label=f"{self.pieces} pieces: the least")
        ax.set_xlabel("pieces")
        ax.set_ylabel(self.criterion)
        right = ax.twinx()
        right.plot(pieces, self.path.costs, color="C7", linestyle="--")
        right.set_ylabel("cost")
        ax.plot([], [], color="C7", linestyle="--", label="cost (right)")  # one legend for both scales
        ax.legend(loc="upper center")  # "best" would not see the other scale's line
        return ax

    def __repr__(self) -> str:
        chosen = f"pieces={self.pieces}, criterion={self.criterion!r}"
        return f"Selection({chosen}, max_pieces={self.path.max_pieces})"


def select(
    y: KSplinePath | Real[np.ndarray, " n"] | ArrayLike,
    criterion: Literal["bic", "mbic", "slope"] = "bic",
    *,
    max_pieces: int | None = None,
    degree: int | None = None,
    x: Real[np.ndarray, " n"] | ArrayLike | None = None,
    weights: Real[np.ndarray, " n"] | ArrayLike | None = None,
    missing: Literal["error", "drop"] | None = None,
    min_size: int | None = None,
    progress: Callable[[float], object] | None = None,
) -> Selection:
    r"""Chooses the number of pieces of a signal in white noise of unknown variance.

    With $C_k$ the least cost in k pieces of degree d, n samples of positive weight, and least value chosen:

    - `"bic"`: $n \log(C_k / n) + (k (d + 1) + k - 1) \log n$: k polynomials and k - 1 breakpoints (Yao,
      1988).
    - `"mbic"`: -2 times the logarithm of the Bayes factor of Zhang & Siegmund, "A modified Bayes information
      criterion" (2007), eq. 2, degree 0 only. With m = k - 1, $n_i$ samples in piece i, and costs in units of
      $C_K / (n - K)$, the variance around the longest path (theirs depends on the unit of the signal),
      $-(n - m + 1) \log(C_1 / C_k) - 2 \log\Gamma(\tfrac{n - m + 1}{2}) + 2 \log\Gamma(\tfrac{n + 1}{2})
      - m \log C_1 + \sum_i \log n_i + (2 m - 1) \log n$. Short pieces cost more than long ones.
    - `"slope"`: $C_k + 2 \kappa s_k$, the slope heuristic (Birgé & Massart, 2007; Arlot, 2019) with the
      shape of Lebarbier (2005), $s_k = k (2 \log(n / k) + 4 + (d + 1))$. $-\kappa$ is the slope of $C_k$
      over $s_k$, by least squares over the upper half of the path, where further pieces fit noise alone;
      so `max_pieces` must be well past the true number.

    Costs below rounding (n times the square of 32 eps of half the signal's range) count as equal.

    Args:
        y: a path from `fit_path`, or one signal, shape (n,), for which the path is computed here.
        criterion: `"bic"`, `"mbic"` or `"slope"`.
        max_pieces: for a signal, the most pieces looked at; None: 50, or half the samples that can be had.
        degree: for a signal, as for `fit_path`; None: 0.
        x: for a signal, as for `fit_path`.
        weights: for a signal, as for `fit_path`.
        missing: for a signal, as for `fit_path`; None: `"error"`.
        min_size: for a signal, as for `fit_path`.
        progress: for a signal, as for `fit_path`.

    Returns:
        The choice, with the value of the criterion for each number of pieces.

    Raises:
        TypeError: as for `fit_path`.
        ValueError: as for `fit_path`; there is no such criterion; settings of the fit are given with a path;
            `"mbic"` with a degree above 0; `"slope"` with fewer than 8 pieces on the path; the costs leave
            the range of float64.

    Example:
        >>> import numpy as np
        >>> from kspline_core import select
        >>> y = np.repeat([0.0, 4.0, 1.0], 40) + np.random.default_rng(0).normal(0, 0.5, 120)
        >>> select(y, "mbic").pieces
        3
    """
    if criterion not in CRITERIA:
        raise ValueError(f"`criterion` must be one of {', '.join(map(repr, CRITERIA))}; got {criterion!r}.")
    if isinstance(y, KSplinePath):
        for name, value in (
            ("max_pieces", max_pieces),
            ("degree", degree),
            ("x", x),
            ("weights", weights),
            ("missing", missing),
            ("min_size", min_size),
            ("progress", progress),
        ):
            if value is not None:
                raise ValueError(f"`{name}` belongs to the path that was given. Pass it to `fit_path`.")
        path = y
    else:
        if max_pieces is None:
            present = _signal.signal(y, weights, x, missing or "error").present
            max_pieces = max(1, min(50, present // (2 * max(1, min_size or 1))))
        path = fit_path(
            y,
            max_pieces,
            degree or 0,
            x=x,
            weights=weights,
            missing=missing or "error",
            min_size=min_size,
            progress=progress,
        )
    values = {"bic": _bic, "mbic": _mbic, "slope": _slope}[criterion](path, _costs(path))
    return Selection(int(np.argmin(values)) + 1, values, criterion, path)


def _costs(path: KSplinePath) -> Float64[np.ndarray, " max_pieces"]:
    """The costs, none below what rounding leaves of an exact fit."""
    _signal.refuse_infinite(path.costs)
    y, weights = path.signal.rows, path.signal.weights
    present = y if weights is None else y[weights > 0]
    heaviest = 1.0 if weights is None else float(weights.max())
    half_range = float(present.max() / 2 - present.min() / 2)
    floor = heaviest * path.signal.present * (32 * EPS * half_range) ** 2
    return np.maximum(path.costs, max(floor, float(np.finfo(np.float64).tiny)))


def _bic(path: KSplinePath, costs: Float64[np.ndarray, " max_pieces"]) -> Float64[np.ndarray, " max_pieces"]:
    n, k = path.signal.present, np.arange(1, costs.size + 1)
    return n * np.log(costs / n) + (k * (path.degree + 1) + k - 1) * math.log(n)


def _mbic(path: KSplinePath, costs: Float64[np.ndarray, " max_pieces"]) -> Float64[np.ndarray, " max_pieces"]:
    if path.degree > 0:
        raise ValueError(
            f"criterion='mbic' is derived for degree 0; the path has degree {path.degree}. Use 'bic' "
            "or 'slope'."
        )
    n, weights = path.signal.present, path.signal.weights
    counts = np.arange(path.signal.y.size + 1) if weights is None else np.r_[0, np.cumsum(weights > 0)]
    variance = costs[-1] / max(1, n - costs.size)
    values = np.empty(costs.size)
    for i, cost in enumerate(costs):  # i breakpoints
        lengths = np.diff(counts[path.breakpoints(i + 1)])
        values[i] = (
            -(n - i + 1) * math.log(costs[0] / cost)
            - 2 * (math.lgamma((n - i + 1) / 2) - math.lgamma((n + 1) / 2))
            - i * math.log(costs[0] / variance)
            + float(np.log(lengths).sum())
            + (2 * i - 1) * math.log(n)
        )
    return values


def _slope(
    path: KSplinePath, costs: Float64[np.ndarray, " max_pieces"]
) -> Float64[np.ndarray, " max_pieces"]:
    if costs.size < FEWEST_FOR_SLOPE:
        raise ValueError(
            f"criterion='slope' needs a path of at least {FEWEST_FOR_SLOPE} pieces to see a slope; "
            f"max_pieces is {costs.size}. Raise it."
        )
    k = np.arange(1, costs.size + 1)
    shape = k * (2 * np.log(path.signal.present / k) + 4 + (path.degree + 1))
    upper = slice(costs.size // 2, None)
    x, c = shape[upper] - shape[upper].mean(), costs[upper]
    kappa = max(0.0, -float(x @ (c - c.mean())) / float(x @ x))
    return costs + 2 * kappa * shape
