"""Points of NURBS surfaces and volumes at single parameters."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor

from nurbs_diff._evaluation.basis import Direction, is_computable, local_values
from nurbs_diff._evaluation.directions import coordinates_first, dense_bases
from nurbs_diff._evaluation.scattered import gather_points
from nurbs_diff._evaluation.tensor_product import homogeneous

if TYPE_CHECKING:
    from collections.abc import Sequence

    from nurbs_diff._evaluation.directions import Options


def evaluate_points(
    control_points: Tensor, directions: Sequence[Direction], weights: Tensor | None, options: Options
) -> Tensor:
    """Points at single parameters, arguments checked; shape (*batch, q, dim)."""
    net, w = coordinates_first(control_points, weights, len(directions))
    net = net if w is None else homogeneous(net, w)
    if options.knot_gradient == "exact" and options.backend == "torch":
        points = gather_points(*_local(directions, net.dtype), net)
    else:
        points = _sum_all(dense_bases(directions, options, net.dtype), net)
    if w is not None:
        points = points[..., :-1] / points[..., -1:]
    return points.reshape(*control_points.shape[: -len(directions) - 1], *points.shape[1:])


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
