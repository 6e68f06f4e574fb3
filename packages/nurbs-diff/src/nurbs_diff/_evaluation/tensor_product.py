"""The contraction of a control net with one basis per direction: matrix products and a division.

A net has shape (b, c, n_1, ..., n_d), coordinates first, so that each coordinate of the result is one
contiguous image; a basis has shape (q, n), shared by the samples, or (b, q, n).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence


def contract(bases: Sequence[Tensor], net: Tensor) -> Tensor:
    """All matrix products, net (b, c, n_1, ..., n_d) -> (b, c, q_1, ..., q_d)."""
    for axis, basis in enumerate(bases):
        net = _contract_axis(basis, net, axis)
    return net


def homogeneous(net: Tensor, weights: Tensor) -> Tensor:
    """The coordinates times the weights, and then the weights."""
    return torch.cat([net * weights, weights], dim=1)


def project(homogeneous: Tensor) -> Tensor:
    """Divides all coordinates by the last one, along dimension 1."""
    return homogeneous[:, :-1] / homogeneous[:, -1:]


def _contract_axis(basis: Tensor, net: Tensor, axis: int) -> Tensor:
    """Replaces n by q along dimension `axis + 2`."""
    rest = net.shape[axis + 3 :]
    if not rest:
        return torch.matmul(net, _spread(basis, axis).mT)
    product = torch.matmul(_spread(basis, axis + 1), net.flatten(axis + 3))
    return product.view(*product.shape[:-1], *rest)


def _spread(basis: Tensor, count: int) -> Tensor:
    """Puts `count` axes behind the batch of a basis that has one, for coordinates and other directions."""
    return basis if basis.ndim == 2 else basis.reshape(len(basis), *[1] * count, *basis.shape[1:])


class RationalProduct(torch.autograd.Function):
    r"""Points of a rational tensor-product spline, coordinates first.

    With $H$ the contraction of the homogeneous net $(w P, w)$ the points are S = H_xyz / H_w. One buffer the
    size of H holds S and 1 / H_w; those two and the small nets contracted along some directions are all that
    the backward pass needs: $\bar H_{xyz} = \bar S / H_w$, $\bar H_w = -\sum_{xyz} \bar H_{xyz} S$, then the
    adjoints of the products. The last direction and the division go sample by sample, which then stay in
    cache, and nothing else of the size of the points is held.
    """

    @staticmethod
    def forward(ctx, net: Tensor, weights: Tensor, *bases: Tensor) -> Tensor:
        nets = [homogeneous(net, weights)]
        for axis, basis in enumerate(bases[:-1]):
            nets.append(_contract_axis(basis, nets[-1], axis))
        last, half = bases[-1], nets[-1]
        buffer = half.new_empty(*half.shape[:-1], last.shape[-2])
        for sample in _samples(buffer):
            block = buffer[sample]
            torch.matmul(half[sample], _of_sample(last, sample, len(bases) - 1).mT, out=block)
            block[:, :-1].mul_(block[:, -1:].reciprocal_())
        points, reciprocal = buffer[:, :-1], buffer[:, -1:]
        ctx.save_for_backward(net, weights, points, reciprocal, *bases, *nets)
        return points

    @staticmethod
    def backward(ctx, *grads: Tensor):
        net, weights, points, reciprocal, *rest = ctx.saved_tensors
        (grad,) = grads
        bases, nets = rest[: len(rest) // 2], rest[len(rest) // 2 :]
        if torch.is_grad_enabled():  # a graph of the derivative is asked for: differentiate plain operations
            return _differentiable_backward(net, weights, bases, grad)
        needs_bases = ctx.needs_input_grad[2:]
        found: list[Tensor | None] = [None] * len(bases)
        last, half = bases[-1], nets[-1]
        half_grad = torch.empty_like(half)
        last_grad = torch.zeros_like(last)
        for sample in _samples(points):
            full = _homogeneous_grad(grad[sample], points[sample], reciprocal[sample])
            if needs_bases[-1]:
                part = last_grad if last.ndim == 2 else last_grad[sample]
                part += _basis_adjoint(part, half[sample], full, len(bases) - 1)
            half_grad[sample] = _times_tall(full, _of_sample(last, sample, len(bases) - 1))
        found[-1] = last_grad if needs_bases[-1] else None
        for axis in range(len(bases) - 2, -1, -1):
            if needs_bases[axis]:
                found[axis] = _basis_adjoint(bases[axis], nets[axis], half_grad, axis)
            if any(ctx.needs_input_grad[: axis + 2]):
                half_grad = _contract_axis(bases[axis].mT, half_grad, axis)
        net_grad = half_grad[:, :-1] * weights if ctx.needs_input_grad[0] else None
        weights_grad = None
        if ctx.needs_input_grad[1]:
            weights_grad = (half_grad[:, :-1] * net).sum(1, keepdim=True).add_(half_grad[:, -1:])
        return (net_grad, weights_grad, *found)


def _homogeneous_grad(grad: Tensor, points: Tensor, reciprocal: Tensor) -> Tensor:
    """Gradient with respect to H."""
    full = points.new_empty(len(points), points.shape[1] + 1, *points.shape[2:])
    torch.mul(grad, reciprocal, out=full[:, :-1])
    last = full[:, -1].zero_()
    for coordinate in range(points.shape[1]):  # no temporary of the size of the points
        last.addcmul_(full[:, coordinate], points[:, coordinate], value=-1)
    return full


def _samples(points: Tensor) -> Iterator[slice]:
    """Slices of the batch: one sample at a time on the CPU where that is worth its calls, else all."""
    step = 1 if points.device.type == "cpu" and points[0].numel() > 2**14 else len(points)
    for start in range(0, len(points), step):
        yield slice(start, start + step)


def _of_sample(basis: Tensor, sample: slice, axis: int) -> Tensor:
    """The basis of a last direction, those of the samples if it differs among them."""
    return basis if basis.ndim == 2 else _spread(basis[sample], axis)


def _times_tall(grad: Tensor, basis: Tensor) -> Tensor:
    """Grad @ basis. Transposed, for a matrix with few columns is several times as fast on the left in MKL."""
    if basis.ndim > 2:
        return torch.matmul(basis.mT, grad.mT).mT
    return torch.matmul(basis.mT, grad.reshape(-1, len(basis)).mT).mT.unflatten(0, grad.shape[:-1])


def _basis_adjoint(basis: Tensor, net: Tensor, grad: Tensor, axis: int) -> Tensor:
    """Gradient with respect to the basis of a direction, of the shape of the basis."""
    first = basis.ndim - 2  # a basis of each sample keeps the batch
    net, grad = net.flatten(first, axis + 1), grad.flatten(first, axis + 1)
    if net.ndim == first + 2:  # the last direction: one product
        return torch.matmul(net.mT, grad).mT
    return torch.einsum("...lqt,...lnt->...qn", grad.flatten(first + 2), net.flatten(first + 2))


def _differentiable_backward(
    net: Tensor, weights: Tensor, bases: Sequence[Tensor], grad: Tensor
) -> tuple[Tensor | None, ...]:
    # aliases, so that each gets its partial derivative even where one was computed from another
    aliases = [tensor.view_as(tensor) for tensor in (net, weights, *bases)]
    wanted = [alias for alias in aliases if alias.requires_grad]
    points = project(contract(aliases[2:], homogeneous(aliases[0], aliases[1])))
    found = iter(torch.autograd.grad(points, wanted, grad, create_graph=True))
    return tuple(next(found) if alias.requires_grad else None for alias in aliases)
