"""Fitting a spline curve to points in order."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import torch
from torch import Tensor

from nurbs_diff import _checks
from nurbs_diff._fitting.residuals import Residuals
from nurbs_diff._fitting.surface import fit_surface
from nurbs_diff._modules.modules import NurbsCurve
from nurbs_diff._splines import Curve

if TYPE_CHECKING:
    from jaxtyping import Float
    from matplotlib.figure import Figure

    from nurbs_diff._fitting.free_knots import Callback

_EXPONENTS = {"chord": 1.0, "centripetal": 0.5, "uniform": 0.0}


@dataclass(frozen=True, eq=False, repr=False)
class CurveFit(Residuals):
    """A spline curve fitted to points in order, and how well it fits.

    Attributes:
        control_points: shape (n, dim), in the dtype of the points.
        knots: float64.
        u: parameters of the points, shape (q,), float64.
        points: what was fitted, shape (q, dim).
        values: the curve at the parameters, shape (q, dim).
        losses: mean squared error reached from each start of the last search.
        evaluations: least-squares problems solved.
        is_converged: whether the search for knots or weights met its tolerance; True where there was none.
        weights: shape (n,); None for a polynomial curve.
    """

    control_points: Tensor
    knots: Tensor
    u: Tensor
    points: Tensor
    values: Tensor
    losses: tuple[float, ...]
    evaluations: int
    is_converged: bool
    weights: Tensor | None = None

    @property
    def spline(self) -> Curve:
        """The fitted curve as plain tensors."""
        return Curve(self.control_points, self.knots, self.weights)

    def curve(self, **options: Any) -> NurbsCurve:
        """The fitted curve as a module; `options` as for `NurbsCurve`."""
        return NurbsCurve(*self.spline, **options)

    def plot(self, figure: Figure | None = None) -> Figure:
        """Draws points, curve, control polygon and knots (dim = 2 or 3), and the residuals.

        Args:
            figure: an empty matplotlib figure to draw into; a new one if None.

        Returns:
            The figure.

        Raises:
            ImportError: matplotlib is missing (`pip install "nurbs-diff[plot]"`).
        """
        from nurbs_diff._fitting.plot_cloud import plot_curve_fit

        return plot_curve_fit(self, figure)

    def __repr__(self) -> str:
        n, dim = self.control_points.shape
        return (
            f"CurveFit({n} control points in {dim}-D, {len(self.u)} points, rms={self.rms:.4g}, "
            f"max_error={self.max_error:.4g}, evaluations={self.evaluations}, "
            f"is_converged={self.is_converged})"
        )


def fit_curve(
    points: Float[Tensor, "q dim"],
    degree: int,
    size: int,
    *,
    knots: Literal["uniform", "free"] | Float[Tensor, "k"] = "uniform",
    u: Literal["chord", "centripetal", "uniform"] | Float[Tensor, "q"] = "chord",
    weights: Literal["free"] | Float[Tensor, "n"] | None = None,
    weight_range: float = 100.0,
    minimum_gap: float = 1e-6,
    starts: int = 3,
    max_iterations: int = 200,
    callback: Callback | None = None,
) -> CurveFit:
    r"""The spline curve that is closest to points in order, in the sense of least squares.

    $$\min \sum_k \| C(u_k) - P_k \|^2$$

    over the control points, and with `knots="free"`, `weights="free"` over those too; see `fit_surface`, of
    which this is the version with one direction.

    Args:
        points: P, in order along the curve, finite, any dimension.
        degree: p.
        size: number of control points, above the degree.
        knots: "uniform" (clamped, equal spans), "free", or a knot vector.
        u: increasing parameters, or how to get them over the domain of the knots ([0, 1] if these are not
            given): steps in proportion to the distance of neighbours ("chord"), to its square root
            ("centripetal"; The NURBS Book, eq. 9.6), or equal ("uniform").
        weights: None for a polynomial curve, "free", or the weights.
        weight_range: no two free weights differ by more than this factor.
        minimum_gap: least distance of free knots, as a fraction of the domain.
        starts: number of starts for free knots.
        max_iterations: of each of the two runs of a start.
        callback: called as `callback(start, starts, best_loss)` after each start.

    Returns:
        The curve, its residuals and errors.

    Raises:
        ValueError: points that are not finite or, for "chord" and "centripetal", coincide with their
            neighbours; sizes, knots or parameters that do not fit.
        TypeError: tensors that are not float32 or float64.

    Equivalent to `scipy.interpolate.make_lsq_spline` for given knots and no weights.

    >>> import torch
    >>> angle = torch.linspace(0, 1.5, 50, dtype=torch.float64)
    >>> fit_curve(torch.stack([angle.cos(), angle.sin()], -1), 3, 6).rms < 1e-4
    True
    """
    _checks.check_floating(points=points)
    if points.ndim != 2:
        raise ValueError(f"`points` must have shape (q, dim); got {tuple(points.shape)}.")
    flat = torch.tensor(
        [0.0, 1.0], dtype=torch.float64, device=points.device
    )  # a second direction of degree 0
    if isinstance(u, str):
        _checks.check_choice("u", u, tuple(_EXPONENTS))
        u = _parameters(points, _EXPONENTS[u])
        if not isinstance(knots, str):
            _checks.check_floating(points=points, knots=knots)
            low, high = knots[degree].double(), knots[-degree - 1].double()
            u = torch.lerp(low, high, u).clamp(low, high)
    fit = fit_surface(
        points.unsqueeze(1),
        (degree, 0),
        (size, 1),
        knots=knots if isinstance(knots, str) else (knots, flat),
        u=u,
        weights=weights if weights is None or isinstance(weights, str) else weights.unsqueeze(-1),
        weight_range=weight_range,
        minimum_gap=minimum_gap,
        starts=starts,
        max_iterations=max_iterations,
        callback=callback,
    )
    return CurveFit(
        control_points=fit.control_points.squeeze(1),
        knots=fit.knots_u,
        u=fit.u,
        points=fit.points.squeeze(1),
        values=fit.values.squeeze(1),
        losses=fit.losses,
        evaluations=fit.evaluations,
        is_converged=fit.is_converged,
        weights=None if fit.weights is None else fit.weights.squeeze(1),
    )


def _parameters(points: Tensor, exponent: float) -> Tensor:
    """From 0 to 1, in steps proportional to a power of the distance of neighbours."""
    distances = points.detach().double().diff(dim=0).norm(dim=-1)
    if exponent > 0 and not bool((distances > 0).all()):
        k = int(torch.nonzero(~(distances > 0))[0])
        raise ValueError(
            f"`points` must differ from their neighbours or be finite; points[{k}] and points[{k + 1}] are "
            f'{float(distances[k]):g} apart. Drop one, or use `u="uniform"`.'
        )
    steps = torch.cat([distances.new_zeros(1), distances.pow(exponent).cumsum(0)])
    return steps / steps[-1]
