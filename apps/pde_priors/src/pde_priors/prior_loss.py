"""Our formulation of a segmentation loss with physics priors."""

from __future__ import annotations

from functools import partial

from torch import nn

from implicit_seg import LossTerm, PhaseFieldLoss, ReactionDiffusionLoss, WeightedLoss, bistable


def prior_loss(phase_field: float, reaction_diffusion: float, epsilon: float) -> WeightedLoss:
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

    Raises:
        ValueError: a weight is negative or not finite, or epsilon is not positive.
    """
    residual = ReactionDiffusionLoss(partial(bistable, rate=4.0), epsilon**2)
    return WeightedLoss(
        {
            "cross_entropy": LossTerm(nn.BCEWithLogitsLoss()),
            "phase_field": LossTerm(PhaseFieldLoss(epsilon), phase_field, prior=True),
            "reaction_diffusion": LossTerm(residual, reaction_diffusion, prior=True),
        }
    )
