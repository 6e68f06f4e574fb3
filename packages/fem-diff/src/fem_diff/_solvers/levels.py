"""The multigrid cycle that belongs to coefficients at the quadrature points."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from fem_diff._boxes.reference import cell_averages, gauss_rule
from fem_diff._solvers.multigrid import Multigrid
from fem_diff._solvers.nested import combined
from fem_diff._solvers.network import Network, spread

if TYPE_CHECKING:
    from collections.abc import Sequence

    from jaxtyping import Bool, Float

    from fem_diff._boxes.faces import Side
    from fem_diff._boxes.space import LagrangeSpace


def cycle(
    space: LagrangeSpace,
    diffusivities: Sequence[Float[Tensor, "#batch ..."]],
    reaction: Float[Tensor, "#batch ..."] | None,
    free: Bool[Tensor, "*nodes"],
    robin: Sequence[tuple[Side, Float[Tensor, "#batch ..."]]] = (),
    *,
    single: bool = True,
) -> Multigrid:
    r"""A V-cycle for $-\sum_k \partial_k(\nu_k \partial_k u) + \sigma u$ with zero values at fixed nodes.

    Args:
        space: of the nodes.
        diffusivities: nu_k at the quadrature points, one per direction, with a leading batch axis; positive.
        reaction: sigma likewise, not negative.
        free: False at the fixed nodes.
        robin: sides with Robin coefficients at their quadrature points.
        single: as for `Multigrid`.
    """
    widths = [np.repeat(w / space.degree, space.degree) for w in space.mesh.cell_widths]
    sizes = [torch.from_numpy(w).to(diffusivities[0]) for w in widths]
    averages = cell_averages(space.degree, gauss_rule(space.points)[1])

    def on_cells(values: Tensor, points: tuple[int, ...]) -> Tensor:
        cells = combined(values, averages, len(points))
        return cells.expand(-1, *(count // space.points * space.degree for count in points))

    once = {id(values): values for values in diffusivities}  # most often one for all directions
    cells = {key: on_cells(values, space.quadrature_shape) for key, values in once.items()}
    along = [cells[id(values)] for values in diffusivities]
    ground = None if reaction is None else on_cells(reaction, space.quadrature_shape)
    network = Network.of_cells(along, ground, sizes, free, space.mesh.periodic)
    for side, values in robin:
        network = network.grounded(_ground(side, on_cells(values, side.quadrature_shape), sizes))
    # what coarsening compares is how far a cell is across for the current
    scales = [float(found.mean()) for found in along]
    seen = [w * (scales[0] / scale) ** 0.5 for w, scale in zip(widths, scales, strict=True)]
    return Multigrid(network, [w.tolist() for w in seen], single=single)


def _ground(side: Side, cells: Tensor, sizes: list[Tensor]) -> Tensor:
    """Conductances to zero at the nodes of the box, from a Robin coefficient on the faces of a side."""
    periodic = side.space.mesh.periodic
    others = [axis for axis in range(side.space.ndim) if axis != side.axis]
    for place, axis in zip(range(-side.axes, 0), others, strict=True):
        cells = spread(cells * sizes[axis].view(-1, *(1,) * (-place - 1)), place, periodic=periodic[axis])
    return side.extend(cells)
