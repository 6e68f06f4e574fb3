"""The levels of multigrid: resistor networks on nested meshes, and the interpolation between them."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import reduce
from typing import TYPE_CHECKING

import torch
from torch import Tensor

if TYPE_CHECKING:
    from jaxtyping import Bool, Float


def _part(u: Tensor, axis: int, part: slice) -> Tensor:
    """A view of `u` along one axis, which is counted from the end."""
    return u[(..., part, *(slice(None),) * (-axis - 1))]


def _spread(cells: Tensor, axis: int) -> Tensor:
    """What cells hold, given in halves to the nodes at their two ends along `axis`."""
    half = cells * 0.5
    zero = torch.zeros_like(_part(half, axis, slice(0, 1)))
    return torch.cat([half, zero], axis) + torch.cat([zero, half], axis)


def grouped(widths: list[float]) -> list[int]:
    """The ends of groups of neighbouring cells: pairs, and one group of three where their number is odd.

    The three are those that stay narrowest together, so that cells never come to differ by more than a factor
    of about two, however often this is repeated.
    """
    count = len(widths)
    if count % 2 == 0:
        return list(range(0, count + 1, 2))
    start = min(range(0, count - 2, 2), key=lambda i: sum(widths[i : i + 3]))
    return [*range(0, start + 1, 2), *range(start + 3, count + 1, 2)]


class Transfer:
    """Interpolation along one axis from the ends of groups of cells to all nodes, linear in resistance.

    A node inside a group takes the value that makes the current along the axis constant: for equal
    conductances this is linear interpolation, where conductances jump it follows the kink of the solution.

    Args:
        conductance: of the fine edges along the axis, with a leading batch axis.
        axis: counted from the end.
        groups: the ends of the groups of edges, from `grouped`.
    """

    def __init__(self, conductance: Float[Tensor, "#batch ..."], axis: int, groups: list[int]) -> None:
        self.axis = axis
        self.fine, self.coarse = conductance.shape[axis] + 1, len(groups)
        self.kept = torch.tensor(groups, device=conductance.device)
        group = torch.arange(self.coarse - 1, device=conductance.device).repeat_interleave(self.kept.diff())
        resistance = conductance.reciprocal()
        shape = list(conductance.shape)
        shape[axis] = self.coarse - 1
        total = conductance.new_zeros(shape).index_add_(axis, group, resistance)
        before = resistance.cumsum(axis) - resistance
        before = before - before.index_select(axis, self.kept[:-1]).index_select(axis, group)
        self.conductance = total.reciprocal()
        # A fine node's share of the coarse node to its right; the rest is that of the one to its left.
        self.share = before / total.index_select(axis, group)
        self.left = group
        self.pairs = self.fine == 2 * self.coarse - 1
        if self.pairs:  # the usual case, which needs no index: every second node is kept
            self.share = _part(self.share, axis, slice(1, None, 2)).contiguous()
        else:
            last = torch.ones_like(_part(self.share, axis, slice(0, 1)))
            self.share = torch.cat([self.share, last], axis)
            self.left = torch.cat([group, group[-1:]])

    def prolong(self, coarse: Tensor) -> Tensor:
        """Coarse to fine nodes."""
        axis = self.axis
        if not self.pairs:
            left, right = (coarse.index_select(axis, self.left + k) for k in (0, 1))
            return torch.lerp(left, right, self.share)
        shape = list(coarse.shape)
        shape[axis] = self.fine
        fine = coarse.new_empty(shape)
        _part(fine, axis, slice(0, None, 2)).copy_(coarse)
        left, right = _part(coarse, axis, slice(None, -1)), _part(coarse, axis, slice(1, None))
        torch.lerp(left, right, self.share, out=_part(fine, axis, slice(1, None, 2)))
        return fine

    def restrict(self, fine: Tensor, share: Tensor | None = None) -> Tensor:
        """The transpose of `prolong`; `share` stands in for the nodes' own shares if given."""
        axis = self.axis
        share = self.share if share is None else share
        if not self.pairs:
            shape = list(fine.shape)
            shape[axis] = self.coarse
            right = fine * share
            coarse = fine.new_zeros(shape).index_add_(axis, self.left, fine - right)
            return coarse.index_add_(axis, self.left + 1, right)
        coarse = _part(fine, axis, slice(0, None, 2)).clone()
        middle = _part(fine, axis, slice(1, None, 2))
        right = middle * share
        _part(coarse, axis, slice(1, None)).add_(right)
        _part(coarse, axis, slice(None, -1)).add_(middle).sub_(right)
        return coarse


