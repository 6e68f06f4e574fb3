"""Fitting a B-spline surface to a grid of points."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import torch
from torch import Tensor

from nurbs_diff import _checks
from nurbs_diff._basis import basis_functions
from nurbs_diff._evaluate import evaluate_surface
from nurbs_diff._free_knots import Axis, Callback, free_knots
from nurbs_diff._knots import uniform_knots
from nurbs_diff._least_squares import project_net, pseudo_inverse
from nurbs_diff._modules import NurbsSurface

if TYPE_CHECKING:
    from jaxtyping import Float
    from matplotlib.figure import Figure


@dataclass(frozen=True, eq=False, repr=False)
class SurfaceFit:
    """A B-spline surface fitted to a grid of points, and how well it fits.

    Attributes:
        control_points: the net, shape (n_u, n_v, dim), in the dtype of the points.
        knots_u: knots of the first direction, float64.
        knots_v: knots of the second direction, float64.
        u: parameters of the rows of points, shape (r,), float64.
        v: parameters of the columns of points, shape (s,), float64.
        points: what was fitted, shape (r, s, dim).
        values: the surface at the parameters, shape (r, s, dim).
        losses: mean squared error reached from each start; one entry where the knots were given.
        evaluations: least-squares problems solved.
        is_converged: whether the search for knots met its tolerance; True where the knots were given.
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

    @property
    def residuals(self) -> Tensor:
        """Points minus surface, shape (r, s, dim)."""
        return self.points - self.values

    @property
    def mse(self) -> float:
        """Mean squared residual over points and coordinates alike."""
        return float(self.residuals.double().square().mean())

    @property
    def rms(self) -> float:
        """Square root of `mse`."""
        return self.mse**0.5

    @property
    def max_error(self) -> float:
        """Largest distance of a point from the surface at its parameters."""
        return float(self.residuals.double().norm(dim=-1).max())

    def surface(self, **options: Any) -> NurbsSurface:
        """The fitted surface as a module; `options` as for `NurbsSurface`."""
        return NurbsSurface(self.control_points, self.knots_u, self.knots_v, **options)

    def plot(self, figure: Figure | None = None) -> Figure:
        """Draws the error over the parameters with the knots, and for dim = 3 the surface.

        Args:
            figure: an empty matplotlib figure to draw into; a new one if None.

        Returns:
            The figure.

        Raises:
            ImportError: matplotlib is missing (`pip install "nurbs-diff[plot]"`).
        """
        from nurbs_diff._plot import plot_surface_fit

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
    minimum_gap: float = 1e-6,
    starts: int = 3,
    max_iterations: int = 200,
    callback: Callback | None = None,
) -> SurfaceFit:
    r"""The B-spline surface that is closest to a grid of points in the sense of least squares.

    $$\min \sum_{rs} \| S(u_r, v_s) - P_{rs} \|^2$$

    over the control points, and with `knots="free"` over the interior knots too. For given knots the minimum
    is found directly, by two small decompositions. Free knots are found by variable projection with exact
    knot gradients, from several starts without randomness; the problem is not convex, so the result is the
    best local minimum.

    Args:
        points: P, finite, any dimension.
        degree: of both directions, or a pair.
        size: numbers of control points (n_u, n_v), each above its degree.
        knots: "uniform" (clamped, equal spans), "free", or a pair of knot vectors.
        u: parameters of the rows, increasing; equally spaced over the domain of the knots if None ([0, 1] if
            the knots are not given either).
        v: parameters of the columns, likewise.
        minimum_gap: least distance of free knots, as a fraction of the domain. Knots closer than the
            parameters act as a repeated knot.
        starts: number of starts for free knots.
        max_iterations: of each of the two runs of a start.
        callback: called as `callback(start, starts, best_loss)` after each start.

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
    knot_pair, parameters = _knots_and_parameters(points, degrees, size, knots, (u, v))
    data = points.detach().double()
    losses: tuple[float, ...] = ()
    evaluations, is_converged = 1, True
    if knots == "free":
        _check_free(degrees, size, minimum_gap, starts, max_iterations)
        found = free_knots(
            data,
            (
                Axis(parameters[0], degrees[0], size[0] - degrees[0] - 1),
                Axis(parameters[1], degrees[1], size[1] - degrees[1] - 1),
            ),
            minimum_gap=minimum_gap,
            starts=starts,
            max_iterations=max_iterations,
            callback=callback,
        )
        knot_pair, losses = found.knots, found.losses
        evaluations, is_converged = found.evaluations, found.is_converged

    inverses: list[Tensor] = []
    for name, t, p, n, q in zip("uv", knot_pair, degrees, size, parameters, strict=True):
        inverse, rank = pseudo_inverse(basis_functions(t, p, q))
        if rank < n and knots != "free":
            raise ValueError(
                f"`{name}` determines only {rank} of the {n} control points of its direction: some basis "
                f"function has no parameter to itself (Schoenberg-Whitney). Use fewer control points or more "
                f"parameters."
            )
        inverses.append(inverse)
    control_points = project_net(inverses[0], inverses[1], data).to(points.dtype)
    values = evaluate_surface(control_points, *knot_pair, *parameters)
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
    )


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
