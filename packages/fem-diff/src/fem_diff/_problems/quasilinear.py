"""Quasilinear equations as minimisers of their energy."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fem_diff._problems.pointwise import Hessian, Parts, PointwiseProblem, Potential, square_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor

    from fem_diff._boxes.space import LagrangeSpace
    from fem_diff._data.coefficients import Data


class Quasilinear(PointwiseProblem):
    r"""$-\nabla\cdot(2\phi'(|\nabla u|^2)\nabla u) = f$, the minimiser of $\int \phi(|\nabla u|^2, x) - f u$.

    The p-Laplacian is $\phi(s) = s^{p/2}/p$, a minimal surface $\phi(s) = \sqrt{1+s}$. `solve` uses Newton's
    method as for `Semilinear`. phi' > 0 and phi' + 2 s phi'' >= 0 make the energy convex. For p > 2 the
    second derivative vanishes with the gradient: write $(s + \delta^2)^{p/2}/p$ with a small delta.

    Args:
        space: the space of the solution.
        density: phi, called with $|\nabla u|^2$ at the quadrature points and their coordinates, such as
            `lambda s, x, y: torch.sqrt(1 + s)`; in torch functions, twice differentiable for s >= 0.
        parameters: tensors that phi takes after the coordinates, to get gradients through `solve`.
        source: f, in the forms of `Poisson`.
        boundary: u on the whole boundary.

    Raises:
        ValueError: data as for `Poisson`; a density that returns another shape than that of s, with batch
            axes in front.
        TypeError: tensors of different dtype or device, or a density that is not callable.

    Example:
        >>> import torch
        >>> from fem_diff import LagrangeSpace, Quasilinear, solve, unit_square
        >>> space = LagrangeSpace(unit_square(8), degree=1)
        >>> plane = lambda x, y: x - 2 * y
        >>> u = solve(Quasilinear(space, lambda s, x, y: torch.sqrt(1 + s), boundary=plane)).u
        >>> bool((u - space.interpolate(plane)).abs().max() < 1e-10)
        True
    """

    def __init__(
        self,
        space: LagrangeSpace,
        density: Potential,
        *,
        parameters: Sequence[Tensor] = (),
        source: Data = 0.0,
        boundary: Data = 0.0,
    ) -> None:
        super().__init__(space, source, boundary, parameters)
        self.phi = density
        self._settle(density=self._probe("density", density, "|grad u|^2"))
        self.data = (self.load, *self.parameters)

    def density(self, parts: Parts, *data: Tensor) -> Tensor:
        return self.phi(square_of(parts[:-1]), *self.points, *data)

    def hessian(self, parts: Parts) -> Hessian:
        return {pair: row for pair, row in super().hessian(parts).items() if max(pair) < self.space.ndim}
