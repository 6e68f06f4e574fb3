"""Fitting a B-spline surface to scattered points."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import scipy.sparse
import torch
from scipy.sparse.linalg import SuperLU, splu
from torch import Tensor

from nurbs_diff import _checks
from nurbs_diff._fitting.cloud_parameters import corrected, nearest_on_grid, plane_parameters
from nurbs_diff._fitting.residuals import Residuals
from nurbs_diff._fitting.smoothness import PENALTIES, Penalty, bending_matrix
from nurbs_diff._fitting.sparse_basis import Axis, TensorProduct
from nurbs_diff._knots import uniform_knots
from nurbs_diff._modules.modules import NurbsSurface
from nurbs_diff._splines import Surface

if TYPE_CHECKING:
    from jaxtyping import Float
    from matplotlib.figure import Figure

Array = np.ndarray
Callback = Callable[[int, int, float], None]
_NEWTON_STEPS = 3  # of the parameters, between two solutions for the net
_FIRST_SLACK, _LEAST_SLACK = 0.1, 1e-4


@dataclass(frozen=True, eq=False, repr=False)
class CloudFit(Residuals):
    """A B-spline surface fitted to a cloud of points, and how well it fits.

    Attributes:
        control_points: the net, shape (n_u, n_v, dim), in the dtype of the points.
        knots_u: knots of the first direction, float64.
        knots_v: knots of the second direction, float64.
        parameters: (u, v) of each point, shape (count, 2), float64.
        points: what was fitted, shape (count, dim).
        values: the surface at the parameters, shape (count, dim).
        losses: root mean square distance after each iteration; it may rise where the bending falls.
        is_converged: whether the stopping rule was met before the iterations ran out.
    """

    control_points: Tensor
    knots_u: Tensor
    knots_v: Tensor
    parameters: Tensor
    points: Tensor
    values: Tensor
    losses: tuple[float, ...]
    is_converged: bool

    @property
    def spline(self) -> Surface:
        """The fitted surface as plain tensors."""
        return Surface(self.control_points, self.knots_u, self.knots_v)

    def surface(self, **options: Any) -> NurbsSurface:
        """The fitted surface as a module; `options` as for `NurbsSurface`."""
        return NurbsSurface(*self.spline, **options)

    def plot(self, figure: Figure | None = None) -> Figure:
        """Draws the surface with the cloud coloured by distance, and the distance over the iterations.

        Args:
            figure: an empty matplotlib figure to draw into; a new one if None.

        Returns:
            The figure.

        Raises:
            ImportError: matplotlib is missing (`pip install "nurbs-diff[plot]"`).
        """
        from nurbs_diff._fitting.plot_cloud import plot_cloud_fit

        return plot_cloud_fit(self, figure)

    def __repr__(self) -> str:
        n_u, n_v, dim = self.control_points.shape
        return (
            f"CloudFit({n_u} x {n_v} control points in {dim}-D, {len(self.points)} points, "
            f"rms={self.rms:.4g}, max_error={self.max_error:.4g}, iterations={len(self.losses)}, "
            f"is_converged={self.is_converged})"
        )


def fit_cloud(
    points: Float[Tensor, "count dim"],
    degree: int | tuple[int, int],
    size: tuple[int, int],
    *,
    knots: tuple[Float[Tensor, "k_u"], Float[Tensor, "k_v"]] | None = None,
    parameters: Float[Tensor, "count 2"] | None = None,
    base: Surface | None = None,
    smoothing: float = 1e-9,
    penalty: Penalty = "thin_plate",
    max_iterations: int = 30,
    tolerance: float = 1e-3,
    callback: Callback | None = None,
) -> CloudFit:
    r"""The B-spline surface closest to a cloud of points that are in no order.

    $$\min_{P, u, v} \; \frac1m \sum_k \| S(u_k, v_k) - X_k \|^2 + \lambda E(S)$$

    by turns over the control points P, a sparse linear problem, and over the parameters, by Newton steps to
    the closest point of the surface. E is the bending energy (see `bending_energy`) on the rectangle of the
    first parametrisation, in units of that rectangle, so that $\lambda$ has no unit. It closes holes and
    decides what no point decides.

    The first parametrisation is the projection onto the best plane, u along the longer side of the smallest
    rectangle around it; or onto `base`; or what is given. A cloud that hides parts of itself from that plane
    needs a base.

    Args:
        points: X, finite, dim >= 2, any order.
        degree: of both directions, or a pair.
        size: numbers of control points (n_u, n_v), each above its degree.
        knots: a pair of knot vectors; clamped with equal spans over [0, 1] if None.
        parameters: first (u, v) of each point, in the domain of the knots.
        base: a polynomial surface near the cloud, whose closest points give the first parameters (mapped to
            the domain of the knots linearly).
        smoothing: $\lambda \geq 0$. A wave with k periods across the surface loses about $\lambda (2 \pi
            k)^4$ of its height.
        penalty: "thin_plate" or "laplacian".
        max_iterations: 1 solves for the control points alone and leaves the parameters.
        tolerance: stops when an iteration lowers the root mean square distance by less than this fraction.
        callback: called as `callback(iteration, max_iterations, rms)` after each iteration.

    Returns:
        The surface, its residuals and errors; on the device of the points. The work is done on the CPU in
        float64: O(count) an iteration, and a sparse factorisation of n_u n_v unknowns. In a noisy cloud a
        few points in a hundred may end at a local minimum of their distance; `closest_point_on_surface`
        searches the whole surface.

    Raises:
        ValueError: points that are not finite, on a line or too few; sizes, knots or parameters that do not
            fit; without smoothing, points that do not determine every control point.
        TypeError: tensors that are not float32 or float64.

    Piegl & Tiller, *The NURBS Book*, section 9.4; Weiss et al., *Advanced surface fitting techniques*, CAGD
    19, 2002.

    >>> import torch
    >>> xy = torch.rand(500, 2, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    >>> cloud = torch.cat([xy, (xy[:, :1] - 0.5) ** 2], 1)
    >>> fit_cloud(cloud, 2, (4, 4)).rms < 1e-4
    True
    """
    degrees = degree if isinstance(degree, tuple) else (degree, degree)
    _check_arguments(points, degrees, size, smoothing, penalty, max_iterations, tolerance)
    data = points.detach().double().cpu().numpy()
    product = _product(degrees, size, knots)
    uv, sides = _first_parameters(data, product, parameters, base)
    penalties = smoothing * bending_matrix(product, penalty, sides)
    scale = float(np.sqrt(np.square(data - data.mean(0)).sum(1).mean()))

    losses, is_converged = [], False
    state = _State.solved(product, penalties, data, uv, None)
    slack = _FIRST_SLACK
    while True:
        losses.append(state.rms)
        if callback is not None:
            callback(len(losses), max_iterations, state.rms)
        is_converged = is_converged or state.rms <= 1e-12 * scale
        if is_converged or len(losses) == max_iterations:
            break
        metric = _metric(product, state, slack) if slack < 1 else None
        trial = _State.solved(product, penalties, data, state.uv, metric)
        trial = trial.corrected(product, penalties, data)
        if trial.objective < state.objective:
            is_converged = trial.objective > (1 - tolerance) ** 2 * state.objective
            state, slack = trial, max(slack / 8, _LEAST_SLACK)
        else:  # at slack 1 both parts of a step lower the objective, unless rounding hides it
            is_converged, slack = slack == 1, min(16 * slack, 1.0)
    state = state.corrected(product, penalties, data) if max_iterations > 1 else state
    device = points.device
    return CloudFit(
        control_points=torch.as_tensor(state.net, dtype=points.dtype, device=device),
        knots_u=torch.as_tensor(product.u.knots, device=device),
        knots_v=torch.as_tensor(product.v.knots, device=device),
        parameters=torch.as_tensor(state.uv, device=device),
        points=points.detach(),
        values=torch.as_tensor(data + state.offset, dtype=points.dtype, device=device),
        losses=tuple(losses),
        is_converged=is_converged or max_iterations == 1,
    )


@dataclass(frozen=True)
class _State:
    """A net with the parameters of the points, the surface minus the points there, and the objective."""

    net: Array
    uv: Array
    offset: Array
    objective: float

    @property
    def rms(self) -> float:
        return float(np.sqrt(np.square(self.offset).sum(1).mean()))

    @staticmethod
    def of(
        product: TensorProduct, penalties: scipy.sparse.csr_array, data: Array, net: Array, uv: Array
    ) -> _State:
        offset = product.derivatives(net, uv, 0)[0, 0] - data
        flat = net.reshape(-1, net.shape[-1])
        energy = float((flat * (penalties @ flat)).sum())
        return _State(net, uv, offset, float(np.square(offset).sum(1).mean()) + energy)

    @staticmethod
    def solved(
        product: TensorProduct,
        penalties: scipy.sparse.csr_array,
        data: Array,
        uv: Array,
        metric: Array | None,
    ) -> _State:
        matrix = product.collocation(uv)
        if metric is None:
            net = _least_squares(matrix, penalties, data)
        else:
            net = _metric_least_squares(matrix, penalties, data, metric)
        return _State.of(product, penalties, data, net.reshape(product.u.count, product.v.count, -1), uv)

    def corrected(self, product: TensorProduct, penalties: scipy.sparse.csr_array, data: Array) -> _State:
        uv = corrected(product, self.net, data, self.uv, _NEWTON_STEPS)
        return _State.of(product, penalties, data, self.net, uv)


def _metric(product: TensorProduct, state: _State, slack: float) -> Array:
    r"""What a displacement of the surface costs at each point once its parameters may follow.

    Eliminating the parameters from the linearised problem leaves the projection onto the normal space,
    $Q = I - T (T^T T)^{-1} T^T$ with the tangents T: the Gauss-Newton method for net and parameters together
    (variable projection; "tangent distance minimisation" in Wang, Pottmann & Liu, ACM TOG 25, 2006). A share
    `slack` of the tangential part is kept, as the linearisation holds near the points only. A parameter at
    the end of its domain does not follow.
    """
    d = product.derivatives(state.net, state.uv, 1)
    tangents = np.stack([d[1, 0], d[0, 1]], 1)
    is_free = (state.uv > product.lower) & (state.uv < product.upper)
    tangents = tangents * is_free[..., None]
    gram = np.einsum("kad,kbd->kab", tangents, tangents)
    gram += (1e-9 * np.trace(gram, axis1=1, axis2=2).max()) * np.eye(2)
    projection = np.einsum("kad,kae->kde", tangents, np.linalg.solve(gram, tangents))
    return np.eye(tangents.shape[2]) - (1 - slack) * projection


def _least_squares(matrix: scipy.sparse.csr_array, penalties: scipy.sparse.csr_array, data: Array) -> Array:
    """Minimises the mean squared error plus the penalty, by the normal equations.

    One step of refinement with the residual of the problem itself takes back what squaring the condition
    number costs (corrected seminormal equations; Bjorck, *Numerical methods for least squares*, 6.6.5).
    """
    rows = len(data)
    factors = _factorised((matrix.T @ matrix / rows + penalties).tocsc(), matrix)
    net = factors.solve(matrix.T @ data / rows)
    return net + factors.solve(matrix.T @ (data - matrix @ net) / rows - penalties @ net)


def _metric_least_squares(
    matrix: scipy.sparse.csr_array, penalties: scipy.sparse.csr_array, data: Array, metric: Array
) -> Array:
    """The same with a quadratic form for each point, which couples the coordinates."""
    rows, dim = data.shape
    blocks = [
        [matrix.T @ (scipy.sparse.diags_array(metric[:, c, d] / rows) @ matrix) for d in range(dim)]
        for c in range(dim)
    ]
    for c in range(dim):
        blocks[c][c] = blocks[c][c] + penalties
    factors = _factorised(scipy.sparse.csc_array(scipy.sparse.block_array(blocks)), matrix)
    right = matrix.T @ np.einsum("kcd,kd->kc", metric, data) / rows
    return factors.solve(right.T.ravel()).reshape(dim, -1).T


def _factorised(normal: scipy.sparse.csc_array, matrix: scipy.sparse.csr_array) -> SuperLU:
    """Factors of the normal matrix of least squares with `matrix`."""
    try:
        factors = splu(normal, permc_spec="MMD_AT_PLUS_A", options={"SymmetricMode": True})
        pivots = np.abs(factors.U.diagonal())
        if pivots.min() > 1e-14 * pivots.max():
            return factors
    except RuntimeError:  # exactly singular
        pass
    is_seen = matrix.max(axis=0).toarray().ravel() > 0  # before SciPy 1.15 a row
    raise ValueError(
        f"`points` do not determine every control point: {int((~is_seen).sum())} of {len(is_seen)} have no "
        f"point in their reach. Set `smoothing` above 0, use fewer control points, or give more points."
    )


def _product(
    degrees: tuple[int, int], size: tuple[int, int], knots: tuple[Tensor, Tensor] | None
) -> TensorProduct:
    axes: list[Axis] = []
    for k, (p, n) in enumerate(zip(degrees, size, strict=True)):
        if knots is None:
            t = uniform_knots(n, p)
        else:
            t = knots[k].detach().cpu()
            _checks.check_floating(**{f"knots[{k}]": t})
            if t.shape != (n + p + 1,):
                raise ValueError(
                    f"`knots[{k}]` must hold n + degree + 1 = {n + p + 1} knots; got shape {tuple(t.shape)}."
                )
            t = t.double()
            _checks.check_knots(f"knots[{k}]", t, p)
        axes.append(Axis(t.numpy(), p))
    return TensorProduct(*axes)


def _first_parameters(
    data: Array, product: TensorProduct, parameters: Tensor | None, base: Surface | None
) -> tuple[Array, tuple[float, float]]:
    """Parameters for the first iteration, and the sides of the rectangle that stands for the domain."""
    low, high = product.lower, product.upper
    if parameters is not None and base is not None:
        raise ValueError("`parameters` and `base` both say where to begin. Give one of them.")
    if parameters is not None:
        _checks.check_floating(parameters=parameters)
        uv = parameters.detach().double().cpu().numpy()
        if uv.shape != (len(data), 2) or not ((uv >= low) & (uv <= high)).all():
            raise ValueError(
                f"`parameters` must have shape ({len(data)}, 2) and lie in the domains [{low[0]:g}, "
                f"{high[0]:g}] x [{low[1]:g}, {high[1]:g}] of the knots; got shape {uv.shape}."
            )
        return uv, (1.0, 1.0)
    if base is None:
        unit, sides = plane_parameters(data)
        return low + (high - low) * unit, sides
    unit, sides = _base_parameters(data, base)
    return low + (high - low) * unit, sides


def _base_parameters(data: Array, base: Surface) -> tuple[Array, tuple[float, float]]:
    """The closest points of the base, in the unit square, and the lengths of its middle lines."""
    if base.weights is not None:
        raise ValueError("`base` must be polynomial; it has weights. Give the parameters yourself.")
    net = base.control_points.detach().double().cpu().numpy()
    if net.ndim != 3 or net.shape[-1] != data.shape[1]:
        raise ValueError(
            f"`base` must be one surface in {data.shape[1]} dimensions; its control points have shape "
            f"{net.shape}."
        )
    degrees = tuple(
        _checks.degree_from_counts(f"base.knots_{name}", knots, n)
        for name, knots, n in zip("uv", (base.knots_u, base.knots_v), net.shape, strict=False)
    )
    product = _product((degrees[0], degrees[1]), (net.shape[0], net.shape[1]), (base.knots_u, base.knots_v))
    nearest = corrected(product, net, data, nearest_on_grid(product, net, data), 2 * _NEWTON_STEPS)
    low, high = product.lower, product.upper
    middle = np.tile((low + high) / 2, (64, 1))
    lengths: list[float] = []
    for k in range(2):
        line = middle.copy()
        line[:, k] = np.linspace(low[k], high[k], len(line))
        steps = np.diff(product.derivatives(net, line, 0)[0, 0], axis=0)
        lengths.append(float(np.linalg.norm(steps, axis=1).sum()))
    return (nearest - low) / (high - low), (lengths[0], lengths[1])


def _check_arguments(
    points: Tensor,
    degrees: tuple[int, int],
    size: tuple[int, int],
    smoothing: float,
    penalty: str,
    max_iterations: int,
    tolerance: float,
) -> None:
    _checks.check_floating(points=points)
    if points.ndim != 2 or points.shape[1] < 2:
        raise ValueError(f"`points` must have shape (count, dim) with dim >= 2; got {tuple(points.shape)}.")
    if not bool(torch.isfinite(points).all()):
        place = torch.nonzero(~torch.isfinite(points))[0].tolist()
        raise ValueError(
            f"`points` must be finite; points{place} = {float(points[tuple(place)])}. Drop that point."
        )
    if len(points) < 4:
        raise ValueError(f"`points` holds {len(points)} points; a surface needs at least 4.")
    for name, p, n in zip(("n_u", "n_v"), degrees, size, strict=True):
        _checks.check_degree("degree", p)
        if not p < n:
            raise ValueError(f"`size` asks for {name} = {n} control points; it must exceed the degree {p}.")
    if not (np.isfinite(smoothing) and smoothing >= 0):
        raise ValueError(f"`smoothing` must be finite and not negative; got {smoothing!r}.")
    _checks.check_choice("penalty", penalty, PENALTIES)
    if max_iterations < 1:
        raise ValueError(f"`max_iterations` must be at least 1; got {max_iterations}.")
    if not 0 <= tolerance < 1:
        raise ValueError(f"`tolerance` must lie in [0, 1); got {tolerance!r}.")
