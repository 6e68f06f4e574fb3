"""The heat equation."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fem_diff._problems.evolution import Flow

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor

    from fem_diff._boxes.space import LagrangeSpace
    from fem_diff._data.coefficients import Data


class Heat(Flow):
    r"""$c\,\partial_t u = \nabla\cdot(\nu\nabla u) + f$, $u = g$ or no flux on the boundary; for `evolve`.

    Args:
        space: the space of each state.
        diffusivity: nu, positive and constant in time, in the forms of `Poisson`.
        capacity: c, likewise.
        source: f, constant in time in the forms of `Poisson` except a callable; or a callable of the time,
            the coordinates and the parameters.
        boundary: g on the whole boundary, likewise (evaluated at the nodes); None for no flux.
        parameters: tensors that callables of f and g take after the coordinates, to get gradients.

    Raises:
        ValueError: as for `Poisson`.
        TypeError: as for `Poisson`; `parameters` that are not tensors.

    Example:
        >>> from fem_diff import Heat, LagrangeSpace, unit_square
        >>> Heat(LagrangeSpace(unit_square(8), degree=1), source=lambda t, x, y: t * x, boundary=None)
        Heat(Q1, elements=(8, 8), batch=())
    """

    def __init__(
        self,
        space: LagrangeSpace,
        *,
        diffusivity: Data = 1.0,
        capacity: Data = 1.0,
        source: Data = 0.0,
        boundary: Data | None = 0.0,
        parameters: Sequence[Tensor] = (),
    ) -> None:
        super().__init__(
            space,
            diffusivity=diffusivity,
            capacity=capacity,
            source=source,
            boundary=boundary,
            parameters=parameters,
        )
