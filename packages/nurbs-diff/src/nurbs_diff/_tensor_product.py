"""The contraction of a control net with one basis per direction: two matrix products and a division."""

from __future__ import annotations

import torch
from torch import Tensor


def contract(basis_u: Tensor, basis_v: Tensor, net: Tensor) -> Tensor:
    """Two matrix products, net (b, c, n_u, n_v) -> (b, c, r, s)."""
    return torch.matmul(torch.matmul(basis_u, net), basis_v.mT)


def project(homogeneous: Tensor) -> Tensor:
    """Divides all coordinates by the last one, along dimension 1."""
    return homogeneous[:, :-1] / homogeneous[:, -1:]


class RationalProduct(torch.autograd.Function):
    r"""Points of a rational tensor-product surface, coordinates first.

    With $H = B_u \tilde P B_v^T$ for the homogeneous net $\tilde P = (w P, w)$ the points are S = H_xyz /
    H_w. One buffer the size of H holds S and 1 / H_w; those two and the small half-contracted net are all
    that the backward pass needs: $\bar H_{xyz} = \bar S / H_w$, $\bar H_w = -\sum_{xyz} \bar H_{xyz} S$, then
    the adjoints of the two products.
    """

    @staticmethod
    def forward(ctx, basis_u: Tensor, basis_v: Tensor, net: Tensor) -> Tensor:
        half = torch.matmul(basis_u, net)
        buffer = torch.matmul(half, basis_v.mT)
        reciprocal = buffer[:, -1:].reciprocal_()
        points = buffer[:, :-1].mul_(reciprocal)
        ctx.save_for_backward(basis_u, basis_v, net, half, points, reciprocal)
        return points

    @staticmethod
    def backward(ctx, *grads: Tensor):
        basis_u, basis_v, net, half, points, reciprocal = ctx.saved_tensors
        (grad,) = grads
        needs = ctx.needs_input_grad
        if torch.is_grad_enabled():  # a graph of the derivative is asked for: differentiate plain operations
            return _differentiable_backward(basis_u, basis_v, net, grad)
        b, c, r, s = (*net.shape[:2], *points.shape[2:])
        full = points.new_empty(b, c, r, s)
        torch.mul(grad, reciprocal, out=full[:, :-1])
        last = full[:, -1].zero_()
        for coordinate in range(c - 1):  # no temporary of the size of the points
            last.addcmul_(full[:, coordinate], points[:, coordinate], value=-1)
        u_grad = v_grad = net_grad = None
        if needs[1]:
            v_grad = torch.matmul(half.reshape(-1, net.shape[3]).mT, full.reshape(-1, s)).mT
        if needs[0] or needs[2]:
            full_v = torch.matmul(full, basis_v)
            if needs[0]:
                u_grad = torch.einsum("bcrm,bcnm->rn", full_v, net)
            if needs[2]:
                net_grad = torch.matmul(basis_u.mT, full_v)
        return u_grad, v_grad, net_grad


def _differentiable_backward(
    basis_u: Tensor, basis_v: Tensor, net: Tensor, grad: Tensor
) -> tuple[Tensor | None, ...]:
    # aliases, so that each gets its partial derivative even where one was computed from another
    aliases = [tensor.view_as(tensor) for tensor in (basis_u, basis_v, net)]
    wanted = [alias for alias in aliases if alias.requires_grad]
    found = iter(torch.autograd.grad(project(contract(*aliases)), wanted, grad, create_graph=True))
    return tuple(next(found) if alias.requires_grad else None for alias in aliases)
