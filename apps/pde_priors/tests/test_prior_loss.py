from __future__ import annotations

import math

import pytest
import torch
from torch.nn.functional import binary_cross_entropy_with_logits

from pde_priors.prior_loss import prior_loss


def front(epsilon: float) -> torch.Tensor:
    """Logits of the optimal profile, on a grid fine enough for the interface."""
    x = torch.arange(-60, 61, dtype=torch.float64)
    return (math.sqrt(2) * x / epsilon).expand(1, 1, 9, 121)


def test_without_weights_it_is_cross_entropy():
    values = torch.randn(2, 1, 8, 8, generator=torch.Generator().manual_seed(0))
    mask = (values > 0.3).float()
    assert prior_loss(0.0, 0.0, 3.0)(values, mask) == binary_cross_entropy_with_logits(values, mask)


def test_the_optimal_profile_has_no_residual():
    """The two priors agree: the residual of the optimal profile vanishes as (1 / epsilon)^2 squared."""
    residuals = []
    for epsilon in (4.0, 8.0):
        values, loss = front(epsilon), prior_loss(0.0, 1.0, epsilon)
        loss(values, values.sigmoid())
        residuals.append(loss.parts["reaction_diffusion"].item())
    # twice the width: a sixteenth of the squared error, over twice the area
    assert math.log2(residuals[0] / residuals[1]) == pytest.approx(3, abs=0.2)
    assert residuals[0] < 1e-5


def test_the_phase_field_term_is_the_length_of_the_interface():
    values, mask = front(4.0), front(4.0).sigmoid()
    term = prior_loss(2.0, 0.0, 4.0)(values, mask) - prior_loss(0.0, 0.0, 4.0)(values, mask)
    want = 2.0 * math.sqrt(2) / 6 * 9 / (9 * 121)  # weight, surface tension, length over area
    assert term.item() == pytest.approx(want, rel=2e-3)


def test_weights_are_named_so_that_checkpoints_of_others_are_told_apart():
    assert "phase_field: 0.5, reaction_diffusion: 0.02" in repr(prior_loss(0.5, 0.02, 3.0))
