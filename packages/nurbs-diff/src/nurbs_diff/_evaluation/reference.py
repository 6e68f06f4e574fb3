"""Cox-de Boor recursion as printed, differentiated by autograd: the yardstick, and the paper's gradient."""

from __future__ import annotations

import math

import torch
from torch import Tensor


class _SmoothedBox(torch.autograd.Function):
    """Box functions whose derivative with respect to the knots is that of a box smoothed by a Gaussian."""

    @staticmethod
    def forward(ctx, knots: Tensor, u: Tensor, degree: int, bandwidth: float) -> Tensor:
        ctx.save_for_backward(knots, u)
        ctx.bandwidth = bandwidth
        return boxes(knots, u, degree)

    @staticmethod
    def backward(ctx, *grads: Tensor):
        knots, u = ctx.saved_tensors
        (grad,) = grads
        scaled = (u - knots) / ctx.bandwidth
        delta = torch.exp(-0.5 * scaled**2) / (math.sqrt(2 * math.pi) * ctx.bandwidth)
        # box_i = step(u - t_i) - step(u - t_{i+1}): its derivative is -delta at t_i and +delta at t_{i+1}.
        pad = torch.nn.functional.pad
        per_parameter = (pad(grad, (1, 0)) - pad(grad, (0, 1))) * delta
        return per_parameter.sum_to_size(knots.shape), None, None, None


def boxes(knots: Tensor, u: Tensor, degree: int) -> Tensor:
    """The functions of degree 0: 1 where t_i <= u < t_{i+1}, the last non-empty span of the domain closed.

    A parameter that rounding to float32 has put just outside the domain belongs to the first or last span.
    Knots and parameters broadcast: (..., 1, k) and (..., q, 1).
    """
    lower, upper = knots[..., :-1], knots[..., 1:]
    inside = (lower <= u) & (u < upper)
    start, end = knots[..., degree, None], knots[..., -degree - 1, None]
    opening = (lower == start) & (upper > start)
    closing = (lower < end) & (upper == end)
    return torch.where(u >= end, closing, torch.where(u < start, opening, inside)).to(knots.dtype)


def basis_by_recursion(knots: Tensor, degree: int, u: Tensor, *, bandwidth: float | None = None) -> Tensor:
    r"""All B-spline basis functions by DSA eq. 4 in differentiable operations, with 0/0 = 0.

    Args:
        knots: shape (..., k).
        degree: p.
        u: parameters, shape (..., q).
        bandwidth: None for the derivative of the recursion with its boxes held fixed, which is exact; a
            number sigma for the paper's: the box $N_{i,0} = H(u - t_i) - H(u - t_{i+1})$ then gets the
            derivative $-g_\sigma(u - t_i)$ with respect to $t_i$ and $+g_\sigma(u - t_{i+1})$ with respect to
            $t_{i+1}$, $g_\sigma$ the density of the normal distribution, carried upwards by the recursion.

    Returns:
        Collocation matrix, shape (..., q, n).
    """
    knots, u = knots.unsqueeze(-2) if knots.ndim > 1 else knots, u.unsqueeze(-1)
    values = boxes(knots, u, degree) if bandwidth is None else _SmoothedBox.apply(knots, u, degree, bandwidth)
    for d in range(1, degree + 1):
        widths = knots[..., d:] - knots[..., :-d]
        is_empty = widths == 0
        safe = torch.where(is_empty, 1.0, widths)  # the inner `where`: no 0/0 reaches the derivative
        quotients = torch.where(is_empty, 0.0, values / safe)
        rising = (u - knots[..., : -d - 1]) * quotients[..., :-1]
        values = rising + (knots[..., d + 1 :] - u) * quotients[..., 1:]
    return values
