"""Our formulation of a segmentation loss with physics priors."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from torch import nn
from torch.nn.functional import binary_cross_entropy_with_logits

from implicit_seg import PhaseFieldLoss, ReactionDiffusionLoss, bistable

if TYPE_CHECKING:
    from torch import Tensor


class PriorLoss(nn.Module):
    r"""Cross-entropy, plus a phase-field energy and the residual of a reaction-diffusion equation.

    With the logits of a network and their sigmoid u, the loss is the cross-entropy plus

    $$\lambda_{PF} \operatorname{mean}\Big(\frac\epsilon2 |\nabla u|^2 + \frac1\epsilon u^2 (1 - u)^2\Big)
    + \lambda_{RD} \operatorname{mean}\big(\epsilon^2 \Delta u + 4 u (1 - u) (u - \tfrac12)\big)^2 .$$

    The reaction is bistable with two equally stable phases, and its coefficients are such that the residual
    is zero exactly where the phase-field energy is stationary: both priors want interfaces of the width
    epsilon.

    Args:
        phase_field: the weight $\lambda_{PF}$; 0 leaves the energy out.
        reaction_diffusion: the weight $\lambda_{RD}$; 0 leaves the residual out.
        epsilon: width of the interface in pixels.
    """

    def __init__(self, phase_field: float, reaction_diffusion: float, epsilon: float) -> None:
        super().__init__()
        self.weights = (phase_field, reaction_diffusion)
        self.priors = nn.ModuleList(
            [PhaseFieldLoss(epsilon), ReactionDiffusionLoss(partial(bistable, rate=4.0), epsilon**2)]
        )

    def forward(self, values: Tensor, mask: Tensor) -> Tensor:
        """Returns the loss."""
        loss, u = binary_cross_entropy_with_logits(values, mask), values.sigmoid()
        for weight, prior in zip(self.weights, self.priors, strict=True):
            if weight:
                loss = loss + weight * prior(u)
        return loss

    def extra_repr(self) -> str:
        """Names the weights, so that checkpoints of runs with other weights are told apart."""
        return f"phase_field={self.weights[0]:g}, reaction_diffusion={self.weights[1]:g}"
