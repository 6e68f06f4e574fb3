"""What the priors add to a training step of a U-Net with 16 filters: 4 images of 128 x 128."""

from __future__ import annotations

import pytest
import torch

from implicit_seg import DiceLoss, PhaseFieldLoss, ReactionDiffusionLoss, TotalVariationLoss, UNet

PRIORS = {
    "phase field": PhaseFieldLoss(4.0),
    "reaction-diffusion": ReactionDiffusionLoss(),
    "reaction-diffusion, weak": ReactionDiffusionLoss(form="weak"),
    "total variation": TotalVariationLoss(),
}


STEP = "the step without priors"


@pytest.mark.parametrize("name", [STEP, *PRIORS])
def test_share_of_a_step(timed, name):
    generator = torch.Generator().manual_seed(0)
    image = torch.rand(4, 1, 128, 128, generator=generator)
    if name == STEP:
        network = UNet(4, 16)
        optimizer = torch.optim.SGD(network.parameters(), 1e-3, momentum=0.9, nesterov=True)

        def call():
            optimizer.zero_grad()
            loss = DiceLoss(0.1)(network(image), image > 0.5)
            loss.backward()
            optimizer.step()
            return loss

    else:
        values = torch.randn(image.shape, generator=generator).requires_grad_()

        def call():
            loss = PRIORS[name](values.sigmoid())
            torch.autograd.grad(loss, values)
            return loss

    loss = timed("share of a training step", name, call, rounds=3 if name == STEP else 30, share_of=STEP)
    assert loss.isfinite()
