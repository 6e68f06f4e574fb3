"""The same spline in another representation: refined, elevated, cut, reversed.

Each works along one axis of the homogeneous net by a matrix, so curves, surfaces and volumes are one case,
and the results are differentiable in control points, weights and knots.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, NamedTuple, TypeVar

import torch
from torch import Tensor

from nurbs_diff import _checks
from nurbs_diff._derivatives.partials import (
    Directions,
    apply_along,
    checked_directions,
    from_homogeneous,
    knot_names,
    to_homogeneous,
)
from nurbs_diff._refinement.operators import (
    bezier_extraction,
    degree_elevation_matrix,
    knot_insertion_matrix,
    operators_between,
)
from nurbs_diff._splines import Curve, Surface, Volume

if TYPE_CHECKING:
    from jaxtyping import Float

Spline = TypeVar("Spline", Curve, Surface, Volume)
Direction = Literal["u", "v", "w"]


class BezierPatches(NamedTuple):
    """The Bezier form of a spline: one polynomial or rational piece for each span, or box of spans.

    Attributes:
        control_points: for a surface (*batch, m_u, m_v, p + 1, q + 1, dim), with m_u times m_v pieces.
        weights: likewise without the last axis; None for a polynomial spline.
        breakpoints: the ends of the pieces, for each direction.

    >>> import torch
    >>> from nurbs_diff import uniform_knots
    >>> len(extract_bezier(Curve(torch.rand(5, 2), uniform_knots(5, degree=2))).breakpoints)
    1
    """

    control_points: Float[Tensor, "..."]
    weights: Float[Tensor, "..."] | None
    breakpoints: tuple[Float[Tensor, "_"], ...]


def insert_knots(spline: Spline, new_knots: Float[Tensor, "m"], *, direction: Direction = "u") -> Spline:
    """Inserts knots; the shape stays as it is.

    Args:
        spline: a `Curve`, `Surface` or `Volume`.
        new_knots: in the domain, in any order; a value may stand up to p + 1 times, which cuts the spline
            there.
        direction: of the knots.

    Returns:
        The same spline with m more control points in that direction; see `knot_insertion_matrix`.

    Raises:
        ValueError: no spline, no such direction, or knots that cannot be inserted.

    >>> import torch
    >>> from nurbs_diff import uniform_knots
    >>> curve = Curve(torch.rand(4, 2), uniform_knots(4, degree=3))
    >>> insert_knots(curve, torch.tensor([0.5, 0.5])).control_points.shape
    torch.Size([6, 2])
    """
    axis, knots, degree = along(spline, direction)
    return _transformed(spline, axis, *knot_insertion_matrix(knots, degree, new_knots))


def elevate_degree(spline: Spline, times: int = 1, *, direction: Direction = "u") -> Spline:
    """Raises the degree; the shape stays as it is, and so does its smoothness at the knots.

    Args:
        spline: a `Curve`, `Surface` or `Volume`.
        times: by how much.
        direction: in which.

    Returns:
        The same spline; see `degree_elevation_matrix`.

    Raises:
        ValueError: no spline, no such direction, or `times` negative.

    >>> import torch
    >>> from nurbs_diff import uniform_knots
    >>> curve = Curve(torch.rand(4, 2), uniform_knots(4, degree=2))
    >>> elevate_degree(curve, 2).control_points.shape  # two spans of degree 4, twice differentiable no longer
    torch.Size([8, 2])
    """
    _checks.check_degree("times", times)
    for _ in range(times):
        axis, knots, degree = along(spline, direction)
        spline = _transformed(spline, axis, *degree_elevation_matrix(knots, degree))
    return spline


def split(spline: Spline, at: float, *, direction: Direction = "u") -> tuple[Spline, Spline]:
    """Cuts a spline in two at a parameter.

    Args:
        spline: a `Curve`, `Surface` or `Volume`.
        at: strictly inside the domain.
        direction: of the parameter.

    Returns:
        The part before and the part after. The knots stay what they were, clamped at the cut.

    Raises:
        ValueError: no spline, no such direction, or `at` not inside the domain.

    >>> import torch
    >>> from nurbs_diff import uniform_knots
    >>> left, right = split(Curve(torch.rand(4, 2), uniform_knots(4, degree=3)), 0.25)
    >>> left.knots[-1].item(), right.knots[0].item()
    (0.25, 0.25)
    """
    axis, knots, degree = along(spline, direction)
    _check_inside("at", at, knots, degree)
    present = int((knots == at).sum())
    new = knots.new_full((degree + 1 - present,), at)
    net, finer = net_of(spline), knots
    if len(new):
        matrix, finer = knot_insertion_matrix(knots, degree, new)
        net = apply_along(matrix, net, axis)
    place = int((finer < at).sum())
    before, after = net.split([place, net.shape[axis] - place], axis)
    return (
        rebuilt(spline, before, axis, finer[: place + degree + 1]),
        rebuilt(spline, after, axis, finer[place:]),
    )


def extract_bezier(spline: Curve | Surface | Volume) -> BezierPatches:
    """The Bezier pieces of a spline, by its extraction operators in every direction.

    Args:
        spline: a `Curve`, `Surface` or `Volume`, clamped or not.

    Returns:
        The control points and weights of all pieces.

    Raises:
        ValueError: no spline.

    >>> import torch
    >>> from nurbs_diff import uniform_knots
    >>> knots = uniform_knots(5, degree=3)
    >>> extract_bezier(Surface(torch.rand(5, 4, 3), knots, uniform_knots(4, degree=3))).control_points.shape
    torch.Size([2, 1, 4, 4, 3])
    """
    directions = _checked(spline)
    breakpoints = tuple(
        bezier_extraction(t, p).breakpoints for t, p in zip(spline[1:-1], directions.degrees, strict=True)
    )
    net = bezier_net(net_of(spline), directions, breakpoints)
    return BezierPatches(*from_homogeneous(net, spline.weights is not None), breakpoints)


def bezier_net(net: Tensor, directions: Directions, breakpoints: tuple[Tensor, ...]) -> Tensor:
    """Homogeneous Bezier points for all boxes of intervals of which each lies in one span.

    Shape (*batch, m_1, ..., m_d, p_1 + 1, ..., p_d + 1, c).
    """
    d = len(breakpoints)
    axis = -d - 1  # of the next direction: one goes, and its Bezier index comes before the coordinates
    for t, p, x in zip(*directions, breakpoints, strict=True):
        operators, first = operators_between(t, p, x)
        index = first[:, None] + torch.arange(p + 1, device=first.device)
        pieces = net.index_select(axis, index.reshape(-1)).unflatten(axis, index.shape)
        pieces = pieces.movedim((axis - 1, axis), (0, 1))
        points = torch.einsum("eaj,ea...->ej...", operators.to(net.dtype), pieces)
        net = points.movedim((0, 1), (axis - 1, -2))
    return net


def reverse(spline: Spline, *, direction: Direction = "u") -> Spline:
    """Runs through one direction backwards, over the same domain; a surface's normals turn over.

    Args:
        spline: a `Curve`, `Surface` or `Volume`.
        direction: which.

    Returns:
        The spline with parameter a + b - u for u in [a, b].

    Raises:
        ValueError: no spline or no such direction.

    >>> import torch
    >>> from nurbs_diff import uniform_knots
    >>> reverse(Curve(torch.tensor([[0.0], [1.0]]), uniform_knots(2, degree=1))).control_points.ravel()
    tensor([1., 0.])
    """
    axis, knots, degree = along(spline, direction)
    backwards = (knots[degree] + knots[-degree - 1]) - knots.flip(0)
    return rebuilt(spline, net_of(spline).flip(axis), axis, backwards)


def swap_directions(spline: Spline, first: Direction = "u", second: Direction = "v") -> Spline:
    """Exchanges two directions; a surface's normals turn over.

    Args:
        spline: a `Surface` or `Volume`.
        first: one direction.
        second: the other.

    Returns:
        The spline with S'(u, v) = S(v, u).

    Raises:
        ValueError: no spline or no such directions.

    >>> import torch
    >>> from nurbs_diff import uniform_knots
    >>> surface = Surface(torch.rand(5, 4, 3), uniform_knots(5, degree=2), uniform_knots(4, degree=3))
    >>> swap_directions(surface).control_points.shape
    torch.Size([4, 5, 3])
    """
    (a, knots_a, _), (b, knots_b, _) = along(spline, first), along(spline, second)
    net = net_of(spline).transpose(a, b)
    swapped = rebuilt(spline, net, a, knots_b)
    return rebuilt(swapped, net, b, knots_a)


def _checked(spline: Curve | Surface | Volume) -> Directions:
    if not isinstance(spline, Curve | Surface | Volume):
        raise TypeError(
            f"`spline` must be a Curve, Surface or Volume; got {type(spline).__name__}. Wrap the tensors: "
            f"Curve(control_points, knots, weights)."
        )
    return checked_directions(spline.control_points, spline.weights, *spline[1:-1])


def along(spline: Curve | Surface | Volume, direction: str) -> tuple[int, Tensor, int]:
    """Axis, from the end of the net, knots and degree of a direction."""
    directions = _checked(spline)
    d = len(directions.knots)
    _checks.check_choice("direction", direction, "uvw"[:d])
    place = "uvw".index(direction)
    return place - d - 1, getattr(spline, knot_names(d)[place]), directions.degrees[place]


def net_of(spline: Curve | Surface | Volume) -> Tensor:
    """The homogeneous net."""
    return to_homogeneous(spline.control_points, spline.weights)


def rebuilt(spline: Spline, net: Tensor, axis: int, knots: Tensor) -> Spline:
    """The spline with another net, and other knots along one axis."""
    control_points, weights = from_homogeneous(net, spline.weights is not None)
    names = knot_names(len(spline) - 2)
    return spline._replace(
        control_points=control_points, weights=weights, **{names[axis + len(names) + 1]: knots}
    )


def _transformed(spline: Spline, axis: int, matrix: Tensor, knots: Tensor) -> Spline:
    return rebuilt(spline, apply_along(matrix, net_of(spline), axis), axis, knots)


def _check_inside(name: str, value: float, knots: Tensor, degree: int) -> None:
    low, high = float(knots[degree]), float(knots[-degree - 1])
    if not low < value < high:
        raise ValueError(f"`{name}` must lie inside the domain ({low:g}, {high:g}); got {value:g}.")
