"""Energies that measure the length of an interface: total variation, and Modica and Mortola's phase field."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import torch
from torch import nn
from torch.nn.functional import pad

from implicit_seg._losses.grid import check_field, forward_difference

if TYPE_CHECKING:
    from jaxtyping import Float
    from torch import Tensor

SURFACE_TENSION = math.sqrt(2) / 6
r"""$\sigma = \int_0^1 \sqrt{2 W(u)}\,du$ for $W(u) = u^2 (1 - u)^2$."""


def total_variation(
    u: Float[Tensor, "batch channels *size"], spacing: float = 1.0
) -> Float[Tensor, "batch channels"]:
    r"""Isotropic total variation $\int |\nabla u|$ by forward differences: the perimeter where `u` is a mask.

    Args:
        u: samples on a regular grid in one, two or three dimensions, at least two in each.
        spacing: distance between samples; its unit becomes that of the result (to the power of dimension -
            1).

    Returns:
        One value for each item and channel. Where the gradient vanishes, zero is taken as the derivative.

    Raises:
        ValueError: `u` has too few dimensions or samples, or `spacing` is not positive.

    Rudin, Osher and Fatemi, 1992.
    """
    check_field(u, spacing, least=2)
    slopes = [  # zero beyond the last sample, where nothing is known
        pad(forward_difference(u, axis, spacing), [0, 0] * (u.ndim - 1 - axis) + [0, 1])
        for axis in range(2, u.ndim)
    ]
    return torch.linalg.vector_norm(torch.stack(slopes), dim=0).flatten(2).sum(-1) * spacing ** (u.ndim - 2)


def modica_mortola_energy(
    u: Float[Tensor, "batch channels *size"], epsilon: float, spacing: float = 1.0
) -> Float[Tensor, "batch channels"]:
    r"""Phase-field energy $\int \frac\epsilon2 |\nabla u|^2 + \frac1\epsilon W(u)$, $W(u) = u^2 (1 - u)^2$.

    For epsilon to zero it converges (in the sense of Gamma) to $\sigma$ times the perimeter of {u = 1},
    $\sigma = \sqrt 2 / 6$. Its optimal profile is $u = 1 / (1 + e^{-\sqrt 2 d / \epsilon})$, d the signed
    distance.

    Args:
        u: phase, 0 outside and 1 inside, on a regular grid in one, two or three dimensions.
        epsilon: width of the interface, in units of `spacing`'s; at least three to four spacings resolve it.
        spacing: distance between samples.

    Returns:
        One value for each item and channel. The border of the grid costs nothing (a natural boundary
        condition).

    Raises:
        ValueError: `u` has too few dimensions or samples, or `epsilon` or `spacing` is not positive.

    Modica and Mortola, *Un esempio di Gamma-convergenza*, 1977.

    >>> import torch
    >>> x = torch.arange(-64, 65, dtype=torch.float64)
    >>> distance = 40 - torch.hypot(x[:, None], x[None, :])
    >>> u = torch.sigmoid(2**0.5 * distance / 4)
    >>> perimeter = modica_mortola_energy(u[None, None], epsilon=4.0).item() / SURFACE_TENSION
    >>> round(perimeter / (2 * torch.pi * 40), 2)
    1.0
    """
    check_field(u, spacing, least=2)
    _check_epsilon(epsilon)
    well = (u * (1 - u)).square().flatten(2).sum(-1) / epsilon
    slopes = [forward_difference(u, axis, spacing).square().flatten(2).sum(-1) for axis in range(2, u.ndim)]
    return (well + epsilon / 2 * torch.stack(slopes).sum(0)) * spacing ** (u.ndim - 2)


class TotalVariationLoss(nn.Module):
    """Mean of `total_variation` over the batch, the channels and the area.

    Args:
        spacing: see `total_variation`.
    """

    def __init__(self, spacing: float = 1.0) -> None:
        super().__init__()
        self.spacing = spacing

    def forward(self, u: Tensor) -> Tensor:
        """Returns the loss."""
        return total_variation(u, self.spacing).mean() / _area(u, self.spacing)

    def extra_repr(self) -> str:
        """Names the spacing."""
        return f"spacing={self.spacing:g}"


class PhaseFieldLoss(nn.Module):
    """Mean of `modica_mortola_energy` over the batch, the channels and the area.

    Args:
        epsilon: see `modica_mortola_energy`.
        spacing: see `modica_mortola_energy`.

    Raises:
        ValueError: `epsilon` is not positive.
    """

    def __init__(self, epsilon: float, spacing: float = 1.0) -> None:
        super().__init__()
        _check_epsilon(epsilon)
        self.epsilon, self.spacing = epsilon, spacing

    def forward(self, u: Tensor) -> Tensor:
        """Returns the loss."""
        return modica_mortola_energy(u, self.epsilon, self.spacing).mean() / _area(u, self.spacing)

    def extra_repr(self) -> str:
        """Names epsilon and the spacing."""
        return f"epsilon={self.epsilon:g}, spacing={self.spacing:g}"


def _area(u: Tensor, spacing: float) -> float:
    return math.prod(u.shape[2:]) * spacing ** (u.ndim - 2)


def _check_epsilon(epsilon: float) -> None:
    if not epsilon > 0:
        raise ValueError(f"`epsilon` must be positive; got {epsilon}. Take three to four spacings.")
