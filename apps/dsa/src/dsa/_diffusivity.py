"""Equation 14: diffusivity as the exponential of a truncated Karhunen-Loeve sum on the unit square."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from jaxtyping import Float
    from torch import Tensor

    from fem_diff import LagrangeSpace

FREQUENCIES = (1.72, 4.05, 6.85, 9.82)
"""a of equation 14, as printed; m = 4."""
LIMIT = 3.0
"""The parameters are uniform on [-3, 3]^4."""
PUBLISHED = (-0.26, -0.77, -0.37, -0.92)
"""The parameters of the paper's Figure 3."""


def log_diffusivity(omega: Float[Tensor, "... 4"], x: Tensor, y: Tensor) -> Float[Tensor, "... points"]:
    r"""$\log\nu = \sum_i \omega_i \lambda_i \xi_i(x) \xi_i(y)$ with $\lambda_i = 1 / (1 + a_i^2 / 4)$ and
    $\xi_i(t) = \frac{a_i}{2} \cos a_i t + \sin a_i t$ (DSA eq. 14).

    Args:
        omega: parameters, one map for each entry of the axes in front.
        x: coordinates, of any shape.
        y: the same.

    Each term reaches $|\omega_i|$ and no further: with parameters up to 3 the logarithm stays within 12.
    """  # noqa: D205
    total = torch.zeros((), dtype=omega.dtype, device=omega.device)
    for a, parameter in zip(FREQUENCIES, omega.unbind(-1), strict=True):
        xi_x, xi_y = (a / 2 * torch.cos(a * t) + torch.sin(a * t) for t in (x, y))
        total = total + parameter[(..., *(None,) * x.dim())] * (xi_x * xi_y / (1 + a**2 / 4))
    return total


def draw_parameters(count: int, generator: torch.Generator) -> Float[Tensor, "count 4"]:
    """Returns `count` sets of parameters, uniform on [-3, 3]^4, in float64."""
    shape = (count, len(FREQUENCIES))
    return (2 * torch.rand(shape, generator=generator, dtype=torch.float64) - 1) * LIMIT


def at_quadrature_points(omega: Float[Tensor, "*batch 4"], space: LagrangeSpace) -> Float[Tensor, "..."]:
    """Returns the diffusivity at the quadrature points of a space, scaled to the geometric mean one.

    Without a source the solution does not depend on the scale.
    """
    logarithm = log_diffusivity(omega, *space.quadrature_points(like=omega))
    return torch.exp(logarithm - logarithm.mean((-2, -1), keepdim=True))
