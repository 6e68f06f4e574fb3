"""Partial derivatives of splines in any number of directions; the engine below everything geometric.

Splines are homogeneous nets, shape (*batch, n_1, ..., n_d, c): the coordinates times the weight, then the
weight, or the plain coordinates where there are no weights. A set of partial derivatives is a dictionary from
multi-indices to tensors.
"""

from __future__ import annotations

from itertools import product
from math import comb, prod
from typing import NamedTuple

import torch
from torch import Tensor

from nurbs_diff import _checks
from nurbs_diff._derivatives.blossom import derivative_weights
from nurbs_diff._evaluation.local import find_spans, gather_windows, local_indices

Partials = dict[tuple[int, ...], Tensor]


class Directions(NamedTuple):
    """Knots in float64 and degrees, one of each for each direction."""

    knots: tuple[Tensor, ...]
    degrees: tuple[int, ...]


def checked_directions(
    control_points: Tensor, weights: Tensor | None, *knots: Tensor, names: tuple[str, ...] | None = None
) -> Directions:
    """Raises unless these make a spline; its directions."""
    if names is None:
        names = knot_names(len(knots))
    _checks.check_floating(
        control_points=control_points, **dict(zip(names, knots, strict=True)), weights=weights
    )
    counts = ", ".join("n" + name.removeprefix("knots") for name in names)
    _checks.check_control_points(control_points, f"{counts}, dim")
    degrees = []
    for axis, (name, t) in enumerate(zip(names, knots, strict=True)):
        if t.ndim != 1:
            raise ValueError(
                f"`{name}` must have one dimension, shared by the batch, here; got shape {tuple(t.shape)}."
            )
        degree = _checks.degree_from_counts(name, t, control_points.shape[axis - len(knots) - 1])
        _checks.check_knots(name, t, degree)
        degrees.append(degree)
    _checks.check_weights(weights, control_points)
    return Directions(tuple(t.double() for t in knots), tuple(degrees))


def knot_names(directions: int) -> tuple[str, ...]:
    """What the public functions call the knots of a curve, a surface or a volume."""
    return ("knots",) if directions == 1 else tuple(f"knots_{letter}" for letter in "uvw"[:directions])


def check_parameters(directions: Directions, *parameters: Tensor, grid: bool = True) -> None:
    """Raises unless there are parameters, of one dimension each and inside the domain, for all directions."""
    names = knot_names(len(directions.knots))
    for letter, name, u, knots, degree in zip(
        "uvw", names, parameters, directions.knots, directions.degrees, strict=False
    ):
        _checks.check_floating(**{letter: u})
        if u.ndim != 1:
            raise ValueError(f"`{letter}` must have one dimension; got shape {tuple(u.shape)}. Flatten it.")
        _checks.check_parameters(letter, u, name, knots, degree)
    if not grid:
        _checks.check_equally_many(**dict(zip("uvw", parameters, strict=False)))


def to_homogeneous(control_points: Tensor, weights: Tensor | None) -> Tensor:
    """The net (w P, w), or P itself where there are no weights."""
    if weights is None:
        return control_points
    w = weights.to(control_points.dtype).unsqueeze(-1)
    return torch.cat([control_points * w, w], -1)


def from_homogeneous(net: Tensor, is_rational: bool) -> tuple[Tensor, Tensor | None]:
    """Control points and weights."""
    return (net[..., :-1] / net[..., -1:], net[..., -1]) if is_rational else (net, None)


def apply_along(matrix: Tensor, net: Tensor, axis: int) -> Tensor:
    """Multiplies one axis of a net by a matrix."""
    return (net.movedim(axis, -1) @ matrix.to(net.dtype).mT).movedim(-1, axis)


def multi_indices(directions: int, order: int) -> list[tuple[int, ...]]:
    """All multi-indices of at most this total order, the lower ones first."""
    found = (index for index in product(range(order + 1), repeat=directions) if sum(index) <= order)
    return sorted(found, key=sum)


