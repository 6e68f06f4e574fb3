"""A geometric multigrid cycle on the node image: the preconditioner of the matrix-free solver.

The nodes of a Q_d space are the vertices of a finer mesh with d cells per element and direction. On that mesh
the Q1 stiffness matrix by the vertex rule is a network of resistors. It is spectrally equivalent to the Q_d
operator; scaled by its diagonal its spectrum lies in [0, 2] whatever the diffusivity; and it coarsens by the
laws of resistors. Odd numbers of cells are no obstacle: one group of three cells stands among the pairs.
"""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from fem_diff._solvers.network import Network, Transfer, grouped

if TYPE_CHECKING:
    from collections.abc import Sequence

COARSEST = 100  # nodes up to which a level is solved exactly: an inverse for each sample of a batch
STEPS = ((0.25, 1), (1.0, 2), (float("inf"), 6))  # up to which roughness how many Chebyshev steps do
FIRST = 2 / 3  # the factor of the first of these steps
SINGLE = 1e6  # contrast up to which the cycle computes in float32
STRETCH = 1.5  # a direction is coarsened while its cells are at most this much wider than the narrowest


class Multigrid:
    """One symmetric V-cycle, a linear map from residuals to corrections.

    It computes in float32 where the conductances allow that, which halves its time: a preconditioner has to
    be right to a few digits only. A rough diffusivity gets more smoothing, because the corrections from
    coarse levels are worth less.

    Args:
        network: the finest level.
        cells: the widths of its cells along each direction.
        single: False for a map that is linear and symmetric to the precision of its argument.
    """

    def __init__(self, network: Network, cells: Sequence[Sequence[float]], *, single: bool = True) -> None:
        axes = network.axes
        cells = [list(widths) for widths in cells]
        self.dtype = network.conductances[0].dtype
        if single and network.contrast() <= SINGLE:
            self.dtype = torch.float32
        rough = []
        self.levels: list[tuple[Network, Tensor, list[Transfer], Tensor | None]] = []
        while network.free.numel() > COARSEST and max(map(len, cells)) > 2:
            mean = [sum(w) / len(w) for w in cells]
            narrowest = min(m for m, w in zip(mean, cells, strict=True) if len(w) > 1)
            coarse, transfers = network, []
            rough.append(network.roughness() if len(rough) < 2 else 0.0)
            for axis in axes:
                if len(cells[axis]) > 1 and mean[axis] <= STRETCH * narrowest:
                    groups = grouped(cells[axis])
                    cells[axis] = [sum(cells[axis][i:j]) for i, j in pairwise(groups)]
                    periodic = network.periodic[axis]
                    transfers.append(Transfer(coarse.conductances[axis], axis, groups, periodic=periodic))
                    coarse = coarse.coarsened(transfers[-1])
            relaxation = network.free * FIRST / network.diagonal()
            mask = network.free.to(self.dtype) if _leak(transfers, network, coarse) else None
            for transfer in transfers:
                transfer.share = transfer.share.to(self.dtype)
            self.levels.append((network.to(self.dtype), relaxation.to(self.dtype), transfers, mask))
            network = coarse
        # Cells of one element are equal; the second level shows what the elements are like.
        self.smoothing = next(steps for bound, steps in STEPS if max(rough, default=0.0) <= bound)
        self.inverse = network.inverse().to(self.dtype)

    def __call__(self, residual: Tensor) -> Tensor:
        """The correction for a residual of shape (batch, *nodes) that is zero at fixed nodes."""
        if self.dtype == residual.dtype:
            return self._cycle(0, residual.clone())
        size = residual.flatten(1).abs().amax(1).view(-1, *(1,) * (residual.dim() - 1))
        size = torch.where(size > 0, size, 1.0)  # keeps small residuals out of reach of underflow
        return self._cycle(0, (residual / size).to(self.dtype)).to(residual.dtype).mul_(size)

    def _cycle(self, level: int, r: Tensor) -> Tensor:
        if level == len(self.levels):
            return (self.inverse @ r.flatten(1).unsqueeze(-1)).view_as(r)
        network, _, transfers, mask = self.levels[level]
        x = self._smooth(level, r, None)
        coarse = r if mask is None else r * mask
        for transfer in transfers:
            coarse = transfer.restrict(coarse)
        correction = self._cycle(level + 1, coarse)
        for transfer in reversed(transfers):
            correction = transfer.prolong(correction)
        if mask is not None:
            correction = correction * mask
        x += correction
        network.subtract(r, correction)
        return self._smooth(level, r, x)

    def _smooth(self, level: int, r: Tensor, x: Tensor | None) -> Tensor:
        """Chebyshev iteration of the fourth kind with the bound 2 for the largest eigenvalue.

        Returns `x`, updated in place; without it starts from zero and updates the residual `r` to the end.
        Lottes, *Optimal polynomial smoothers for multigrid V-cycles*, 2023.
        """
        network, relaxation, *_ = self.levels[level]
        step, first = relaxation * r, x is None
        x = step.clone() if x is None else x.add_(step)
        for k in range(1, self.smoothing + 1):
            if k > 1:
                factor = (4 * k - 2) / (2 * k + 1) / FIRST
                step.mul_((2 * k - 3) / (2 * k + 1)).addcmul_(relaxation, r, value=factor)
                x += step
            if first or k < self.smoothing:
                network.subtract(r, step)
        return x


def _leak(transfers: Sequence[Transfer], fine: Network, coarse: Network) -> bool:
    """Whether a free coarse node reaches a fine node that is held: where conditions change along a side."""
    reached = coarse.free.to(coarse.conductances[0].dtype)[None]
    for transfer in reversed(transfers):
        reached = transfer.prolong(reached.expand(len(transfer.share), *reached.shape[1:]))
    return bool(((reached != 0) & ~fine.free).any())
