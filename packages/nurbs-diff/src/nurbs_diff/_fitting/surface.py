"""Fitting a spline surface to a grid of points."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import torch
from torch import Tensor

from nurbs_diff import _checks
from nurbs_diff._evaluation.basis import basis_functions
from nurbs_diff._evaluation.grids import evaluate_surface
from nurbs_diff._fitting.free_knots import Axis, Callback, free_knots
from nurbs_diff._fitting.free_weights import free_weights
from nurbs_diff._fitting.least_squares import project_net, project_rational_net, pseudo_inverse
from nurbs_diff._fitting.residuals import Residuals
from nurbs_diff._knots import uniform_knots
from nurbs_diff._modules.modules import NurbsSurface
from nurbs_diff._splines import Surface

if TYPE_CHECKING:
    from jaxtyping import Float
    from matplotlib.figure import Figure


@dataclass(frozen=True, eq=False, repr=False)
class SurfaceFit(Residuals):
    """A spline surface fitted to a grid of points, and how well it fits.

    Attributes:
        control_points: the net, shape (n_u, n_v, dim), in the dtype of the points.
        knots_u: knots of the first direction, float64.
        knots_v: knots of the second direction, float64.
        u: parameters of the rows of points, shape (r,), float64.
        v: parameters of the columns of points, shape (s,), float64.
        points: what was fitted, shape (r, s, dim).
        values: the surface at the parameters, shape (r, s, dim).
        losses: mean squared error reached from each start of the last search; one entry where nothing was
            searched for.
        evaluations: least-squares problems solved.
        is_converged: whether the search for knots or weights met its tolerance; True where there was none.
        weights: shape (n_u, n_v), in the dtype of the points; None for a polynomial surface.
    """

    control_points: Tensor
    knots_u: Tensor
    knots_v: Tensor
    u: Tensor
    v: Tensor
    points: Tensor
    values: Tensor
    losses: tuple[float, ...]
    evaluations: int
    is_converged: bool
    weights: Tensor | None = None

    @property
    def spline(self) -> Surface:
        """The fitted surface as plain tensors."""
        return Surface(self.control_points, self.knots_u, self.knots_v, self.weights)

    def surface(self, **options: Any) -> NurbsSurface:
        """The fitted surface as a module; `options` as for `NurbsSurface`."""
        return NurbsSurface(*self.spline, **options)

    def plot(self, figure: Figure | None = None) -> Figure:
        """Draws the error over the parameters with the knots, and for dim = 3 the surface.

        Args:
            figure: an empty matplotlib figure to draw into; a new one if None.

        Returns:
            The figure.

        Raises:
            ImportError: matplotlib is missing (`pip install "nurbs-diff[plot]"`).
        """
        from nurbs_diff._fitting.plot_surface import plot_surface_fit

        return plot_surface_fit(self, figure)

    def __repr__(self) -> str:
        n_u, n_v, dim = self.control_points.shape
        return (
            f"SurfaceFit({n_u} x {n_v} control points in {dim}-D, {len(self.u)} x {len(self.v)} points, "
            f"rms={self.rms:.4g}, max_error={self.max_error:.4g}, evaluations={self.evaluations}, "
            f"is_converged={self.is_converged})"
        )


def fit_surface(
    points: Float[Tensor, "r s dim"],
    degree: int | tuple[int, int],
    size: tuple[int, int],
    *,
    knots: Literal["uniform", "free"] | tuple[Float[Tensor, "k_u"], Float[Tensor, "k_v"]] = "uniform",
    u: Float[Tensor, "r"] | None = None,
    v: Float[Tensor, "s"] | None = None,
    weights: Literal["free"] | Float[Tensor, "n_u n_v"] | None = None,
    weight_range: float = 100.0,
    minimum_gap: float = 1e-6,
    starts: int = 3,
    max_iterations: int = 200,
    callback: Callback | None = None,
) -> SurfaceFit:
    r"""The spline surface that is closest to a grid of points in the sense of least squares.

    $$\min \sum_{rs} \| S(u_r, v_s) - P_{rs} \|^2$$

    over the control points, and with `knots="free"` over the interior knots, with `weights="free"` over the
    weights. For given knots and weights the minimum is found directly. What is free is found by variable
    projection with exact gradients, from several starts without randomness; the problem is not convex, so the
    result is the best local minimum. Where both are free, the knots are first sought without weights.

    Args:
        points: P, finite, any dimension.
        degree: of both directions, or a pair.
        size: numbers of control points (n_u, n_v), each above its degree.
        knots: "uniform" (clamped, equal spans), "free", or a pair of knot vectors.
        u: parameters of the rows, increasing; equally spaced over the domain of the knots if None ([0, 1] if
            the knots are not given either).
        v: parameters of the columns, likewise.
        weights: None for a polynomial surface, "free", or the weights.
        weight_range: no two free weights differ by more than this factor: 100 allows [0.1, 10].
        minimum_gap: least distance of free knots, as a fraction of the domain. Knots closer than the
            parameters act as a repeated knot.
        starts: number of starts for free knots. A search for weights adds two of its own with free knots, and
            one without.
        max_iterations: of each of the two runs of a start.
        callback: called as `callback(start, starts, best_loss)` after each start; for weights and knots
            together the two searches count anew.

    Returns:
        The surface, its residuals and errors.

    Raises:
        ValueError: points that are not finite, sizes or knots that do not fit, or given knots for which the
            parameters do not determine every control point (Schoenberg-Whitney).
        TypeError: tensors that are not float32 or float64.

    Equivalent to `scipy.interpolate.make_lsq_spline` along each direction for given knots. Piegl & Tiller,
    *The NURBS Book*, section 9.4; DSA section 3, Table 3.

    >>> import torch
    >>> x = torch.linspace(0, 1, 40, dtype=torch.float64)
    >>> X, Y = torch.meshgrid(x, x, indexing="ij")
    >>> fit = fit_surface(torch.stack([X, Y, (X - 0.3).abs() * Y], -1), 1, (3, 2), knots="free")
    >>> round(fit.knots_u[2].item(), 6), fit.rms < 1e-6
    (0.3, True)
    """
    degrees = degree if isinstance(degree, tuple) else (degree, degree)
    _check_pairs(degree=degrees, size=size, knots=(None, None) if isinstance(knots, str) else knots)
    _check_points(points, degrees, size)
    _check_fit_weights(weights, size, weight_range, points)
    knot_pair, parameters = _knots_and_parameters(points, degrees, size, knots, (u, v))
    data = points.detach().double()
    losses: tuple[float, ...] = ()
    evaluations, is_converged = 1, True
    axes = _axes(degrees, size, knot_pair, parameters)
    limits = {"minimum_gap": minimum_gap, "max_iterations": max_iterations, "callback": callback}
    if knots == "free":
        _check_free(degrees, size, minimum_gap, starts, max_iterations)
        found = free_knots(data, axes, starts=starts, **limits)
        knot_pair, losses = found.knots, found.losses
        evaluations, is_converged = found.evaluations, found.is_converged
    else:
        _check_schoenberg_whitney(knot_pair, axes, size)
    if isinstance(weights, str):
        rational = free_weights(
            data, axes, size, knot_pair, are_knots_free=knots == "free", weight_range=weight_range, **limits
        )
        knot_pair, weights, losses = rational.knots, rational.weights, rational.losses
        evaluations, is_converged = evaluations + rational.evaluations, rational.is_converged

    if weights is None:
        inverses = [axis.inverse(t) for axis, t in zip(axes, knot_pair, strict=True)]
        control_points = project_net(inverses[0], inverses[1], data)
    else:
        bases = [
            basis_functions(t, axis.degree, axis.parameters) for axis, t in zip(axes, knot_pair, strict=True)
        ]
        control_points = project_rational_net(bases[0], bases[1], weights.detach().double(), data)
        weights = weights.detach().to(points.dtype)
    control_points = control_points.to(points.dtype)
    values = evaluate_surface(control_points, *knot_pair, *parameters, weights=weights)
    return SurfaceFit(
        control_points=control_points,
        knots_u=knot_pair[0],
        knots_v=knot_pair[1],
        u=parameters[0],
        v=parameters[1],
        points=points.detach(),
        values=values,
        losses=losses or (float((values - points.detach()).double().square().mean()),),
        evaluations=evaluations,
        is_converged=is_converged,
        weights=weights,
    )


def _axes(
    degrees: tuple[int, int],
    size: tuple[int, int],
    knots: tuple[Tensor, Tensor],
    parameters: tuple[Tensor, Tensor],
) -> tuple[Axis, Axis]:
    first, second = (
        Axis(q, p, n - p - 1, (float(t[p]), float(t[-p - 1])))
        for p, n, t, q in zip(degrees, size, knots, parameters, strict=True)
    )
    return first, second


def _check_schoenberg_whitney(
    knots: tuple[Tensor, Tensor], axes: tuple[Axis, Axis], size: tuple[int, int]
) -> None:
    for name, t, axis, n in zip("uv", knots, axes, size, strict=True):
        rank = pseudo_inverse(basis_functions(t, axis.degree, axis.parameters))[1]
        if rank < n:
            raise ValueError(
                f"`{name}` determines only {rank} of the {n} control points of its direction: some basis "
                f"function has no parameter to itself (Schoenberg-Whitney). Use fewer control points or more "
                f"parameters."
            )


def _check_fit_weights(weights: object, size: tuple[int, int], weight_range: float, points: Tensor) -> None:
    if isinstance(weights, str):
        _checks.check_choice("weights", weights, ("free",))
    elif weights is not None:
        _checks.check_floating(points=points, weights=weights)  # pyright: ignore[reportArgumentType] (it asks)
        _checks.check_weights(weights, points.new_empty(*size, 1))  # pyright: ignore[reportArgumentType]
    if not (math.isfinite(weight_range) and weight_range > 1):
        raise ValueError(f"`weight_range` must be finite and exceed 1; got {weight_range!r}.")


def _check_pairs(**pairs: object) -> None:
    for name, pair in pairs.items():
        if not (isinstance(pair, (tuple, list)) and len(pair) == 2):
            raise TypeError(f"`{name}` must be a pair, one for each direction; got {pair!r}.")


def _check_points(points: Tensor, degrees: tuple[int, int], size: tuple[int, int]) -> None:
    _checks.check_floating(points=points)
    if points.ndim != 3:
        raise ValueError(f"`points` must have shape (r, s, dim); got {tuple(points.shape)}.")
    if not bool(torch.isfinite(points).all()):
        place = torch.nonzero(~torch.isfinite(points))[0].tolist()
        raise ValueError(
            f"`points` must be finite; points{place} = {float(points[tuple(place)])}. Drop its row."
        )
    for name, p, n, count in zip(("n_u", "n_v"), degrees, size, points.shape, strict=False):
        _checks.check_degree("degree", p)
        if not p < n <= count:
            raise ValueError(
                f"`size` asks for {name} = {n} control points; it must exceed the degree {p} and not the "
                f"{count} points along that direction."
            )


def _check_free(
    degrees: tuple[int, int], size: tuple[int, int], minimum_gap: float, starts: int, max_iterations: int
) -> None:
    spans = max(n - p for n, p in zip(size, degrees, strict=True))
    if spans == 1:
        raise ValueError(f'`knots="free"` needs interior knots; size {size} with degrees {degrees} has none.')
    if not 0 < minimum_gap < 1 / spans:
        raise ValueError(
            f"`minimum_gap` must be positive and below 1 / {spans} for {spans} spans; got {minimum_gap:g}."
        )
    for name, value in (("starts", starts), ("max_iterations", max_iterations)):
        if value < 1:
            raise ValueError(f"`{name}` must be at least 1; got {value}.")


def _knots_and_parameters(
    points: Tensor,
    degrees: tuple[int, int],
    size: tuple[int, int],
    knots: str | tuple[Tensor, Tensor],
    parameters: tuple[Tensor | None, Tensor | None],
) -> tuple[tuple[Tensor, Tensor], tuple[Tensor, Tensor]]:
    """Fills in what the caller left open, in float64, and checks what they gave."""
    if isinstance(knots, str):
        _checks.check_choice("knots", knots, ("uniform", "free"))
    pairs: list[tuple[Tensor, Tensor]] = []
    for axis, name in enumerate("uv"):
        p, n, count, q = degrees[axis], size[axis], points.shape[axis], parameters[axis]
        if q is not None:
            _checks.check_floating(points=points, **{name: q})
            if q.shape != (count,) or not bool((q.diff() > 0).all()):
                raise ValueError(
                    f"`{name}` must hold {count} increasing parameters, one for each point along it; got "
                    f"shape {tuple(q.shape)}."
                )
        if isinstance(knots, str):
            domain = (0.0, 1.0) if q is None else (float(q[0]), float(q[-1]))
            t = uniform_knots(n, p, domain=domain, device=points.device)
        else:
            t = knots[axis].detach()
            _checks.check_floating(points=points, **{f"knots[{axis}]": t})
            if t.shape != (n + p + 1,):
                raise ValueError(
                    f"`knots[{axis}]` must hold n + degree + 1 = {n + p + 1} knots; got shape "
                    f"{tuple(t.shape)}."
                )
            t = t.double()
            _checks.check_knots(f"knots[{axis}]", t, p)
        if q is None:
            q = torch.linspace(
                float(t[p]), float(t[-p - 1]), count, dtype=torch.float64, device=points.device
            )
        pairs.append((t, q.detach().double()))
    return (pairs[0][0], pairs[1][0]), (pairs[0][1], pairs[1][1])
