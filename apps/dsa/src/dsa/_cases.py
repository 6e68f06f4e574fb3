"""The problems of `dsa.table5`, all with known solutions: the paper's, and two without an eigenvector."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

from dsa._diffusivity import PUBLISHED, log_diffusivity
from fem_diff import LagrangeSpace, Poisson, unit_square

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import Tensor

    Function = Callable[[Tensor, Tensor], Tensor]

MODES = 16


@dataclass(frozen=True)
class Case:
    r"""$-\nabla\cdot(\nu\nabla u) = f$ on the unit square, u = 0 on its boundary, with a known u.

    Attributes:
        key: for the figures.
        label: for a reader.
        exact: u.
        source: f.
        diffusivity: nu.
    """

    key: str
    label: str
    exact: Function
    source: Function
    diffusivity: Function

    def problem(self, elements: int, degree: int, device: str) -> Poisson:
        """The case on a mesh of `elements` x `elements` squares."""
        space = LagrangeSpace(unit_square(elements), degree)
        points = space.quadrature_points(like=torch.empty(0, dtype=torch.float64, device=device))
        return Poisson(space, diffusivity=self.diffusivity(*points), source=self.source(*points))

    def log_diffusivity_gradient(self, x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
        """The partial derivatives of log nu."""
        return gradient(lambda x, y: self.diffusivity(x, y).log(), x, y)


def exact(x: Tensor, y: Tensor) -> Tensor:
    """The paper's solution, sin(pi x) sin(pi y)."""
    return torch.sin(math.pi * x) * torch.sin(math.pi * y)


def source(x: Tensor, y: Tensor) -> Tensor:
    """The paper's forcing: an eigenvector of the problem."""
    return 2 * math.pi**2 * exact(x, y)


def published() -> Case:
    """Equations 12 and 13 with nu = 1."""
    return Case("published", "the paper's source", exact, source, lambda x, y: torch.ones_like(x + y))


def random_source() -> Case:
    """Diffusivity one and a source with independent normal coefficients on the first 16 x 16 sines.

    Drawn once, by seed 0, and scaled so that u has the norm of the paper's solution.
    """
    generator = torch.Generator().manual_seed(0)
    loads = torch.randn((MODES, MODES), generator=generator, dtype=torch.float64)
    k = torch.arange(1, MODES + 1, dtype=torch.float64)
    solution = loads / (math.pi**2 * (k[:, None] ** 2 + k**2))
    scale = 1 / float(solution.norm())

    def series(coefficients: Tensor) -> Function:
        def value(x: Tensor, y: Tensor) -> Tensor:
            modes = k.to(x)
            left, right = (torch.sin(math.pi * modes * t[..., None]) for t in (x, y))
            return scale * torch.einsum("...k,kl,...l->...", left, coefficients.to(x), right)

        return value

    return Case(
        "source", "a random source", series(solution), series(loads), lambda x, y: torch.ones_like(x + y)
    )


def variable_diffusivity() -> Case:
    """The paper's solution with the diffusivity of its Figure 3, and the source that belongs to both."""
    omega = torch.tensor(PUBLISHED, dtype=torch.float64)

    def diffusivity(x: Tensor, y: Tensor) -> Tensor:
        return torch.exp(log_diffusivity(omega.to(x), x, y))

    def forcing(x: Tensor, y: Tensor) -> Tensor:
        slopes = zip(gradient(lambda x, y: diffusivity(x, y).log(), x, y), gradient(exact, x, y), strict=True)
        return diffusivity(x, y) * (source(x, y) - sum((a * b for a, b in slopes), torch.zeros_like(x)))

    return Case("diffusivity", "variable diffusivity", exact, forcing, diffusivity)


def gradient(function: Function, x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
    """The partial derivatives of a function of x and y, by autograd."""
    with torch.enable_grad():
        x, y = (t.detach().clone().requires_grad_() for t in (x, y))
        total = function(x, y).sum() + 0 * (x.sum() + y.sum())
        first, second = torch.autograd.grad(total, (x, y))
    return first, second
