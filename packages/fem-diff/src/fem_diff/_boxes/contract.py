"""Sum factorisation: nodal values to quadrature points and back, one direction after the other.

A tensor-product element never needs its (q^D x (d+1)^D) basis matrix: the one-dimensional matrices (q x
(d+1)) are applied direction by direction. Each step contracts the last axis and writes it as the first, so
that after D steps the axes stand in their old order, and every product runs over contiguous rows.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import reduce
from typing import TYPE_CHECKING

import torch
from torch import Tensor

if TYPE_CHECKING:
    from jaxtyping import Float


@dataclass(frozen=True)
class BoxTables:
    """One-dimensional basis matrices at the points of a quadrature rule, on one device.

    Attributes:
        degree: of the elements.
        periodic: for each direction whether its last node is its first.
        values: basis values, one matrix for every direction (the reference element is the same).
        derivatives: basis derivatives per direction, in units of that direction: one matrix for all cells or,
            where their widths differ, one for each.
        axis_weights: the weights of the rule along each direction.
        weights: the weights of the tensor-product rule on the whole mesh.
    """

    degree: int
    periodic: tuple[bool, ...]
    values: Float[Tensor, "q local"]
    derivatives: tuple[Float[Tensor, "... q local"], ...]
    axis_weights: tuple[Float[Tensor, " _"], ...]
    weights: Float[Tensor, "*points"]

    @property
    def ndim(self) -> int:
        """The number of directions."""
        return len(self.derivatives)

    @property
    def axes(self) -> int:
        """The number of axes of an array of nodal values."""
        return self.ndim

    def evaluate(self, u: Tensor, *, gradient: bool = True, value: bool = True) -> list[Tensor]:
        """Partial derivatives (with `gradient`) and last the value (with `value`) at the points."""
        ndim, degree = self.ndim, self.degree
        partials: list[Tensor] = []
        for axis in reversed(range(ndim)):
            shape = (degree, ndim, self.periodic[axis])
            partials = [_interpolate(part, self.values, *shape) for part in partials]
            if gradient:
                partials.insert(0, _interpolate(u, self.derivatives[axis], *shape))
            if axis or value:
                u = _interpolate(u, self.values, *shape)
        return [*partials, u] if value else partials

    def assemble(self, parts: list[Tensor], *, gradient: bool = True, value: bool = True) -> Tensor:
        """The transpose of `evaluate`, from as many parts as that one returns to nodal values."""
        ndim, degree = self.ndim, self.degree
        partials = list(parts[:ndim]) if gradient else []
        total = parts[-1] if value else None
        for axis in range(ndim):
            shape = (degree, ndim, self.periodic[axis])
            total = None if total is None else _accumulate(total, self.values, *shape)
            if gradient:
                share = _accumulate(partials.pop(0), self.derivatives[axis], *shape)
                total = share if total is None else total.add_(share)
                partials = [_accumulate(part, self.values, *shape) for part in partials]
        if total is None:
            raise ValueError("nothing to assemble: give the parts of the gradient, of the value, or both.")
        return total.contiguous()

    def across(self, axis: int) -> BoxTables:
        """The tables of the faces across a direction: those of the other directions."""
        derivatives, weights = (
            (*parts[:axis], *parts[axis + 1 :]) for parts in (self.derivatives, self.axis_weights)
        )
        periodic = (*self.periodic[:axis], *self.periodic[axis + 1 :])
        product = product_of(weights, like=self.weights)
        return BoxTables(self.degree, periodic, self.values, derivatives, weights, product)


def product_of(weights: tuple[Tensor, ...], *, like: Tensor) -> Tensor:
    """The outer product of one-dimensional arrays; 1 of none."""
    return reduce(lambda product, axis: product[..., None] * axis, weights, like.new_ones(()))


def _interpolate(u: Tensor, matrix: Tensor, degree: int, ndim: int, periodic: bool) -> Tensor:
    """(*batch, a, ..., z) -> (*batch, z at the points, a, ...): contracts the last axis, puts it first."""
    batch, rest = u.shape[: u.dim() - ndim], u.shape[u.dim() - ndim : -1]
    rows = u.reshape(batch.numel(), rest.numel(), -1).transpose(1, 2)
    rows = torch.cat([rows, rows[:, :1]], 1) if periodic else rows.contiguous()
    nodes = rows.unfold(1, degree + 1, degree).unsqueeze(2)  # (batch, element, 1, rest, local node), a view
    out = u.new_empty(batch.numel(), nodes.shape[1], matrix.shape[-2], rest.numel())
    torch.mul(nodes[..., 0], matrix[..., 0, None], out=out)
    for i in range(1, degree + 1):  # a few long products are faster than many small matrix products
        out.addcmul_(nodes[..., i], matrix[..., i, None])
    return out.view(*batch, -1, *rest)


def _accumulate(v: Tensor, matrix: Tensor, degree: int, ndim: int, periodic: bool) -> Tensor:
    """The transpose of `_interpolate`: the first axis is contracted, summed over elements, and goes last."""
    batch, rest = v.shape[: v.dim() - ndim], v.shape[v.dim() - ndim + 1 :]
    points = v.reshape(batch.numel(), -1, matrix.shape[-2], rest.numel())
    elements = points.shape[1]
    out = v.new_empty(batch.numel(), elements * degree + (not periodic), rest.numel())
    inner = out[:, : elements * degree].unflatten(
        1, (elements, degree)
    )  # all local nodes but the last, which the next element owns
    torch.mul(points[:, :, 0, None], matrix[..., 0, :degree, None], out=inner)
    last = points[:, :, 0] * matrix[..., 0, degree, None]
    for k in range(1, matrix.shape[-2]):
        inner.addcmul_(points[:, :, k, None], matrix[..., k, :degree, None])
        last.addcmul_(points[:, :, k], matrix[..., k, degree, None])
    if periodic:
        out[:, 0] += last[:, -1]
        out[:, degree::degree] += last[:, :-1]
    else:
        out[:, -1] = 0
        out[:, degree::degree] += last
    return out.transpose(1, 2).reshape(*batch, *rest, -1)


def repeated(values: Tensor, points: int, ndim: int) -> Tensor:
    """One value per element, brought to its quadrature points."""
    for axis in range(-ndim, 0):
        values = values.repeat_interleave(points, axis)
    return values
