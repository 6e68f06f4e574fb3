from __future__ import annotations

import numpy as np
import pytest
import torch
from torch.testing import assert_close

import implicit_seg
from implicit_seg import accuracy_loss, dice_loss, jaccard_loss, mask_mae_loss, mask_mse_loss, soft_mask

LOSSES = [mask_mae_loss, mask_mse_loss, jaccard_loss, dice_loss, accuracy_loss]


@pytest.fixture
def pair(generator):
    values = torch.randn(2, 1, 5, 7, dtype=torch.float64, generator=generator)
    return values, torch.rand(2, 1, 5, 7, generator=generator) > 0.6


def test_equations_of_the_paper(pair):
    z, y = (x.numpy().astype(float) for x in pair)
    signed, eps = 2 * y - 1, 1e-4
    soft = 0.5 * (z / (eps + abs(z)) + 1)
    want = [
        np.mean(abs(z - signed)),
        np.mean((z - signed) ** 2),
        1 - np.sum(y * soft) / np.sum(y + soft - y * soft),
        1 - np.sum(2 * y * soft) / np.sum(y + soft),
        1 - np.sum(1 - y - soft + 2 * y * soft) / y.size,
    ]
    for loss, value in zip(LOSSES, want, strict=True):
        assert loss(*pair).item() == pytest.approx(
            value, abs=64 * np.finfo(float).eps
        )  # 70 terms, summed otherwise


@pytest.mark.parametrize(
    ("loss", "score"),
    [
        (jaccard_loss, implicit_seg.jaccard),
        (dice_loss, implicit_seg.dice),
        (accuracy_loss, implicit_seg.accuracy),
    ],
)
def test_a_sharp_soft_mask_gives_the_score(loss, score, pair):
    values, mask = pair
    # |Z| is at least 1e-3 here, so that the soft mask is off by at most epsilon / |Z| = 1e-9 a pixel
    values = values + 1e-3 * values.sign()
    assert loss(values, mask, 1e-12).item() == pytest.approx(1 - score(values > 0, mask), abs=1e-8)


@pytest.mark.parametrize("loss", LOSSES)
def test_gradients(loss, pair):
    values, mask = pair
    arguments = () if loss in LOSSES[:2] else (0.3,)
    values = (values + 0.05 * values.sign()).requires_grad_()  # away from the kink of |Z|
    assert torch.autograd.gradcheck(lambda z: loss(z, mask, *arguments), values)


def test_slope_of_the_soft_mask():
    for epsilon in (1e-4, 0.5):
        values = torch.tensor([[0.0, 1.0]], dtype=torch.float64, requires_grad=True)
        soft_mask(values, epsilon).sum().backward()
        assert_close(values.grad[0, 0].item(), 0.5 / epsilon)
        assert_close(values.grad[0, 1].item(), 0.5 * epsilon / (1 + epsilon) ** 2)


@pytest.mark.parametrize("loss", [jaccard_loss, dice_loss])
def test_two_empty_masks_agree(loss):
    values = torch.full(
        (1, 1, 4, 4), -1e9, requires_grad=True
    )  # so negative that the soft mask is exactly zero
    assert soft_mask(values).sum() == 0
    error = loss(values, torch.zeros(1, 1, 4, 4))
    error.backward()
    assert error == 0
    assert values.grad.isfinite().all()


@pytest.mark.parametrize("name", ["MaskMAELoss", "MaskMSELoss", "JaccardLoss", "DiceLoss", "AccuracyLoss"])
def test_modules_equal_functions(name, pair):
    function = dict(
        zip(["MaskMAELoss", "MaskMSELoss", "JaccardLoss", "DiceLoss", "AccuracyLoss"], LOSSES, strict=True)
    )
    assert getattr(implicit_seg, name)()(*pair) == function[name](*pair)


def test_epsilon_reaches_the_modules(pair):
    module = implicit_seg.DiceLoss(epsilon=0.5)
    assert module(*pair) == dice_loss(*pair, epsilon=0.5)
    assert "epsilon=0.5" in repr(module)


@pytest.mark.parametrize("loss", [jaccard_loss, dice_loss])
def test_classes_together_or_each(loss, generator):
    values = torch.randn(3, 4, 5, 6, 7, dtype=torch.float64, generator=generator)
    mask = torch.rand(values.shape, generator=generator) > torch.tensor([0.1, 0.5, 0.9, 1.0]).view(4, 1, 1, 1)
    each = [loss(values[:, k : k + 1], mask[:, k : k + 1], 0.2) for k in range(4)]
    assert_close(loss(values, mask, 0.2, classes="each"), torch.stack(each).mean())
    assert_close(
        loss(values, mask, 0.2), loss(values.flatten(0, 1)[:, None], mask.flatten(0, 1)[:, None], 0.2)
    )
    assert loss(values, mask, 0.2) != loss(values, mask, 0.2, classes="each")


@pytest.mark.parametrize("name", ["JaccardLoss", "DiceLoss"])
def test_classes_reach_the_modules(name, generator):
    values = torch.randn(2, 3, 4, 4, generator=generator)
    mask = torch.rand(values.shape, generator=generator) > 0.8
    function = {"JaccardLoss": jaccard_loss, "DiceLoss": dice_loss}[name]
    module = getattr(implicit_seg, name)(0.1, classes="each")
    assert module(values, mask) == function(values, mask, 0.1, classes="each")
    assert "epsilon=0.1, classes=each" in repr(module)


def test_messages_of_classes(unchecked):
    with pytest.raises(ValueError, match='`classes` must be "together" or "each"; got \'all\''):
        implicit_seg.DiceLoss(classes="all")


def test_messages(pair):
    with pytest.raises(ValueError, match=r"one shape; got \(2, 1, 5, 7\) and \(2, 1, 5, 6\)"):
        dice_loss(pair[0], pair[1][..., :6])
    with pytest.raises(ValueError, match="`epsilon` must be positive; got 0"):
        implicit_seg.JaccardLoss(epsilon=0.0)


@pytest.mark.parametrize("name", ["MaskMAELoss", "MaskMSELoss", "JaccardLoss", "DiceLoss", "AccuracyLoss"])
@pytest.mark.parametrize("value", [2.0, 0.5, -1.0, np.nan])
def test_a_mask_holds_zeros_and_ones(name, value, pair):
    values, mask = pair[0], pair[1].double()
    loss = getattr(implicit_seg, name)()
    assert loss(values, mask) == loss(*pair)
    mask[1, 0, 2, 3] = value
    with pytest.raises(
        ValueError,
        match=rf"`mask` must hold 0 and 1 only; mask\[1, 0, 2, 3\] is {value}\. Threshold it",
    ):
        loss(values, mask)
