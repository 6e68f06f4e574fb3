"""The levels of multigrid: resistor networks on nested meshes, and the interpolation between them."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import reduce
from typing import TYPE_CHECKING

import torch
from torch import Tensor

if TYPE_CHECKING:
    from collections.abc import Sequence

    from jaxtyping import Bool, Float


def _part(u: Tensor, axis: int, part: slice) -> Tensor:
    """A view of `u` along one axis, which is counted from the end."""
    return u[(..., part, *(slice(None),) * (-axis - 1))]


def spread(cells: Tensor, axis: int, *, periodic: bool) -> Tensor:
    """What cells hold, given in halves to the nodes at their two ends along `axis`."""
    half = cells * 0.5
    zero = torch.zeros_like(_part(half, axis, slice(0, 1)))
    nodes = torch.cat([half, zero], axis) + torch.cat([zero, half], axis)
    return _folded(nodes, axis) if periodic else nodes


def _closed(u: Tensor, axis: int) -> Tensor:
    """A ring of nodes opened: its first node stands again at the end."""
    return torch.cat([u, _part(u, axis, slice(0, 1))], axis)


def _folded(u: Tensor, axis: int) -> Tensor:
    """The transpose of `_closed`: the last node's part goes to the first."""
    ring = _part(u, axis, slice(None, -1)).clone()
    _part(ring, axis, slice(0, 1)).add_(_part(u, axis, slice(-1, None)))
    return ring


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
        periodic: whether the last edge ends in the first node. The ring is opened there: it is worked on as a
            chain whose last node repeats the first.
    """

    def __init__(
        self,
        conductance: Float[Tensor, "#batch ..."],
        axis: int,
        groups: list[int],
        *,
        periodic: bool = False,
    ) -> None:
        self.axis, self.periodic = axis, periodic
        self.fine, self.coarse = conductance.shape[axis] + 1, len(groups)
        ends = torch.tensor(groups, device=conductance.device)
        #: the fine nodes that are the coarse ones
        self.kept = ends[:-1] if periodic else ends
        group = torch.arange(self.coarse - 1, device=conductance.device).repeat_interleave(ends.diff())
        resistance = conductance.reciprocal()
        shape = list(conductance.shape)
        shape[axis] = self.coarse - 1
        total = conductance.new_zeros(shape).index_add_(axis, group, resistance)
        before = resistance.cumsum(axis) - resistance
        before = before - before.index_select(axis, ends[:-1]).index_select(axis, group)
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
        if self.periodic:
            return _part(self._prolong(_closed(coarse, axis)), axis, slice(None, -1))
        return self._prolong(coarse)

    def _prolong(self, coarse: Tensor) -> Tensor:
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
        if self.periodic:
            zero = torch.zeros_like(_part(fine, axis, slice(0, 1)))
            return _folded(self._restrict(torch.cat([fine, zero], axis), share), axis)
        return self._restrict(fine, share)

    def _restrict(self, fine: Tensor, share: Tensor) -> Tensor:
        axis = self.axis
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
        conductances: of the edges along each axis, with a leading batch axis. The edges of a periodic axis
            are as many as its nodes; the last one leads back to the first node.
        ground: conductances from the nodes to zero (the lumped reaction and Robin coefficient), or None.
        free: False at the nodes held at zero.
        periodic: for each axis.
    """

    conductances: tuple[Float[Tensor, "#batch ..."], ...]
    ground: Float[Tensor, "#batch ..."] | None
    free: Bool[Tensor, "*nodes"]
    periodic: tuple[bool, ...]

    @classmethod
    def of_cells(
        cls,
        diffusivities: Sequence[Tensor],
        reaction: Tensor | None,
        widths: Sequence[Tensor],
        free: Tensor,
        periodic: tuple[bool, ...],
    ) -> Network:
        """From values on the cells of a tensor mesh (with a leading batch axis).

        Args:
            diffusivities: for the current along each axis.
            reaction: or None.
            widths: of the cells along each axis.
            free: False at the nodes held at zero.
            periodic: for each axis.
        """
        axes = range(-len(widths), 0)
        sizes = [width.view(-1, *(1,) * (-axis - 1)) for axis, width in zip(axes, widths, strict=True)]
        volume = math.prod(sizes)
        conductances = []
        for axis, size, conductance in zip(axes, sizes, diffusivities, strict=True):
            conductance = conductance * (volume / size**2)
            for across in axes:
                if across != axis:
                    conductance = spread(conductance, across, periodic=periodic[across])
            conductances.append(conductance)
        ground = None
        if reaction is not None:
            ground = reaction * volume
            for axis in axes:
                ground = spread(ground, axis, periodic=periodic[axis])
        return cls(tuple(conductances), ground, free, periodic)

    @property
    def axes(self) -> range:
        """The axes, counted from the end."""
        return range(-len(self.conductances), 0)

    def grounded(self, ground: Tensor) -> Network:
        """With further conductances from the nodes to zero."""
        return replace(self, ground=ground if self.ground is None else self.ground + ground)

    def contrast(self) -> float:
        """The largest conductance over the smallest, in the sample where that is largest."""
        largest = reduce(torch.maximum, (part.flatten(1).amax(1) for part in self.conductances))
        smallest = reduce(torch.minimum, (part.flatten(1).amin(1) for part in self.conductances))
        return float((largest / smallest).max())

    def roughness(self) -> float:
        """The mean |log| of the ratio of neighbouring conductances, in the sample where that is largest."""
        worst = 0.0
        for axis, part in zip(self.axes, self.conductances, strict=True):
            if part.shape[axis] > 1:
                worst = max(worst, float(part.log().diff(dim=axis).abs_().flatten(1).mean(1).max()))
        return worst

    def to(self, dtype: torch.dtype) -> Network:
        """The same in another precision."""
        ground = None if self.ground is None else self.ground.to(dtype)
        return replace(self, conductances=tuple(part.to(dtype) for part in self.conductances), ground=ground)

    def diagonal(self) -> Tensor:
        """The diagonal of the matrix: all that leaves a node."""
        parts = [
            2 * spread(part, axis, periodic=self.periodic[axis])
            for axis, part in zip(self.axes, self.conductances, strict=True)
        ]
        if self.ground is not None:
            parts.append(self.ground)
        return reduce(torch.add, parts)

    def subtract(self, r: Tensor, u: Tensor) -> Tensor:
        """R - A u, in place. Values at fixed nodes are meaningless and never read."""
        for axis, conductance in zip(self.axes, self.conductances, strict=True):
            if self.periodic[axis]:
                flow = (u.roll(-1, axis) - u).mul_(conductance)
                r.add_(flow).sub_(flow.roll(1, axis))
                continue
            flow = (_part(u, axis, slice(1, None)) - _part(u, axis, slice(None, -1))).mul_(conductance)
            _part(r, axis, slice(1, None)).sub_(flow)
            _part(r, axis, slice(None, -1)).add_(flow)
        return r if self.ground is None else r.addcmul_(self.ground, u, value=-1)

    def coarsened(self, transfer: Transfer) -> Network:
        """Edges in series along the axis of `transfer`, in parallel across it."""
        conductances = []
        for axis, conductance in zip(self.axes, self.conductances, strict=True):
            if axis == transfer.axis:
                conductances.append(transfer.conductance)
                continue
            share = _closed(transfer.share, axis) if self.periodic[axis] else transfer.share
            ends = _part(share, axis, slice(1, None)), _part(share, axis, slice(None, -1))
            conductances.append(transfer.restrict(conductance, (ends[0] + ends[1]) / 2))
        ground = None if self.ground is None else transfer.restrict(self.ground)
        free = self.free.index_select(transfer.axis, transfer.kept)
        return Network(tuple(conductances), ground, free, self.periodic)

    def inverse(self) -> Float[Tensor, "batch n n"]:
        """The dense inverse with zero rows and columns at fixed nodes, for a coarsest level.

        Where nothing holds the constant (no fixed node, no ground) it is the inverse for residuals whose sum
        is zero: of the matrix with every node joined to the mean by a small conductance.
        """
        free = self.free.flatten()
        unit = torch.eye(free.numel(), dtype=self.conductances[0].dtype, device=free.device)
        levels = Network(
            tuple(conductance.unsqueeze(1) for conductance in self.conductances),
            None if self.ground is None else self.ground.unsqueeze(1),
            self.free,
            self.periodic,
        )
        batch = max(len(part) for part in (*self.conductances, self.ground) if part is not None)
        fields = unit.view(1, -1, *self.free.shape).expand(batch, -1, *self.free.shape)
        matrix = levels.subtract(torch.zeros_like(fields), fields).flatten(2).neg_()
        if self.ground is None and bool(free.all()):
            matrix = matrix + matrix.diagonal(dim1=-2, dim2=-1).mean(-1)[..., None, None] / free.numel()
        both = free[:, None] & free
        matrix = torch.where(both, matrix, torch.diag((~free).to(matrix.dtype)))
        return torch.where(both, torch.cholesky_inverse(torch.linalg.cholesky(matrix)), 0.0)
