"""Distances between a function of a space and an exact solution."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import torch
from torch import Tensor

if TYPE_CHECKING:
    from jaxtyping import Float

    from fem_diff._field import Field

Exact = Callable[..., Tensor]


def l2_error(field: Field, exact: Exact) -> Float[Tensor, "*batch"]:
    r"""$\|u - u_{ex}\|_{L^2} = (\int (u - u_{ex})^2)^{1/2}$.

    By a Gauss rule with d + 4 points per direction and cell: at d + 1 points the error looks too small.

    Args:
        field: u, such as a `Solution`.
        exact: u_ex, takes the coordinates as tensors and returns the values.
    """
    difference, weights = _at_points(field, exact, gradient=False)
    return _norm(difference[-1].square() * weights, field)


def h1_error(field: Field, exact: Exact) -> Float[Tensor, "*batch"]:
    r"""$\|u - u_{ex}\|_{H^1} = (\int (u - u_{ex})^2 + |\nabla u - \nabla u_{ex}|^2)^{1/2}$.

    By the rule of `l2_error`.

    Args:
        field: u, such as a `Solution`.
        exact: u_ex, written in torch functions of the coordinates: its gradient is taken by autograd.
    """
    differences, weights = _at_points(field, exact, gradient=True)
    return _norm(sum((part.square() for part in differences), torch.zeros_like(weights)) * weights, field)


def nodal_rms(field: Field, exact: Exact) -> Float[Tensor, "*batch"]:
    r"""$(\frac1N \sum_i (u_i - u_{ex}(x_i))^2)^{1/2}$ over all N nodes, those on the boundary included.

    Most likely the norm of the paper's Table 5, which it calls "L2 norm" without a formula: this one agrees
    best with its figures (our inference).

    At the nodes the solution can be far closer to the exact one than in between (on a regular
    mesh by whole orders in h), so this is no bound for the L2 error.
    """
    difference = field.u.detach() - exact(*field.space.nodes(like=field.u))
    return difference.square().mean(tuple(range(-field.space.axes, 0))).sqrt()


def _norm(density: Tensor, field: Field) -> Tensor:
    return density.sum(tuple(range(-field.space.axes, 0))).sqrt()


def _at_points(field: Field, exact: Exact, *, gradient: bool) -> tuple[list[Tensor], Tensor]:
    """Differences of the partial derivatives (with `gradient`), then of the values; and the weights."""
    points = field.space.degree + 4
    tables = field.space.tabulate(points, like=field.u)
    coordinates = field.space.quadrature_points(points, like=field.u)
    with torch.enable_grad():
        coordinates = [x.clone().requires_grad_(gradient) for x in coordinates]
        values = exact(*coordinates)
        expected = []
        if gradient:
            total = values.sum() + sum(
                0 * x.sum() for x in coordinates
            )  # keeps coordinates that are not used
            expected = list(torch.autograd.grad(total, coordinates))
    expected.append(values.detach())
    found = tables.evaluate(field.u.detach(), gradient=gradient)
    return [a - b for a, b in zip(found, expected, strict=True)], tables.weights
