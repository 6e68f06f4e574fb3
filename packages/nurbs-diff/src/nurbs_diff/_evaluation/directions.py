"""What curves, surfaces and volumes share: checked directions, their bases, the homogeneous net."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, NamedTuple

from nurbs_diff import _checks
from nurbs_diff._evaluation.basis import Direction, check_knot_gradient, collocations
from nurbs_diff._evaluation.reference import basis_by_recursion

if TYPE_CHECKING:
    from collections.abc import Sequence

    import torch
    from torch import Tensor

Backend = Literal["torch", "reference"]
DIRECTIONS = "uvw"


class Given(NamedTuple):
    """Knots and parameters of one direction, with the names by which the caller knows them."""

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
    control_points: Tensor, given: Sequence[Given], weights: Tensor | None, options: Options
) -> list[Direction]:
    """Raises unless everything fits together; the directions with their degrees."""
    tensors = {name: x for d in given for name, x in ((d.knots_name, d.knots), (d.u_name, d.u))}
    _checks.check_floating(control_points=control_points, **tensors, weights=weights)
    count = len(given)
    names = ("n",) if count == 1 else tuple(f"n_{x}" for x in DIRECTIONS[:count])
    _checks.check_control_points(control_points, ", ".join((*names, "dim")))
    batch, counts = control_points.shape[: -count - 1], control_points.shape[-count - 1 : -1]
    directions: list[Direction] = []
    for (knots_name, knots, u_name, u), n in zip(given, counts, strict=True):
        _checks.check_batch(knots_name, knots, batch)
        _checks.check_batch(u_name, u, batch)
        degree = _checks.degree_of_each(knots_name, knots, n)
        _checks.check_knots(knots_name, knots, degree)
        _checks.check_parameters(u_name, u, knots_name, knots, degree)
        directions.append(Direction(knots, degree, u))
    check_knot_gradient(options.knot_gradient, options.bandwidth)
    _checks.check_choice("backend", options.backend, _checks.BACKENDS)
    if options.backend == "reference" and options.knot_gradient == "gaussian":
        raise ValueError(
            '`backend="reference"` differentiates the recursion as it is; `knot_gradient="gaussian"` needs '
            '`backend="torch"`.'
        )
    _checks.check_weights(weights, control_points)
    return directions


def dense_bases(directions: Sequence[Direction], options: Options, dtype: torch.dtype) -> list[Tensor]:
    """The collocation matrix of each direction, (q, n) or, where knots or parameters differ, (b, q, n)."""
    if options.backend == "torch":
        bases = collocations(directions, options.knot_gradient, options.bandwidth, dtype)
    else:
        bases = [basis_by_recursion(knots.double(), p, u.double()).to(dtype) for knots, p, u in directions]
    return [basis if basis.ndim == 2 else basis.flatten(0, -3) for basis in bases]


def coordinates_first(
    control_points: Tensor, weights: Tensor | None, directions: int
) -> tuple[Tensor, Tensor | None]:
    """The net as (b, c, n_1, ..., n_d), all batch axes in one before coordinates; the weights with c = 1."""
    net = control_points.reshape(-1, *control_points.shape[-directions - 1 :]).movedim(-1, 1)
    if weights is None:
        return net, None
    return net, weights.to(control_points.dtype).reshape(len(net), 1, *net.shape[2:])
