"""How far a function is from a steady state of a reaction-diffusion equation."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from torch import Tensor, nn

from implicit_seg._losses.grid import check_field, inner, laplacian

if TYPE_CHECKING:
    from jaxtyping import Float

Reaction = Callable[[Tensor], Tensor]


def fisher_kpp(u: Float[Tensor, "*any"], rate: float = 1.0) -> Float[Tensor, "*any"]:
    """Reaction of Fisher, Kolmogorov, Petrovsky and Piskunov: rate u (1 - u)."""
    return rate * u * (1 - u)


def bistable(u: Float[Tensor, "*any"], threshold: float = 0.5, rate: float = 1.0) -> Float[Tensor, "*any"]:
    """Bistable reaction: rate u (1 - u) (u - threshold), with 0 and 1 stable."""
    return rate * u * (1 - u) * (u - threshold)


def reaction_diffusion_residual(
    u: Float[Tensor, "batch channels *size"],
    reaction: Reaction = bistable,
    diffusivity: float = 1.0,
    spacing: float = 1.0,
) -> Float[Tensor, "batch channels *inner"]:
    r"""Residual $D \Delta u + R(u)$ of the steady equation, by second-order finite differences.

    Args:
        u: samples on a regular grid in one, two or three dimensions, at least three in each.
        reaction: R, pointwise, such as `fisher_kpp`, `bistable` or `functools.partial(bistable, rate=0.1)`.
        diffusivity: D, positive.
        spacing: distance between samples.

    Returns:
        The residual at the inner samples, so that no boundary condition is presumed. Where `u` is a moment of
        an evolution, the residual equals its time derivative.

    Raises:
        ValueError: `u` has too few dimensions or samples, or `diffusivity` or `spacing` is not positive.
    """
    check_field(u, spacing, least=3)
    if not diffusivity > 0:
        raise ValueError(f"`diffusivity` must be positive; got {diffusivity}.")
    return diffusivity * laplacian(u, spacing) + reaction(inner(u))


class ReactionDiffusionLoss(nn.Module):
    """Mean square of `reaction_diffusion_residual`.

    Args:
        reaction: see `reaction_diffusion_residual`.
        diffusivity: see `reaction_diffusion_residual`.
        spacing: see `reaction_diffusion_residual`.
    """

    def __init__(self, reaction: Reaction = bistable, diffusivity: float = 1.0, spacing: float = 1.0) -> None:
        super().__init__()
        self.reaction, self.diffusivity, self.spacing = reaction, diffusivity, spacing

    def forward(self, u: Tensor) -> Tensor:
        """Returns the loss."""
        return reaction_diffusion_residual(u, self.reaction, self.diffusivity, self.spacing).square().mean()

    def extra_repr(self) -> str:
        """Names the reaction, the diffusivity and the spacing."""
        reaction = getattr(self.reaction, "__name__", self.reaction)
        return f"reaction={reaction}, diffusivity={self.diffusivity:g}, spacing={self.spacing:g}"
