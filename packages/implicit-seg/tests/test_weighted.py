from __future__ import annotations

import math

import pytest
import torch
from torch import nn
from torch.testing import assert_close

from implicit_seg import (
    CosineSchedule,
    DiceLoss,
    LinearSchedule,
    LossTerm,
    PhaseFieldLoss,
    ReactionDiffusionLoss,
    UNet,
    WeightedLoss,
    mask_mse_loss,
    soft_mask,
)
from implicit_seg.training import TrainingSettings, train


@pytest.fixture
def pair(generator):
    values = torch.randn(2, 3, 6, 7, dtype=torch.float64, generator=generator)
    return values.requires_grad_(), torch.rand(2, 3, 6, 7, generator=generator) > 0.5


def test_schedules():
    warm_up = LinearSchedule(0.0, 2.0, steps=10, delay=5)
    assert [warm_up(k) for k in (0, 5, 10, 15, 99)] == [0, 0, 1, 2, 2]
    cosine = CosineSchedule(1.0, 3.0, steps=8, delay=2)
    for k in range(15):
        share = min(max(k - 2, 0), 8) / 8
        assert cosine(k) == pytest.approx(2 - math.cos(math.pi * share), abs=1e-15)


def test_sum_and_gradient_are_those_of_the_terms(pair):
    values, mask = pair
    dice, energy, residual = DiceLoss(0.3), PhaseFieldLoss(2.0), ReactionDiffusionLoss()
    loss = WeightedLoss(
        {
            "dice": LossTerm(dice, 0.7),
            "mse": LossTerm(mask_mse_loss, lambda step: 1 / (1 + step)),
            "energy": LossTerm(energy, LinearSchedule(0.0, 1.0, steps=4), prior=True),
            "residual": LossTerm(residual, 2.0, prior=True),
        }
    )
    loss.step = 1
    u = values.sigmoid()
    want = 0.7 * dice(values, mask) + mask_mse_loss(values, mask) / 2 + energy(u) / 4 + 2 * residual(u)
    assert_close(loss(values, mask), want)
    assert loss.weights() == {"dice": 0.7, "mse": 0.5, "energy": 0.25, "residual": 2.0}
    assert_close(loss.parts["energy"], energy(u).detach())
    assert not any(part.requires_grad for part in loss.parts.values())
    got, expected = (torch.autograd.grad(v, values)[0] for v in (loss(values, mask), want))
    assert_close(got, expected)


def test_a_term_of_weight_zero_is_not_computed(pair):
    def refuse(u):
        raise AssertionError

    terms = {
        "data": LossTerm(mask_mse_loss),
        "prior": LossTerm(refuse, LinearSchedule(0.0, 1.0, 3), prior=True),
    }
    loss = WeightedLoss(terms)
    assert_close(loss(*pair), mask_mse_loss(*pair))
    assert set(loss.parts) == {"data"}
    loss.step = 1
    with pytest.raises(AssertionError):
        loss(*pair)


def test_the_phase_is_a_choice(pair):
    loss = WeightedLoss({"energy": LossTerm(PhaseFieldLoss(2.0), prior=True)}, lambda z: soft_mask(z, 0.5))
    assert_close(loss(*pair), PhaseFieldLoss(2.0)(soft_mask(pair[0], 0.5)))


def test_print_out_tells_weights_apart():
    text = repr(WeightedLoss({"dice": LossTerm(DiceLoss(0.3), LinearSchedule(0.0, 0.5, steps=9))}))
    assert "epsilon=0.3" in text
    assert "end=0.5, steps=9" in text
    assert "phase=sigmoid" in text


def test_training_sets_the_step(generator, tmp_path):
    images = torch.rand(6, 1, 8, 8, generator=generator)
    items = [(image, (image > 0.5).float()) for image in images]
    seen: list[int] = []

    def weight(step: int) -> float:
        seen.append(step)
        return 1.0

    model: nn.Module = UNet(1, 2)
    loss = WeightedLoss({"data": LossTerm(mask_mse_loss, weight)})
    seen.clear()
    train(model, items, loss, TrainingSettings(epochs=2, batch_size=2))
    assert seen == list(range(6))


def test_messages():
    with pytest.raises(ValueError, match="`terms` is empty; give at least one `LossTerm`"):
        WeightedLoss({})
    with pytest.raises(ValueError, match=r"weight must be finite and not negative; got -1\.0 at step 0"):
        WeightedLoss({"a": LossTerm(mask_mse_loss, -1.0)})
    with pytest.raises(ValueError, match="got nan at step 0"):
        WeightedLoss({"a": LossTerm(mask_mse_loss, lambda step: math.nan)})
    with pytest.raises(ValueError, match="`steps` must be at least 1; got 0"):
        LinearSchedule(0.0, 1.0, steps=0)
    with pytest.raises(ValueError, match="`delay` must not be negative; got -1"):
        CosineSchedule(0.0, 1.0, steps=1, delay=-1)
    with pytest.raises(ValueError, match=r"`start` and `end` must be finite; got 0\.0 and inf"):
        LinearSchedule(0.0, math.inf, steps=1)
