"""How far a function is from a steady state, or from one time step, of a reaction-diffusion equation."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Literal

from torch import Tensor, nn

from implicit_seg._losses.grid import check_field, inner, laplacian, weak_average, weak_laplacian

if TYPE_CHECKING:
    from jaxtyping import Float

Reaction = Callable[[Tensor], Tensor]
Form = Literal["differences", "weak"]


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
    *,
    form: Form = "differences",
    previous: Float[Tensor, "batch channels *size"] | None = None,
    time_step: float | None = None,
) -> Float[Tensor, "batch channels *inner"]:
    r"""Residual $D \Delta u + R(u)$ of the steady equation, or of one implicit time step.

    With `previous` and `time_step` it is $D \Delta u + R(u) - (u - u_0) / \tau$, which is zero where $u$
    follows from $u_0$ by a step $\tau$ of the implicit Euler method.

    Args:
        u: samples on a regular grid in one, two or three dimensions, at least three in each.
        reaction: R, pointwise, such as `fisher_kpp`, `bistable` or `functools.partial(bistable, rate=0.1)`.
        diffusivity: D, positive.
        spacing: distance between samples.
        form: "differences", or "weak": the equation tested with the (bi-, tri-)linear elements $\varphi_i$ of
            the grid, $(-D \int \nabla u \cdot \nabla \varphi_i + \int R \varphi_i) / \int \varphi_i$, where u
            and R(u) are interpolated by these elements. Both are of second order in `spacing`.
        previous: u_0, of the shape of `u`, with `time_step` only.
        time_step: positive, with `previous` only.

    Returns:
        The residual at the inner samples, so that no boundary condition is presumed. Where `u` is a moment of
        an evolution, the residual of the steady equation equals its time derivative.

    Raises:
        ValueError: `u` has too few dimensions or samples, `previous` another shape, one of `previous` and
            `time_step` is missing, `form` is unknown, or a number is not positive.

    Our formulation; the weak form's treatment of R(u) is known as product approximation (Christie et al.,
    1981).
    """
    check_field(u, spacing, least=3)
    _check(diffusivity, form, time_step)
    if (previous is None) != (time_step is None):
        raise ValueError(
            "`previous` and `time_step` belong together; give both, or neither for a steady state."
        )
    source = reaction(u) if form == "weak" else reaction(inner(u))
    if previous is not None and time_step is not None:
        if previous.shape != u.shape:
            raise ValueError(
                f"`previous` must have the shape of `u`, {tuple(u.shape)}; got {tuple(previous.shape)}."
            )
        change = u - previous if form == "weak" else inner(u) - inner(previous)
        source = source - change / time_step
    if form == "weak":
        return diffusivity * weak_laplacian(u, spacing) + weak_average(source)
    return diffusivity * laplacian(u, spacing) + source


class ReactionDiffusionLoss(nn.Module):
    """Mean square of `reaction_diffusion_residual`.

    Args:
        reaction: see `reaction_diffusion_residual`.
        diffusivity: see `reaction_diffusion_residual`.
        spacing: see `reaction_diffusion_residual`.
        form: see `reaction_diffusion_residual`.
        time_step: see `reaction_diffusion_residual`; with it, the module takes `previous` as well.

    Raises:
        ValueError: see `reaction_diffusion_residual`.
    """

    def __init__(
        self,
        reaction: Reaction = bistable,
        diffusivity: float = 1.0,
        spacing: float = 1.0,
        *,
        form: Form = "differences",
        time_step: float | None = None,
    ) -> None:
        super().__init__()
        _check(diffusivity, form, time_step)
        self.reaction, self.diffusivity, self.spacing = reaction, diffusivity, spacing
        self.form: Form = form
        self.time_step = time_step

    def forward(self, u: Tensor, previous: Tensor | None = None) -> Tensor:
        """Returns the loss."""
        residual = reaction_diffusion_residual(
            u,
            self.reaction,
            self.diffusivity,
            self.spacing,
            form=self.form,
            previous=previous,
            time_step=self.time_step,
        )
        return residual.square().mean()

    def extra_repr(self) -> str:
        """Names the reaction and the settings."""
        reaction = getattr(self.reaction, "__name__", self.reaction)
        step = "" if self.time_step is None else f", time_step={self.time_step:g}"
        return (
            f"reaction={reaction}, diffusivity={self.diffusivity:g}, spacing={self.spacing:g}, "
            f"form={self.form}{step}"
        )


def _check(diffusivity: float, form: str, time_step: float | None) -> None:
    if not diffusivity > 0:
        raise ValueError(f"`diffusivity` must be positive; got {diffusivity}.")
    if form not in ("differences", "weak"):
        raise ValueError(f'`form` must be "differences" or "weak"; got {form!r}.')
    if time_step is not None and not time_step > 0:
        raise ValueError(f"`time_step` must be positive; got {time_step}.")
