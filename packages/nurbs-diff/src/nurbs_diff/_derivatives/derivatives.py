"""All derivatives of curves and surfaces with respect to their parameters."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor

from nurbs_diff._derivatives.partials import check_parameters, checked_directions, evaluate_partials

if TYPE_CHECKING:
    from jaxtyping import Float


def curve_derivatives(
    control_points: Float[Tensor, "*batch n dim"],
    knots: Float[Tensor, "k"],
    u: Float[Tensor, "q"],
    *,
    order: int,
    weights: Float[Tensor, "*batch n"] | None = None,
) -> Float[Tensor, "derivatives *batch q dim"]:
    r"""Points of a B-spline or NURBS curve and its derivatives $C', C'', \dots$ up to `order`.

    Differentiable, repeatedly, with respect to all four tensors. At a knot of multiplicity m the derivatives
    of order above p - m jump; the one from the right is returned, at the end of the domain the one from the
    left.

    Args:
        control_points: P, any dimension, any batch in front; results come in its dtype.
        knots: shared by the batch; the degree follows from the counts.
        u: parameters in the domain, both ends included.
        order: highest derivative, at least 0.
        weights: w > 0; None for a polynomial curve.

    Returns:
        The points and their derivatives, order + 1 tensors in one, as in
        `point, first, second = curve_derivatives(..., order=2)`.

    Raises:
        ValueError: no spline, parameters outside the domain, or a negative order.
        TypeError: an argument is no float32 or float64 tensor.

    O(q p (p + order)) for the bases and O(q n dim) for each order. Piegl & Tiller, *The NURBS Book*, A2.3 and
    eq. 4.8.

    >>> import torch
    >>> parabola = torch.tensor([[0.0, 0.0], [0.5, 0.0], [1.0, 1.0]])  # (u, u^2)
    >>> knots = torch.tensor([0.0, 0.0, 0.0, 1.0, 1.0, 1.0])
    >>> curve_derivatives(parabola, knots, torch.tensor([0.5]), order=2)[:, 0]
    tensor([[0.5000, 0.2500],
            [1.0000, 1.0000],
            [0.0000, 2.0000]])
    """
    directions = checked_directions(control_points, weights, knots)
    check_parameters(directions, u)
    check_order(order)
    partials = evaluate_partials(control_points, weights, directions, (u,), order, grid=True)
    return torch.stack([partials[k,] for k in range(order + 1)])


def surface_derivatives(
    control_points: Float[Tensor, "*batch n_u n_v dim"],
    knots_u: Float[Tensor, "k_u"],
    knots_v: Float[Tensor, "k_v"],
    u: Float[Tensor, "r"],
    v: Float[Tensor, "s"],
    *,
    order: int,
    weights: Float[Tensor, "*batch n_u n_v"] | None = None,
    grid: bool = True,
) -> dict[tuple[int, int], Float[Tensor, "..."]]:
    r"""Points of a surface and all partial derivatives $\partial_u^i \partial_v^j S$ with i + j <= `order`.

    Differentiable, repeatedly, with respect to all six tensors; see `curve_derivatives` for what happens at
    knots.

    Args:
        control_points: P, any dimension, any batch in front; results come in its dtype.
        knots_u: knots of the first direction, shared by the batch.
        knots_v: knots of the second direction, shared by the batch.
        u: parameters of the first direction.
        v: parameters of the second direction.
        order: highest total order, at least 0.
        weights: w > 0; None for a polynomial surface.
        grid: whether to evaluate on the grid u x v, or at the single points (u[i], v[i]), of which there must
            then be equally many.

    Returns:
        From (i, j) to a tensor of shape (*batch, r, s, dim), with `grid=False` (*batch, r, dim).

    Raises:
        ValueError: no spline, parameters outside the domain, or a negative order.
        TypeError: an argument is no float32 or float64 tensor.

    Piegl & Tiller, *The NURBS Book*, A3.6 and eq. 4.20.

    >>> import torch
    >>> saddle = torch.tensor([[[0.0, 0, 0], [0, 1, 0]], [[1, 0, 0], [1, 1, 1]]])  # (u, v, u v)
    >>> knots = torch.tensor([0.0, 0.0, 1.0, 1.0])
    >>> u, v = torch.tensor([0.5]), torch.tensor([0.2])
    >>> derivatives = surface_derivatives(saddle, knots, knots, u, v, order=2)
    >>> derivatives[1, 0].squeeze(), derivatives[1, 1].squeeze()
    (tensor([1.0000, 0.0000, 0.2000]), tensor([0., 0., 1.]))
    """
    directions = checked_directions(control_points, weights, knots_u, knots_v)
    check_parameters(directions, u, v, grid=grid)
    check_order(order)
    partials = evaluate_partials(control_points, weights, directions, (u, v), order, grid=grid)
    return {(i, j): tensor for (i, j), tensor in partials.items()}


def check_order(order: object) -> None:
    """Raises unless `order` is an integer >= 0."""
    if isinstance(order, bool) or not isinstance(order, int):
        raise TypeError(f"`order` must be an int; got {order!r}.")
    if order < 0:
        raise ValueError(f"`order` must be at least 0; got {order}.")