@dataclass(frozen=True)
class Network:
    """The Q1 stiffness matrix of a tensor mesh by the vertex rule: a network of resistors.

    Attributes:
        conductances: of the edges along each axis, with a leading batch axis.
        ground: conductances from the nodes to zero (the lumped reaction), or None.
        free: False at the nodes held at zero.
    """

    conductances: tuple[Float[Tensor, "#batch ..."], ...]
    ground: Float[Tensor, "#batch ..."] | None
    free: Bool[Tensor, "*nodes"]

    @classmethod
    def of_cells(
        cls, diffusivity: Tensor, reaction: Tensor | None, widths: tuple[float, ...], free: Tensor
    ) -> Network:
        """From values on equal cells (with a leading batch axis) of the given widths."""
        axes, volume = range(-len(widths), 0), math.prod(widths)
        conductances = []
        for axis, width in zip(axes, widths, strict=True):
            conductance = diffusivity * (volume / width**2)
            for across in axes:
                conductance = conductance if across == axis else _spread(conductance, across)
            conductances.append(conductance)
        ground = None
        if reaction is not None:
            ground = reaction * volume
            for axis in axes:
                ground = _spread(ground, axis)
        return cls(tuple(conductances), ground, free)

    def diagonal(self) -> Tensor:
        """The diagonal of the matrix: all that leaves a node."""
        axes = range(-len(self.conductances), 0)
        parts = [2 * _spread(part, axis) for axis, part in zip(axes, self.conductances, strict=True)]
        if self.ground is not None:
            parts.append(self.ground)
        return reduce(torch.add, parts)

    def subtract(self, r: Tensor, u: Tensor) -> Tensor:
        """R - A u, in place. Values at fixed nodes are meaningless and never read."""
        for axis, conductance in zip(range(-len(self.conductances), 0), self.conductances, strict=True):
            flow = (_part(u, axis, slice(1, None)) - _part(u, axis, slice(None, -1))).mul_(conductance)
            _part(r, axis, slice(1, None)).sub_(flow)
            _part(r, axis, slice(None, -1)).add_(flow)
        return r if self.ground is None else r.addcmul_(self.ground, u, value=-1)

    def coarsened(self, transfer: Transfer) -> Network:
        """Edges in series along the axis of `transfer`, in parallel across it."""
        conductances = []
        for axis, conductance in zip(range(-len(self.conductances), 0), self.conductances, strict=True):
            if axis == transfer.axis:
                conductances.append(transfer.conductance)
                continue
            ends = _part(transfer.share, axis, slice(1, None)), _part(transfer.share, axis, slice(None, -1))
            conductances.append(transfer.restrict(conductance, (ends[0] + ends[1]) / 2))
        ground = None if self.ground is None else transfer.restrict(self.ground)
        return Network(tuple(conductances), ground, self.free.index_select(transfer.axis, transfer.kept))

    def inverse(self) -> Float[Tensor, "batch n n"]:
        """The dense inverse with zero rows and columns at fixed nodes, for a coarsest level."""
        free = self.free.flatten()
        unit = torch.eye(free.numel(), dtype=self.conductances[0].dtype, device=free.device)
        levels = Network(
            tuple(conductance.unsqueeze(1) for conductance in self.conductances),
            None if self.ground is None else self.ground.unsqueeze(1),
            self.free,
        )
        batch = max(len(part) for part in (*self.conductances, self.ground) if part is not None)
        fields = unit.view(1, -1, *self.free.shape).expand(batch, -1, *self.free.shape)
        matrix = levels.subtract(torch.zeros_like(fields), fields).flatten(2).neg_()
        both = free[:, None] & free
        matrix = torch.where(both, matrix, torch.diag((~free).to(matrix.dtype)))
        return torch.where(both, torch.cholesky_inverse(torch.linalg.cholesky(matrix)), 0.0)
