"""The result of a fit: a piecewise polynomial that knows its Jacobian."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from kspline_core._project import project

if TYPE_CHECKING:
    from jaxtyping import Float, Float64, Int64, Real
    from matplotlib.axes import Axes
    from numpy.typing import ArrayLike
    from scipy.interpolate import PPoly


@dataclass(frozen=True, eq=False)
class Certificate:
    """Bounds of the least cost, between which that of the best k-spline lies.

    Attributes:
        lower: no partition into that many pieces costs less, shape (...). A Lagrangian bound in which
            samples near the cuts may cost nothing; it allows for rounding, by 1e-9 of the sums.
        upper: the cost of this spline, shape (...).
    """

    lower: Float64[np.ndarray, "*batch"]
    upper: Float64[np.ndarray, "*batch"]

    @property
    def gap(self) -> Float64[np.ndarray, "*batch"]:
        """By how much this spline may cost more than the best, in units of the cost."""
        return np.asarray(self.upper - self.lower)


@dataclass(frozen=True, eq=False, repr=False)
class KSpline:
    r"""A discretised k-spline, or a batch of them: `pieces` intervals with a polynomial on each.

    Piece $i$ covers the samples $b_i \le j < b_{i+1}$ and has there the values
    $\sum_m c_{i,m} (x_j - x_{b_i})^m$, where $x_j = j$ if no abscissae were given.

    Attributes:
        breakpoints: $b$, shape (..., pieces + 1), from 0 to n, increasing.
        coefficients: $c$, shape (..., pieces, degree + 1), or (..., channels, pieces, degree + 1), lowest
            power first, in units of `values` per unit of x to the power m.
        values: the spline at the samples, shape (..., n) or (..., channels, n).
        cost: the (weighted) sum of squared residuals over all channels, shape (...).
        degree: of the polynomials.
        weights: of the samples, shape of `values`, with 0 where one was missing; None: all ones.
        x: the abscissae, shape (n,) or (..., n); None: 0, 1, ..., n - 1.
        certificate: how far from the best `method="greedy"` may be; None: this is the best.
    """

    breakpoints: Int64[np.ndarray, "*batch ends"]
    coefficients: Float64[np.ndarray, "*values pieces terms"]
    values: Float[np.ndarray, "*values n"]
    cost: Float64[np.ndarray, "*batch"]
    degree: int
    weights: Float64[np.ndarray, "*values n"] | None = None
    x: Float64[np.ndarray, "*#batch n"] | None = None
    certificate: Certificate | None = None

    @property
    def channels(self) -> int | None:
        """Number of channels that share the breakpoints; None: there is no such axis."""
        return self.values.shape[-2] if self.values.ndim > self.breakpoints.ndim else None

    @property
    def pieces(self) -> int:
        """Number of intervals k."""
        return self.breakpoints.shape[-1] - 1

    def jvp(
        self, v: Real[np.ndarray, "*stack n"] | ArrayLike, *, threads: int | None = None
    ) -> Float[np.ndarray, "*stack n"]:
        r"""Product $J v$ with the weak Jacobian of `values` with respect to the signal.

        $J$ is block diagonal, one block per piece (Cho et al., 2021, Theorem 1): the orthogonal projector
        onto the polynomials on that piece, $B (B^T W B)^{-1} B^T W$. It is exact as long as no breakpoint
        moves. Costs O(n (degree + 1)).

        Args:
            v: shape of `values`, or a stack of such with further leading dimensions; `jvp(numpy.eye(n))`
                gives $J^T$ row by row.
            threads: as for `fit`.

        Raises:
            TypeError: `v` is not real.
            ValueError: `v` does not end in the shape of `values`.

        Example:
            >>> import numpy as np
            >>> from kspline_core import fit
            >>> fit(np.array([0.0, 0.0, 3.0, 4.0]), pieces=2).jvp(np.array([1.0, 0.0, 0.0, 1.0]))
            array([0.5, 0.5, 0.5, 0.5])
        """
        return self._project(v, transposed=False, threads=threads)

    def vjp(
        self, v: Real[np.ndarray, "*stack n"] | ArrayLike, *, threads: int | None = None
    ) -> Float[np.ndarray, "*stack n"]:
        r"""Product $J^T v$; the same as `jvp` where there are no weights, since then $J = J^T$."""
        return self._project(v, transposed=True, threads=threads)

    def to_ppoly(self) -> PPoly:
        """This spline as a `scipy.interpolate.PPoly`, equal to `values` at the samples.

        It reaches from the first sample to one spacing behind the last. With channels it returns them along
        a last axis: `values` is `to_ppoly()(x).T`.

        Raises:
            ImportError: SciPy is not installed.
            ValueError: this is a batch.
        """
        self._require_single("to_ppoly")
        try:
            from scipy.interpolate import PPoly
        except ImportError as error:
            raise ImportError("`to_ppoly` needs SciPy: pip install scipy.") from error
        x = self._places()
        spacing = x[-1] - x[-2] if x.size > 1 else 1.0
        coefficients = np.moveaxis(self.coefficients, (-1, -2), (0, 1))
        return PPoly(coefficients[::-1], np.append(x, x[-1] + spacing)[self.breakpoints])

    def plot(
        self, y: Real[np.ndarray, "*channels n"] | ArrayLike | None = None, *, ax: Axes | None = None
    ) -> Axes:
        """Draws the pieces, and the signal `y` behind them; channels one over the other.

        Args:
            y: the signal that was fitted, shape (n,) or (channels, n); None: the spline alone.
            ax: axes to draw into; None: those of a new figure.

        Raises:
            ImportError: matplotlib is not installed.
            ValueError: this is a batch.
        """
        self._require_single("plot")
        if ax is None:
            try:
                from matplotlib import pyplot
            except ImportError as error:
                raise ImportError(
                    'plotting needs matplotlib, an optional part: pip install "kspline-core[plot]".'
                ) from error
            ax = pyplot.figure().add_subplot()
        x = self._places()
        if y is not None:
            signal = np.asarray(y)
            lines = ax.plot(x, signal.T, color="C0", linewidth=0.8, alpha=0.7)
            lines[0].set_label("signal")
        # half a spacing on either side, so that a piece of one sample can be seen
        half = np.diff(x) / 2 if x.size > 1 else np.array([0.5])
        edges = np.concatenate([[x[0] - half[0]], x[1:] - half[: x.size - 1], [x[-1] + half[-1]]])
        label = f"{self.pieces} pieces of degree {self.degree}"
        for channel in self.coefficients.reshape(-1, self.pieces, self.degree + 1):
            ends = zip(self.breakpoints[:-1], self.breakpoints[1:], strict=True)
            for coefficients, (start, stop) in zip(channel, ends, strict=True):
                place = np.linspace(edges[start], edges[stop], 2 if self.degree < 2 else 50)
                piece = np.polynomial.polynomial.polyval(place - x[start], coefficients)
                ax.plot(place, piece, color="C1", linewidth=2, label=label)
                label = None
        ax.set_xlabel("sample" if self.x is None else "x")
        ax.margins(x=0.01)
        return ax

    def _places(self) -> Float64[np.ndarray, " n"]:
        return np.arange(self.values.shape[-1], dtype=np.float64) if self.x is None else self.x

    def _project(
        self, v: ArrayLike, *, transposed: bool, threads: int | None
    ) -> np.ndarray[Any, np.dtype[Any]]:
        return project(
            v,
            self.breakpoints,
            self.degree,
            self.weights,
            transposed=transposed,
            threads=threads,
            x=self.x,
            channels=self.channels,
        )

    def _require_single(self, method: str) -> None:
        if self.breakpoints.ndim > 1:
            batch = self.breakpoints.shape[:-1]
            remedy = f"Pick one: spline[0].{method}()."
            raise ValueError(f"`{method}` works on one signal, and this is a batch {batch}. {remedy}")

    def __getitem__(self, index: int | slice | tuple[int | slice, ...]) -> KSpline:
        batch = self.breakpoints.shape[:-1]
        if not batch:
            raise IndexError("this spline is no batch and cannot be indexed.")
        if isinstance(index, tuple) and len(index) > len(batch):
            raise IndexError(f"too many indices: the batch has shape {batch}, and the index is {index}.")
        return KSpline(
            breakpoints=self.breakpoints[index],
            coefficients=self.coefficients[index],
            values=self.values[index],
            cost=np.asarray(self.cost[index]),
            degree=self.degree,
            weights=None if self.weights is None else self.weights[index],
            x=self.x if self.x is None or self.x.ndim == 1 else self.x[index],
            certificate=self.certificate
            and Certificate(
                np.asarray(self.certificate.lower[index]), np.asarray(self.certificate.upper[index])
            ),
        )

    def __repr__(self) -> str:
        batch = self.breakpoints.shape[:-1]
        size = f"batch={batch}, " if batch else ""
        size += f"channels={self.channels}, " if self.channels is not None else ""
        total = "total_cost" if batch else "cost"
        return (
            f"KSpline({size}n={self.values.shape[-1]}, pieces={self.pieces}, degree={self.degree}, "
            f"{total}={self.cost.sum():.6g})"
        )
