"""The Allen-Cahn equation."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from fem_diff._problems.evolution import Flow

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor

    from fem_diff._boxes.space import LagrangeSpace
    from fem_diff._data.coefficients import Data
    from fem_diff._problems.pointwise import Potential


def double_well(u: Tensor, *_: Tensor) -> Tensor:
    """W(u) = u^2 (1 - u)^2, the density of energy between the phases 0 and 1, at any place."""
    return (u * (1 - u)).square()


class AllenCahn(Flow):
    r"""$\partial_t u = \nabla\cdot(\nu\nabla u) - W'(u)/\epsilon^2 + f$; for `evolve`.

    The gradient flow of $\int \frac12\nu|\nabla u|^2 + W(u)/\epsilon^2 - f u$. For small epsilon, layers of a
    width of about epsilon between the minima of a symmetric W move with nu times their curvature: a circle
    shrinks by $r^2 = r_0^2 - 2\nu t$. With epsilon = 1 and another W it is any scalar reaction-diffusion
    equation, such as the bistable one.

    Each implicit step minimises a functional by Newton's method. It has one minimiser, and theta = 1 lowers
    the energy, if $1/(\theta\,dt) > \max(-W'')/\epsilon^2$. `stabilisation` S >= max(-W'')/2 lifts this
    bound: the convex splitting of Eyre (1998), with W + S u^2 taken at the new and S u^2 at the old time. It
    acts like a smaller step, $1/dt' = 1/dt + 2S/\epsilon^2$, which slows the motion down by dt'/dt.

    Args:
        space: the space of each state.
        epsilon: the width of layers, positive.
        potential: W, called with u at the quadrature points, their coordinates and the parameters, as for
            `Semilinear`; $u^2(1-u)^2$ if left out.
        diffusivity: nu, positive, in the forms of `Poisson`.
        source: f, as for `Heat`.
        boundary: as for `Heat`; None, which is the default, for no flux.
        stabilisation: S, not negative.
        parameters: tensors that W and callables of f and g take after the coordinates, to get gradients.

    Raises:
        ValueError: as for `Poisson`; epsilon or stabilisation out of range.
        TypeError: as for `Heat`; a potential that is not callable.

    Example:
        >>> from fem_diff import AllenCahn, LagrangeSpace, evolve, unit_square
        >>> flow = AllenCahn(LagrangeSpace(unit_square(16), degree=1), epsilon=0.1)
        >>> end = evolve(flow, lambda x, y: (x > 0.5).double(), dt=1e-3, steps=5)
        >>> bool((end.u >= -1e-2).all() and (end.u <= 1 + 1e-2).all())
        True
    """

    def __init__(
        self,
        space: LagrangeSpace,
        *,
        epsilon: float,
        potential: Potential = double_well,
        diffusivity: Data = 1.0,
        source: Data = 0.0,
        boundary: Data | None = None,
        stabilisation: float = 0.0,
        parameters: Sequence[Tensor] = (),
    ) -> None:
        if not (math.isfinite(epsilon) and epsilon > 0):
            raise ValueError(f"`epsilon` must be positive and finite; got {epsilon:g}.")
        if not (math.isfinite(stabilisation) and stabilisation >= 0):
            raise ValueError(f"`stabilisation` must not be negative; got {stabilisation:g}.")
        if not callable(potential):
            raise TypeError(
                f"`potential` must be a function of u and the coordinates; got {type(potential).__name__}."
            )
        self.epsilon = float(epsilon)

        def scaled(u: Tensor, *others: Tensor) -> Tensor:
            return potential(u, *others) / epsilon**2

        super().__init__(
            space,
            diffusivity=diffusivity,
            capacity=1.0,
            source=source,
            boundary=boundary,
            parameters=parameters,
            potential=scaled,
            stabilisation=2 * stabilisation / epsilon**2,
        )
