"""Points of NURBS surfaces and volumes at scattered parameters."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor

from nurbs_diff import _checks
from nurbs_diff._evaluation.basis import Direction, KnotGradient, is_computable, local_values
from nurbs_diff._evaluation.directions import (
    DIRECTIONS,
    Backend,
    Given,
    Options,
    check_arguments,
    coordinates_first,
    dense_bases,
)
from nurbs_diff._evaluation.scattered import gather_points
from nurbs_diff._evaluation.tensor_product import homogeneous

if TYPE_CHECKING:
    from collections.abc import Sequence

    from jaxtyping import Float


def evaluate_surface_at(
    control_points: Float[Tensor, "*batch n_u n_v dim"],
    knots_u: Float[Tensor, "*#batch k_u"],
    knots_v: Float[Tensor, "*#batch k_v"],
    uv: Float[Tensor, "*#batch q 2"],
    *,
    weights: Float[Tensor, "*batch n_u n_v"] | None = None,
    knot_gradient: KnotGradient = "exact",
    bandwidth: float = 0.01,
    backend: Backend = "torch",
) -> Float[Tensor, "*batch q dim"]:
    r"""Points of a B-spline or NURBS surface at scattered parameters; `evaluate_surface` without the grid.

    Each point takes the (p + 1)(q + 1) control points around it, so the time does not depend on the size of
    the net. Differentiable, repeatedly, with respect to all tensors together. For the Gaussian knot gradient,
    which reaches further, and for the reference all control points take part.

    Args:
        control_points: P, any dimension, any batch in front; the points come back in its dtype.
        knots_u: knots of the first direction, shared by the batch or one vector for each sample.
        knots_v: knots of the second direction, likewise.
        uv: pairs of parameters in the domain of the knots, ends included; shared or of each sample.
        weights: w > 0, one for each control point; None for a polynomial surface.
        knot_gradient: see `basis_functions`.
        bandwidth: see `basis_functions`.
        backend: "torch", or "reference" for the plain recursion differentiated by autograd.

    Returns:
        The points.

    Raises:
        ValueError: counts that imply no degree, bad knots, parameters outside the domain, weights not
            positive.
        TypeError: an argument is no float32 or float64 tensor.

    Equivalent to geomdl's `NURBS.Surface.evaluate_list`. Piegl & Tiller, *The NURBS Book*, eq. 4.11.

    >>> import torch
    >>> from nurbs_diff import uniform_knots
    >>> knots = uniform_knots(4, degree=3)
    >>> evaluate_surface_at(torch.rand(4, 4, 3), knots, knots, torch.rand(100, 2)).shape
    torch.Size([100, 3])
    """
    options = Options(knot_gradient, bandwidth, backend)
    return _evaluate_at(control_points, (knots_u, knots_v), "uv", uv, weights, options)


def evaluate_volume_at(
    control_points: Float[Tensor, "*batch n_u n_v n_w dim"],
    knots_u: Float[Tensor, "*#batch k_u"],
    knots_v: Float[Tensor, "*#batch k_v"],
    knots_w: Float[Tensor, "*#batch k_w"],
    uvw: Float[Tensor, "*#batch q 3"],
    *,
    weights: Float[Tensor, "*batch n_u n_v n_w"] | None = None,
    knot_gradient: KnotGradient = "exact",
    bandwidth: float = 0.01,
    backend: Backend = "torch",
) -> Float[Tensor, "*batch q dim"]:
    r"""Points of a B-spline or NURBS volume at scattered parameters; `evaluate_volume` without the grid.

    See `evaluate_surface_at`, of which this is the version with one more direction.

    Args:
        control_points: P, any dimension, any batch in front; the points come back in its dtype.
        knots_u: knots of the first direction, shared by the batch or one vector for each sample.
        knots_v: knots of the second direction, likewise.
        knots_w: knots of the third direction, likewise.
        uvw: triples of parameters in the domain of the knots, ends included; shared or of each sample.
        weights: w > 0, one for each control point; None for a polynomial volume.
        knot_gradient: see `basis_functions`.
        bandwidth: see `basis_functions`.
        backend: "torch", or "reference" for the plain recursion differentiated by autograd.

    Returns:
        The points.

    Raises:
        ValueError: counts that imply no degree, bad knots, parameters outside the domain, weights not
            positive.
        TypeError: an argument is no float32 or float64 tensor.

    Equivalent to geomdl's `NURBS.Volume`.

    Free-form deformation moves a cloud with the net around it:

    >>> import torch
    >>> from nurbs_diff import uniform_knots
    >>> knots, ticks = uniform_knots(3, degree=2, dtype=torch.float32), torch.linspace(0, 1, 3)
    >>> net = torch.stack(torch.meshgrid(ticks, ticks, ticks, indexing="ij"), -1)
    >>> cloud = torch.rand(100, 3)
    >>> torch.allclose(evaluate_volume_at(net, knots, knots, knots, cloud), cloud, atol=1e-6)
    True
    """
    options = Options(knot_gradient, bandwidth, backend)
    return _evaluate_at(control_points, (knots_u, knots_v, knots_w), "uvw", uvw, weights, options)


def _evaluate_at(
    control_points: Tensor,
    knots: tuple[Tensor, ...],
    name: str,
    parameters: Tensor,
    weights: Tensor | None,
    options: Options,
) -> Tensor:
    _checks.check_floating(**{name: parameters})
    if parameters.ndim < 2 or parameters.shape[-1] != len(knots):
        raise ValueError(f"`{name}` must have shape (..., q, {len(knots)}); got {tuple(parameters.shape)}.")
    given = [
        Given(f"knots_{DIRECTIONS[i]}", t, f"{name}[..., {i}]", parameters[..., i])
        for i, t in enumerate(knots)
    ]
    directions = check_arguments(control_points, given, weights, options)
    net, w = coordinates_first(control_points, weights, len(directions))
    net = net if w is None else homogeneous(net, w)
    if options == Options("exact", options.bandwidth, "torch"):
        points = gather_points(*_local(directions, net.dtype), net)
    else:
        points = _sum_all(dense_bases(directions, options, net.dtype), net)
    if w is not None:
        points = points[..., :-1] / points[..., -1:]
    return points.reshape(*control_points.shape[: -len(knots) - 1], *points.shape[1:])


def _local(directions: Sequence[Direction], dtype: torch.dtype) -> tuple[list[Tensor], list[Tensor]]:
    """For each direction the values that do not vanish, (p + 1, q) or (p + 1, b, q), and the spans."""
    all_values: list[Tensor] = []
    all_spans: list[Tensor] = []
    for direction, (values, spans) in zip(directions, local_values(directions, dtype), strict=True):
        if values.device.type != "cpu":
            values = torch.where(is_computable(*direction), values, torch.nan)
        all_values.append(values if spans.ndim == 1 else values.flatten(1, -2))
        all_spans.append(spans if spans.ndim == 1 else spans.flatten(0, -2))
    return all_values, all_spans


def _sum_all(bases: list[Tensor], net: Tensor) -> Tensor:
    """The sum over all control points, net (b, c, n_1, ..., n_d) -> (b, q, c)."""
    batched = [basis if basis.ndim == 3 else basis.unsqueeze(0) for basis in bases]
    points = torch.matmul(batched[0].unsqueeze(1), net.flatten(3))
    points = points.unflatten(-1, net.shape[3:])  # (b, c, q, n_2, ..., n_d)
    for basis in batched[1:]:
        spread = basis.reshape(len(basis), 1, *basis.shape[1:], *[1] * (points.ndim - 4))
        points = (points * spread).sum(3)
    return points.movedim(1, -1)
