"""Curvature, torsion and length of curves."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor

from nurbs_diff import _checks
from nurbs_diff._derivatives.derivatives import curve_derivatives
from nurbs_diff._derivatives.partials import checked_directions, evaluate_partials
from nurbs_diff._geometry.quadrature import boxes_between, check_rule, integrate, refine

if TYPE_CHECKING:
    from jaxtyping import Float


def curve_curvature(
    control_points: Float[Tensor, "*batch n dim"],
    knots: Float[Tensor, "k"],
    u: Float[Tensor, "q"],
    *,
    weights: Float[Tensor, "*batch n"] | None = None,
) -> Float[Tensor, "*batch q"]:
    r"""Curvature of a curve, in any dimension from 2.

    $$\kappa = \frac{\lvert C'' - (C'' \cdot T)\, T \rvert}{\lvert C' \rvert^2}, \qquad
      T = C' / \lvert C' \rvert$$

    In the plane it has a sign: positive where the curve turns to the left. Where a curve in space is
    straight, $\kappa = 0$ has no derivative; zero is returned for it.

    Args:
        control_points: P, dim >= 2, any batch in front.
        knots: shared by the batch.
        u: parameters in the domain.
        weights: w > 0; None for a polynomial curve.

    Returns:
        Curvature, in 1 / unit of length.

    Raises:
        ValueError: as `curve_derivatives`; fewer than two dimensions; or a place where C' = 0, so that there
            is no tangent. (On an accelerator the value there is NaN.)

    >>> import torch
    >>> quarter = torch.tensor([[2.0, 0.0], [2.0, 2.0], [0.0, 2.0]])
    >>> knots, weights = torch.tensor([0.0, 0, 0, 1, 1, 1]), torch.tensor([1.0, 0.5**0.5, 1.0])
    >>> curve_curvature(quarter, knots, torch.tensor([0.0, 0.3, 1.0]), weights=weights)  # radius 2
    tensor([0.5000, 0.5000, 0.5000])
    """
    _, first, second = curve_derivatives(control_points, knots, u, order=2, weights=weights)
    if control_points.shape[-1] < 2:
        raise ValueError("`control_points` must have at least two dimensions for a curvature; got 1.")
    speed = torch.linalg.vector_norm(first, dim=-1, keepdim=True)
    _check_regular(speed.squeeze(-1), u, control_points, "the curve has no tangent there, C' = 0")
    if control_points.shape[-1] == 2:
        return (first[..., 0] * second[..., 1] - first[..., 1] * second[..., 0]) / speed.squeeze(-1) ** 3
    tangent = first / speed
    across = second - (second * tangent).sum(-1, keepdim=True) * tangent
    return torch.linalg.vector_norm(across, dim=-1) / speed.squeeze(-1) ** 2


def curve_torsion(
    control_points: Float[Tensor, "*batch n 3"],
    knots: Float[Tensor, "k"],
    u: Float[Tensor, "q"],
    *,
    weights: Float[Tensor, "*batch n"] | None = None,
) -> Float[Tensor, "*batch q"]:
    r"""Torsion of a curve in space: positive where it twists as a right-handed screw does.

    $$\tau = \frac{(C' \times C'') \cdot C'''}{\lvert C' \times C'' \rvert^2}$$

    Args:
        control_points: P in three dimensions, any batch in front.
        knots: shared by the batch.
        u: parameters in the domain.
        weights: w > 0; None for a polynomial curve.

    Returns:
        Torsion, in 1 / unit of length.

    Raises:
        ValueError: as `curve_derivatives`; not three dimensions; or a place without curvature, where there is
            no osculating plane. (On an accelerator the value there is NaN.)

    The twisted cubic (u, u^2, u^3) at 0, of torsion 3:

    >>> import torch
    >>> cubic = torch.tensor([[0.0, 0, 0], [1 / 3, 0, 0], [2 / 3, 1 / 3, 0], [1, 1, 1]])
    >>> curve_torsion(cubic, torch.tensor([0.0] * 4 + [1.0] * 4), torch.tensor([0.0]))
    tensor([3.])
    """
    _, first, second, third = curve_derivatives(control_points, knots, u, order=3, weights=weights)
    if control_points.shape[-1] != 3:
        raise ValueError(
            f"`control_points` must have three dimensions for a torsion; got {control_points.shape[-1]}."
        )
    binormal = torch.linalg.cross(first, second)
    lengths = [torch.linalg.vector_norm(x, dim=-1) for x in (first, second)]
    length = torch.linalg.vector_norm(binormal, dim=-1)
    sine = length / (lengths[0] * lengths[1]).clamp(min=torch.finfo(length.dtype).tiny)
    _check_regular(lengths[0], u, control_points, "the curve has no tangent there, C' = 0")
    _check_regular(
        torch.where(lengths[1] > 0, sine, 0.0),
        u,
        None,
        "the curve is straight there and has no osculating plane",
    )
    return (binormal * third).sum(-1) / length**2


def arc_length(
    control_points: Float[Tensor, "*batch n dim"],
    knots: Float[Tensor, "k"],
    *,
    weights: Float[Tensor, "*batch n"] | None = None,
    start: Float[Tensor, ""] | float | None = None,
    end: Float[Tensor, ""] | float | None = None,
    order: int = 12,
    tolerance: float | None = 1e-10,
) -> Float[Tensor, "*batch"]:
    r"""Length of a curve, $\int_a^b \lvert C'(u) \rvert\, du$, by Gauss-Legendre quadrature between knots.

    Differentiable with respect to all tensors, `start` and `end` included.

    Args:
        control_points: P, any dimension, any batch in front.
        knots: shared by the batch.
        weights: w > 0; None for a polynomial curve.
        start: where to begin; the start of the domain if None.
        end: where to stop, not before `start`; the end of the domain if None.
        order: nodes for each span; the error falls as h^(2 order) with the width h of the spans.
        tolerance: relative error. A span is halved until it and its parts agree to its share of it. None for
            one rule on each span.

    Returns:
        The lengths, computed in float64 and returned in the dtype of the control points.

    Raises:
        ValueError: no spline, `start` and `end` not in order and in the domain, or a bad rule.

    >>> import torch
    >>> quarter = torch.tensor([[1.0, 0.0], [1.0, 1.0], [0.0, 1.0]])
    >>> knots, weights = torch.tensor([0.0, 0, 0, 1, 1, 1]), torch.tensor([1.0, 0.5**0.5, 1.0])
    >>> arc_length(quarter, knots, weights=weights)
    tensor(1.5708)
    """
    check_rule(order, tolerance)
    directions = checked_directions(control_points, weights, knots)
    (t,), (p,) = directions
    breakpoints = t[p : len(t) - p]
    low, high = (
        torch.as_tensor(default if x is None else x, dtype=t.dtype, device=t.device)
        for x, default in ((start, breakpoints[0]), (end, breakpoints[-1]))
    )
    for name, x in (("start", low), ("end", high)):
        _checks.check_parameters(name, x, "knots", t, p)
    if t.device.type == "cpu" and low > high:
        raise ValueError(f"`start` must not exceed `end`; got {float(low):g} > {float(high):g}. Swap them.")
    inside = (breakpoints[1:] > breakpoints[:-1]) & (breakpoints[1:] > low) & (breakpoints[1:] < high)
    boxes = boxes_between([torch.cat([low[None], breakpoints[1:][inside.detach()], high[None]])])
    points = control_points.double()

    def speed(nodes: tuple[Tensor, ...]) -> Tensor:
        first = evaluate_partials(points, weights, directions, nodes, 1, grid=True)[1,]
        return torch.linalg.vector_norm(first, dim=-1)

    if tolerance is not None:
        boxes = refine(speed, boxes, order, tolerance)
    return integrate(speed, boxes, order).to(control_points.dtype)


def _check_regular(size: Tensor, u: Tensor, control_points: Tensor | None, problem: str) -> None:
    """Names the first place where a quantity that is divided by vanishes, up to rounding."""
    if size.device.type != "cpu":
        return
    extent = 1.0 if control_points is None else float(control_points.detach().abs().max())
    places = torch.nonzero(size.detach() <= 64 * torch.finfo(size.dtype).eps * extent)
    if len(places):
        i = int(places[0, -1])
        raise ValueError(f"u[{i}] = {float(u[i]):g}: {problem}. Move the parameter, or the control points.")
