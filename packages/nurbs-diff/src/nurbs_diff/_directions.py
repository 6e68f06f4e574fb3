"""What curves, surfaces and volumes share: checked directions, their bases, the homogeneous net."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, NamedTuple

import torch
from torch import Tensor

from nurbs_diff import _checks
from nurbs_diff._basis import check_knot_gradient, collocation
from nurbs_diff._reference import basis_by_recursion

if TYPE_CHECKING:
    from collections.abc import Sequence

Backend = Literal["torch", "reference"]
DIRECTIONS = "uvw"


class Direction(NamedTuple):
    """Knots and parameters of one direction, with the names by which the caller knows them.

    Knots have shape (k,) or (*batch, k), parameters (q,) or (*batch, q).
    """

    knots_name: str
    knots: Tensor
    u_name: str
    u: Tensor


class Options(NamedTuple):
    """How to evaluate and differentiate."""

    knot_gradient: str
    bandwidth: float
    backend: str


def check_arguments(
    control_points: Tensor, directions: Sequence[Direction], weights: Tensor | None, options: Options
) -> list[int]:
    """Raises unless everything fits together; the degree of each direction."""
    tensors = {name: x for d in directions for name, x in ((d.knots_name, d.knots), (d.u_name, d.u))}
    _checks.check_floating(control_points=control_points, **tensors, weights=weights)
    count = len(directions)
    names = ("n",) if count == 1 else tuple(f"n_{x}" for x in DIRECTIONS[:count])
    _checks.check_control_points(control_points, ", ".join((*names, "dim")))
    batch, counts = control_points.shape[: -count - 1], control_points.shape[-count - 1 : -1]
    degrees: list[int] = []
    for (knots_name, knots, u_name, u), n in zip(directions, counts, strict=True):
        _checks.check_batch(knots_name, knots, batch)
        _checks.check_batch(u_name, u, batch)
        degrees.append(_checks.degree_from_counts(knots_name, knots, n))
        _checks.check_knots(knots_name, knots, degrees[-1])
        _checks.check_parameters(u_name, u, knots_name, knots, degrees[-1])
    check_knot_gradient(options.knot_gradient, options.bandwidth)
    _checks.check_choice("backend", options.backend, _checks.BACKENDS)
    if options.backend == "reference" and options.knot_gradient == "gaussian":
        raise ValueError(
            '`backend="reference"` differentiates the recursion as it is; `knot_gradient="gaussian"` needs '
            '`backend="torch"`.'
        )
    _checks.check_weights(weights, control_points)
    return degrees


def dense_bases(
    directions: Sequence[Direction], degrees: Sequence[int], options: Options, dtype: torch.dtype
) -> list[Tensor]:
    """The collocation matrix of each direction, (q, n) or, where knots or parameters differ, (b, q, n)."""
    bases: list[Tensor] = []
    for (_, knots, _, u), degree in zip(directions, degrees, strict=True):
        if options.backend == "torch":
            basis = collocation(knots, degree, u, options.knot_gradient, options.bandwidth)
        else:
            basis = basis_by_recursion(knots.double(), degree, u.double())
        bases.append((basis if basis.ndim == 2 else basis.flatten(0, -3)).to(dtype))
    return bases


def homogeneous_net(control_points: Tensor, weights: Tensor | None, directions: int) -> Tensor:
    """The net with all batch axes in one and coordinates behind it, (b, c, n_1, ..., n_d).

    For a rational spline the coordinates times the weights, and then the weights.
    """
    net = control_points.reshape(-1, *control_points.shape[-directions - 1 :]).movedim(-1, 1)
    if weights is None:
        return net
    w = weights.to(control_points.dtype).reshape(len(net), 1, *net.shape[2:])
    return torch.cat([net * w, w], dim=1)
