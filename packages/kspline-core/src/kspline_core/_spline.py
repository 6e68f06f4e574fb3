"""The result of a fit: a piecewise polynomial that knows its Jacobian."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from kspline_core._project import project

if TYPE_CHECKING:
    from jaxtyping import Float, Float64, Int64, Real
    from matplotlib.axes import Axes
    from numpy.typing import ArrayLike
    from scipy.interpolate import PPoly


@dataclass(frozen=True, eq=False, repr=False)
class KSpline:
    r"""A discretised k-spline, or a batch of them: `pieces` intervals with a polynomial on each.

    Piece $i$ covers the samples $b_i \le j < b_{i+1}$ and has there the values
    $\sum_m c_{i,m} (j - b_i)^m$.

    Attributes:
        breakpoints: $b$, shape (..., pieces + 1), from 0 to n, increasing.
        coefficients: $c$, shape (..., pieces, degree + 1), lowest power first, in units of `values` per
            sample^m.
        values: the spline at the samples, shape (..., n).
        cost: the (weighted) sum of squared residuals, shape (...).
        degree: of the polynomials.
        weights: of the samples, as given to `fit`; None: all ones.
    """

    breakpoints: Int64[np.ndarray, "*batch ends"]
    coefficients: Float64[np.ndarray, "*batch pieces terms"]
    values: Float[np.ndarray, "*batch n"]
    cost: Float64[np.ndarray, "*batch"]
    degree: int
    weights: Float64[np.ndarray, "*batch n"] | None = None

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
        return project(v, self.breakpoints, self.degree, self.weights, transposed=False, threads=threads)

    def vjp(
        self, v: Real[np.ndarray, "*stack n"] | ArrayLike, *, threads: int | None = None
    ) -> Float[np.ndarray, "*stack n"]:
        r"""Product $J^T v$; the same as `jvp` where there are no weights, since then $J = J^T$."""
        return project(v, self.breakpoints, self.degree, self.weights, transposed=True, threads=threads)

    def to_ppoly(self) -> PPoly:
        """This spline as a `scipy.interpolate.PPoly` over [0, n], equal to `values` at 0, 1, ..., n - 1.

        Raises:
            ImportError: SciPy is not installed.
            ValueError: this is a batch.
        """
        self._require_single("to_ppoly")
        try:
            from scipy.interpolate import PPoly
        except ImportError as error:
            raise ImportError("`to_ppoly` needs SciPy: pip install scipy.") from error
        return PPoly(self.coefficients.T[::-1], self.breakpoints.astype(np.float64))

    def plot(self, y: Real[np.ndarray, " n"] | ArrayLike | None = None, *, ax: Axes | None = None) -> Axes:
        """Draws the pieces, and the signal `y` behind them.

        Args:
            y: the signal that was fitted, shape (n,); None: the spline alone.
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
        if y is not None:
            ax.plot(np.asarray(y), color="C0", linewidth=0.8, alpha=0.7, label="signal")
        for i, (start, stop) in enumerate(zip(self.breakpoints[:-1], self.breakpoints[1:], strict=True)):
            # half a sample on either side, so that a piece of one sample can be seen
            j = np.linspace(start - 0.5, stop - 0.5, 2 if self.degree < 2 else 50)
            piece = np.polynomial.polynomial.polyval(j - start, self.coefficients[i])
            label = f"{self.pieces} pieces of degree {self.degree}" if i == 0 else None
            ax.plot(j, piece, color="C1", linewidth=2, label=label)
        ax.set_xlabel("sample")
        ax.margins(x=0.01)
        return ax

    def _require_single(self, method: str) -> None:
        if self.values.ndim > 1:
            batch = self.values.shape[:-1]
            remedy = f"Pick one: spline[0].{method}()."
            raise ValueError(f"`{method}` works on one signal, and this is a batch {batch}. {remedy}")

    def __getitem__(self, index: int | slice | tuple[int | slice, ...]) -> KSpline:
        if self.values.ndim == 1:
            raise IndexError("this spline is no batch and cannot be indexed.")
        return KSpline(
            breakpoints=self.breakpoints[index],
            coefficients=self.coefficients[index],
            values=self.values[index],
            cost=np.asarray(self.cost[index]),
            degree=self.degree,
            weights=None if self.weights is None else self.weights[index],
        )

    def __repr__(self) -> str:
        *batch, n = self.values.shape
        size = f"batch={tuple(batch)}, " if batch else ""
        total = "total_cost" if batch else "cost"
        return (
            f"KSpline({size}n={n}, pieces={self.pieces}, degree={self.degree}, {total}={self.cost.sum():.6g})"
        )
