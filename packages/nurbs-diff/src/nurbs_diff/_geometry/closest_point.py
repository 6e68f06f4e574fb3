"""Closest points on curves and surfaces, differentiable by the implicit function theorem."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import torch
from torch import Tensor

from nurbs_diff import _checks
from nurbs_diff._derivatives.partials import (
    Directions,
    checked_directions,
    divide,
    scattered_partials,
    to_homogeneous,
)
from nurbs_diff._geometry.closest_search import ACTIVE, Elements, Residuals, elements_of, residuals, search

if TYPE_CHECKING:
    from jaxtyping import Bool, Float


class ClosestPoints(NamedTuple):
    """The closest points of a curve or surface to some queries.

    Attributes:
        parameters: u, or (u, v) along the last axis.
        points: on the curve or surface.
        distances: from the queries.
        is_converged: whether Newton's method met its tolerance: the distance cannot be shortened along the
            curve or surface to first order, up to 1e-12 of the size of everything.
        is_isolated: whether the parameters are differentiable. False where other points nearby are as close,
            such as for the centre of a circle, and at poles, where a parameter says nothing; the gradient of
            the parameters is then zero in the directions left open.

    >>> import torch
    >>> ones = torch.ones(2)
    >>> ClosestPoints(ones, ones.unsqueeze(1), ones, ones > 0, ones > 0).is_converged.all()
    tensor(True)
    """

    parameters: Float[Tensor, "..."]
    points: Float[Tensor, "*q dim"]
    distances: Float[Tensor, "*q"]
    is_converged: Bool[Tensor, "*q"]
    is_isolated: Bool[Tensor, "*q"]


def closest_point_on_curve(
    control_points: Float[Tensor, "n dim"],
    knots: Float[Tensor, "k"],
    points: Float[Tensor, "*q dim"],
    *,
    weights: Float[Tensor, "n"] | None = None,
) -> ClosestPoints:
    r"""The point of a curve closest to each query; for points on the curve, their parameters (inversion).

    Each span is sampled; every span whose box of Bezier points could hold something closer than the best
    sample is searched by Newton's method on $\tfrac12 \lvert C(u) - x \rvert^2$, kept inside the span and
    damped until the distance falls. Kinks and the ends of the domain are found so. The closest of all that is
    found is returned: a global minimum unless a span has several local ones that p + 2 samples do not tell
    apart.

    The optimum satisfies $(C(u) - x) \cdot C'(u) = 0$, or it is an end or a kink, where u stays at the knot.
    By the implicit function theorem u is differentiable, once, with respect to control points, weights, knots
    and queries. At the seam of a closed curve both ends are the same point; one of them is returned.

    Args:
        control_points: P, no batch.
        knots: t.
        points: queries x, any shape in front.
        weights: w > 0; None for a polynomial curve.

    Returns:
        `parameters` of the shape of the distances; see `ClosestPoints`. Computed in float64, returned in the
        dtype of the control points.

    Raises:
        ValueError: no spline, or queries that are not finite or of another dimension.

    Memory grows with queries times samples, in blocks. The NURBS Book, section 6.1; the bound is that of
    Johnson and Cohen (1998), on boxes.

    >>> import torch
    >>> quarter = torch.tensor([[1.0, 0.0], [1.0, 1.0], [0.0, 1.0]])
    >>> knots, weights = torch.tensor([0.0, 0, 0, 1, 1, 1]), torch.tensor([1.0, 0.5**0.5, 1.0])
    >>> queries = torch.tensor([[2.0, 2.0], [3.0, -1.0]])
    >>> found = closest_point_on_curve(quarter, knots, queries, weights=weights)
    >>> found.parameters, found.distances
    (tensor([0.5000, 0.0000]), tensor([1.8284, 2.2361]))
    """
    directions = checked_directions(control_points, weights, knots)
    found = _closest(control_points, weights, directions, points)
    return found._replace(parameters=found.parameters.squeeze(-1))


def closest_point_on_surface(
    control_points: Float[Tensor, "n_u n_v dim"],
    knots_u: Float[Tensor, "k_u"],
    knots_v: Float[Tensor, "k_v"],
    points: Float[Tensor, "*q dim"],
    *,
    weights: Float[Tensor, "n_u n_v"] | None = None,
) -> ClosestPoints:
    r"""The point of a surface closest to each query; for points on it, their parameters (inversion).

    As `closest_point_on_curve`, pair of spans by pair of spans. A parameter at an edge of the domain, or at a
    crease, to which the distance falls from inside stays there; the other one then moves along the edge.

    Args:
        control_points: P, no batch.
        knots_u: knots of the first direction.
        knots_v: knots of the second direction.
        points: queries x, any shape in front.
        weights: w > 0; None for a polynomial surface.

    Returns:
        `parameters` of shape (*q, 2); see `ClosestPoints`.

    Raises:
        ValueError: no spline, or queries that are not finite or of another dimension.

    >>> import torch
    >>> flat = torch.tensor([[[0.0, 0, 0], [0, 1, 0]], [[1, 0, 0], [1, 1, 0]]])
    >>> knots = torch.tensor([0.0, 0.0, 1.0, 1.0])
    >>> closest_point_on_surface(flat, knots, knots, torch.tensor([0.3, 0.6, 5.0])).parameters
    tensor([0.3000, 0.6000])
    """
    directions = checked_directions(control_points, weights, knots_u, knots_v)
    return _closest(control_points, weights, directions, points)


def _closest(
    control_points: Tensor, weights: Tensor | None, directions: Directions, points: Tensor
) -> ClosestPoints:
    d, dim = len(directions.knots), control_points.shape[-1]
    _checks.check_floating(control_points=control_points, points=points)
    if control_points.ndim != d + 1:
        raise ValueError(
            f"`control_points` must have {d + 1} axes, no batch, to look for closest points; got shape "
            f"{tuple(control_points.shape)}. Loop over the batch."
        )
    if points.ndim == 0 or points.shape[-1] != dim:
        raise ValueError(f"`points` must have shape (..., {dim}); got {tuple(points.shape)}.")
    if points.device.type == "cpu" and not bool(points.isfinite().all()):
        place = torch.nonzero(~points.isfinite())[0].tolist()
        raise ValueError(f"`points` must be finite; points{place} = {float(points[tuple(place)])}.")
    shape = points.shape[:-1]
    queries = points.reshape(-1, dim).double()
    net = to_homogeneous(control_points.double(), weights)
    is_rational = weights is not None
    with torch.no_grad():
        elements = elements_of(net, directions, is_rational)
        start, spans, is_converged = search(net, directions, is_rational, elements, queries)
        state = residuals(net, directions, is_rational, queries, start, spans)
    parameters, is_isolated = _follow(net, directions, is_rational, queries, start, spans, elements, state)
    found = divide(scattered_partials(net, directions, tuple(parameters.unbind(1)), 0, spans), is_rational)
    closest = found[(0,) * d]
    distances = torch.linalg.vector_norm(closest - queries, dim=-1)
    dtype = control_points.dtype
    return ClosestPoints(
        parameters.to(dtype).reshape(*shape, d),
        closest.to(dtype).reshape(*shape, dim),
        distances.to(dtype).reshape(shape),
        is_converged.reshape(shape),
        is_isolated.reshape(shape),
    )


def _follow(
    net: Tensor,
    directions: Directions,
    is_rational: bool,
    queries: Tensor,
    start: Tensor,
    spans: tuple[Tensor, ...],
    elements: Elements,
    state: Residuals,
) -> tuple[Tensor, Tensor]:
    """The parameters found, as functions of everything, and whether they are differentiable."""
    low = torch.stack([t[s] for t, s in zip(directions.knots, spans, strict=True)], 1)
    high = torch.stack([t[s + 1] for t, s in zip(directions.knots, spans, strict=True)], 1)
    pull = state.gradient / state.lengths
    is_active = (start <= low) & (pull > ACTIVE * state.scale) | (start >= high) & (
        pull < -ACTIVE * state.scale
    )
    held = torch.where(start >= high, high, low)
    base = torch.where(is_active, held, start)  # an active parameter is a knot and moves with it
    partials = divide(scattered_partials(net, directions, tuple(base.unbind(1)), 1, spans), is_rational)
    d = len(spans)
    first = torch.stack([partials[tuple(int(i == j) for i in range(d))] for j in range(d)], 1)
    gradient = (first @ (partials[(0,) * d] - queries).unsqueeze(-1)).squeeze(-1)

    is_blind = state.lengths <= elements.blind
    is_fixed = is_active | is_blind
    scaled = state.hessian / (state.lengths[:, :, None] * state.lengths[:, None])
    scaled = torch.where(is_fixed[:, :, None] | is_fixed[:, None], torch.eye(d, dtype=net.dtype), scaled)
    values, vectors = torch.linalg.eigh(scaled)
    is_regular = values > 1e-8
    inverse = (
        vectors * torch.where(is_regular, 1 / torch.where(is_regular, values, 1.0), 0.0)[:, None] @ vectors.mT
    )
    inverse = inverse / (state.lengths[:, :, None] * state.lengths[:, None])
    inverse = torch.where(is_fixed[:, :, None] | is_fixed[:, None], 0.0, inverse)
    shift: Tensor = _ImplicitShift.apply(gradient, inverse)  # type: ignore[assignment]
    return base + shift, is_regular.all(1) & ~(is_blind & ~is_active).any(1)


class _ImplicitShift(torch.autograd.Function):
    """How far a root of g moves: nothing by value, - H^-1 dg by derivative."""

    @staticmethod
    def forward(ctx, gradient: Tensor, inverse: Tensor) -> Tensor:
        ctx.save_for_backward(inverse)
        return torch.zeros_like(gradient)

    @staticmethod
    def backward(ctx, *grads: Tensor):
        if torch.is_grad_enabled():  # the inverse is held fixed: second derivatives would be silently wrong
            raise RuntimeError("Closest points are differentiable once; leave `create_graph=True` out.")
        (grad,) = grads
        (inverse,) = ctx.saved_tensors
        return -(inverse.mT @ grad.unsqueeze(-1)).squeeze(-1), None