def find_all_spans(directions: Directions, parameters: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
    """The span of each parameter in each direction."""
    return tuple(
        find_spans(t, p, u.double().contiguous()) for t, p, u in zip(*directions, parameters, strict=True)
    )


def local_derivatives(
    directions: Directions, parameters: tuple[Tensor, ...], spans: tuple[Tensor, ...], order: int
) -> list[list[Tensor]]:
    """Derivatives of the functions that do not vanish: for each direction order + 1 tensors (p + 1, q)."""
    found = []
    for t, p, u, span in zip(*directions, parameters, spans, strict=True):
        if u.device.type != "cpu":  # values that nobody has checked: NaN, as everywhere in this package
            low, high = t[p].to(u.dtype), t[-p - 1].to(u.dtype)
            u = torch.where((u >= low) & (u <= high) & (t[1:] >= t[:-1]).all(), u, torch.nan)
        found.append(derivative_weights(gather_windows(t, p, span), p, u.double(), order))
    return found


def grid_partials(
    net: Tensor, directions: Directions, parameters: tuple[Tensor, ...], order: int
) -> Partials:
    """Homogeneous partial derivatives on the grid of the parameters, shape (*batch, q_1, ..., q_d, c)."""
    spans = find_all_spans(directions, parameters)
    local = local_derivatives(directions, parameters, spans, order)
    partials = {(): net}
    for axis, (weights, span, p) in enumerate(zip(local, spans, directions.degrees, strict=True)):
        place = axis - len(local) - 1
        indices = local_indices(span, p)
        dense = [w.new_zeros(net.shape[place], len(span)).scatter(0, indices, w).mT for w in weights]
        partials = {
            (*index, k): apply_along(dense[k], tensor, place)
            for index, tensor in partials.items()
            for k in range(order + 1 - sum(index))
        }
    return partials


def scattered_partials(
    net: Tensor,
    directions: Directions,
    parameters: tuple[Tensor, ...],
    order: int,
    spans: tuple[Tensor, ...] | None = None,
) -> Partials:
    """Homogeneous partial derivatives at q single points, shape (*batch, q, c).

    With `spans` given, the polynomial pieces on these spans are evaluated, wherever the parameters lie.
    """
    if spans is None:
        spans = find_all_spans(directions, parameters)
    local = local_derivatives(directions, parameters, spans, order)
    d = len(local)
    counts, columns = net.shape[-d - 1 : -1], len(parameters[0])
    flat = torch.zeros([1] * d + [columns], dtype=torch.long, device=net.device)
    for axis, (span, p) in enumerate(zip(spans, directions.degrees, strict=True)):
        shape = [p + 1 if a == axis else 1 for a in range(d)]
        flat = flat * counts[axis] + local_indices(span, p).reshape(*shape, columns)
    points = net.flatten(-d - 1, -2)[..., flat, :]  # (*batch, p_1 + 1, ..., p_d + 1, q, c)
    partials = {(): points}
    for weights in reversed(local):
        partials = {
            (k, *index): torch.einsum("aq,...aqc->...qc", weights[k].to(net.dtype), tensor)
            for index, tensor in partials.items()
            for k in range(order + 1 - sum(index))
        }
    return partials


def divide(partials: Partials, is_rational: bool) -> Partials:
    r"""The derivatives of S = A / w from those of (A, w), by Leibniz' rule for $w S = A$.

    $$\partial^\alpha S = \frac 1 w \Bigl(\partial^\alpha A - \sum_{0 \ne \beta \le \alpha} \binom\alpha\beta
      \partial^\beta w\; \partial^{\alpha - \beta} S\Bigr)$$

    The NURBS Book, eq. 4.8 and 4.20, for any number of directions.
    """
    if not is_rational:
        return partials
    found: Partials = {}
    for index in sorted(partials, key=sum):
        total = partials[index][..., :-1]
        for lower in product(*(range(k + 1) for k in index)):
            if any(lower):
                rest = tuple(k - m for k, m in zip(index, lower, strict=True))
                factor = prod(comb(k, m) for k, m in zip(index, lower, strict=True))
                total = total - factor * partials[lower][..., -1:] * found[rest]
        found[index] = total / partials[(0,) * len(index)][..., -1:]
    return found


def evaluate_partials(
    control_points: Tensor,
    weights: Tensor | None,
    directions: Directions,
    parameters: tuple[Tensor, ...],
    order: int,
    *,
    grid: bool,
) -> Partials:
    """Partial derivatives of the points, for arguments already checked."""
    net = to_homogeneous(control_points, weights)
    compute = grid_partials if grid else scattered_partials
    partials = divide(compute(net, directions, parameters, order), weights is not None)
    return {index: partials[index] for index in multi_indices(len(directions.knots), order)}
