"""Blossoms: what knot insertion, degree elevation and Bezier extraction have in common.

The polynomial piece of a spline on one span has a blossom f(a_1, ..., a_p): symmetric, affine in each
argument, and f(u, ..., u) is the point at u. Every control point of every other representation of that piece
is a value of f (Ramshaw, *Blossoming*, 1987; The NURBS Book, section 5 has the cases). So one recursion
serves them all.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor

if TYPE_CHECKING:
    from collections.abc import Sequence


def blossom_weights(windows: Tensor, arguments: Sequence[Tensor]) -> Tensor:
    r"""Weights of the control points $P_{k-p}, ..., P_k$ in the blossom of the piece on span k.

    Level d of the recursion of Cox and de Boor takes the d-th argument in place of u.

    Args:
        windows: knots t_{k-p+1}, ..., t_{k+p}, shape (2p, ...).
        arguments: a_1, ..., a_p, each broadcastable to the trailing shape of `windows`.

    Returns:
        Shape (p + 1, ...); they sum to 1.
    """
    degree = len(arguments)
    values = windows.new_ones(1, *windows.shape[1:])
    for d, argument in enumerate(arguments, start=1):
        low, high = windows[degree - d : degree], windows[degree : degree + d]
        quotients = values / (high - low)
        values = raise_by((high - argument) * quotients, (argument - low) * quotients)
    return values


def derivative_weights(windows: Tensor, degree: int, u: Tensor, order: int) -> list[Tensor]:
    r"""Derivatives 0 to `order` in u of the p + 1 basis functions that live on each span.

    The k-th derivative of the functions of degree p comes from the values of those of degree p - k by k times
    $N'_{i,d} = d\,(N_{i,d-1} / (t_{i+d} - t_i) - N_{i+1,d-1} / (t_{i+d+1} - t_{i+1}))$ (The NURBS Book, eq.
    2.7).

    Args:
        windows: knots t_{k-p+1}, ..., t_{k+p} around the span of each parameter, shape (2p, ...).
        degree: p.
        u: parameters, broadcastable to the trailing shape of `windows`.
        order: highest derivative, >= 0.

    Returns:
        order + 1 tensors of shape (p + 1, ...).
    """
    values = [windows.new_ones(1, *windows.shape[1:])]  # of degree 0, 1, ..., p
    for d in range(1, degree + 1):
        low, high = windows[degree - d : degree], windows[degree : degree + d]
        quotients = values[-1] / (high - low)
        values.append(raise_by((high - u) * quotients, (u - low) * quotients))
    derivatives = [values[degree]]
    for k in range(1, min(order, degree) + 1):
        raised = values[degree - k]
        for d in range(degree - k + 1, degree + 1):
            low, high = windows[degree - d : degree], windows[degree : degree + d]
            slopes = d * raised / (high - low)
            raised = raise_by(-slopes, slopes)
        derivatives.append(raised)
    derivatives += [torch.zeros_like(values[degree])] * (order - min(order, degree))
    return derivatives


def raise_by(to_left: Tensor, to_right: Tensor) -> Tensor:
    """What d functions of one degree give to the d + 1 of the next."""
    none = torch.zeros_like(to_left[:1])
    return torch.cat([to_left, none]) + torch.cat([none, to_right])
