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

from fem_diff._network import Network, Transfer, grouped

if TYPE_CHECKING:
    from collections.abc import Sequence

COARSEST = 300  # nodes up to which a level is solved exactly
SMOOTHING = 2  # Chebyshev steps before and after each coarse correction
STRETCH = 1.5  # a direction is coarsened while its cells are at most this much wider than the narrowest


class Multigrid:
    """One symmetric V-cycle, a linear map from residuals to corrections.

    Args:
        network: the finest level.
        cells: the widths of its cells along each direction.
    """

    def __init__(self, network: Network, cells: Sequence[Sequence[float]]) -> None:
        axes = network.axes
        cells = [list(widths) for widths in cells]
        self.levels: list[tuple[Network, Tensor, list[Transfer]]] = []
        while network.free.numel() > COARSEST and max(map(len, cells)) > 2:
            mean = [sum(w) / len(w) for w in cells]
            narrowest = min(m for m, w in zip(mean, cells, strict=True) if len(w) > 1)
            coarse, transfers = network, []
            for axis in axes:
                if len(cells[axis]) > 1 and mean[axis] <= STRETCH * narrowest:
                    groups = grouped(cells[axis])
                    cells[axis] = [sum(cells[axis][i:j]) for i, j in pairwise(groups)]
                    periodic = network.periodic[axis]
                    transfers.append(Transfer(coarse.conductances[axis], axis, groups, periodic=periodic))
                    coarse = coarse.coarsened(transfers[-1])
            self.levels.append((network, network.free / network.diagonal(), transfers))
            network = coarse
        self.inverse = network.inverse()

    def __call__(self, residual: Tensor) -> Tensor:
        """The correction for a residual of shape (batch, *nodes) that is zero at fixed nodes."""
        return self._cycle(0, residual.clone())

    def _cycle(self, level: int, r: Tensor) -> Tensor:
        if level == len(self.levels):
            return (self.inverse @ r.flatten(1).unsqueeze(-1)).view_as(r)
        network, _, transfers = self.levels[level]
        x = torch.zeros_like(r)
        self._smooth(level, r, x, residual=True)
        coarse = r
        for transfer in transfers:
            coarse = transfer.restrict(coarse)
        correction = self._cycle(level + 1, coarse)
        for transfer in reversed(transfers):
            correction = transfer.prolong(correction)
        x += correction
        network.subtract(r, correction)
        self._smooth(level, r, x, residual=False)
        return x

    def _smooth(self, level: int, r: Tensor, x: Tensor, *, residual: bool) -> None:
        """Chebyshev iteration of the fourth kind with the bound 2 for the largest eigenvalue.

        Updates `x` in place, and `r` too but for its last update unless `residual` is wanted.
        Lottes, *Optimal polynomial smoothers for multigrid V-cycles*, 2023.
        """
        network, inverse_diagonal, _ = self.levels[level]
        step = torch.zeros_like(x)
        for k in range(1, SMOOTHING + 1):
            step.mul_((2 * k - 3) / (2 * k + 1)).addcmul_(
                inverse_diagonal, r, value=(4 * k - 2) / (2 * k + 1)
            )
            x += step
            if residual or k < SMOOTHING:
                network.subtract(r, step)
