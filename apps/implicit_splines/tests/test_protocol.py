"""The protocol: what the networks see and give, and that a broken training goes on."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from implicit_seg import SplineNetwork, evaluate_spline
from implicit_splines._networks import Network, values_at
from implicit_splines._protocol import Bench, Protocol, make_loss, resample
from implicit_splines.studies import CoefficientLoss, signed_distance
from repro.testing import Broken, RecordingContext

TINY = Protocol(size=24, depth=1, bottleneck=6, filters=2, epochs=2, batch_size=10)


@pytest.mark.parametrize("kind", ["UNetImplicit", "plain U-Net", "VGG-Implicit1", "VGG-Implicit2"])
def test_networks_give_values_on_any_grid(kind):
    model = Network(kind, 1, 2, 3, 4).build(32).eval()
    images = torch.rand(1, 1, 32, 32, generator=torch.Generator().manual_seed(0))
    values = values_at(model, images, (125, 125))
    assert values.shape == (1, 1, 125, 125)
    # both grids share every fourth point of the finer one: the corners stay where they are
    assert torch.allclose(values[..., ::4, ::4], model(images), atol=1e-5)


def test_both_u_nets_have_as_many_parameters():
    count = {
        kind: sum(p.numel() for p in Network(kind, filters=4).build(32).parameters())
        for kind in ("UNetImplicit", "plain U-Net")
    }
    assert count["UNetImplicit"] == count["plain U-Net"]


def test_resampling_keeps_ramps_and_corners():
    ramp = torch.linspace(-1, 1, 97)[None, None, :, None] * torch.ones(97)
    small = resample(ramp, 25)
    inner = slice(1, -1)  # the outermost samples are one-sided means
    assert torch.allclose(small[0, 0, inner, 3], torch.linspace(-1, 1, 25)[inner], atol=1e-6)
    large = resample(ramp[..., :13, :13], 25)
    assert torch.allclose(large[0, 0, :, 3], torch.linspace(-1, -0.75, 25), atol=1e-6)  # linear in between
    assert resample(ramp, 97) is ramp


def test_training_goes_on_and_sees_nothing_of_what_is_scored(tmp_path):
    whole = RecordingContext(tmp_path / "whole")
    bench = Bench(TINY, whole)
    before = torch.get_rng_state()
    model = bench.train("a", TINY.network, make_loss("Dice", 0.5), 0)
    assert torch.equal(torch.get_rng_state(), before)
    masks = bench.masks(model, bench.volumes.test)
    assert [m.shape for m in masks] == [v.masks.shape for v in bench.volumes.test]

    broken = RecordingContext(tmp_path / "broken", breaks_at_step=3)  # two steps make an epoch
    with pytest.raises(Broken):
        Bench(TINY, broken).train("a", TINY.network, make_loss("Dice", 0.5), 0)
    again = RecordingContext(tmp_path / "broken")
    other = Bench(TINY, again).train("a", TINY.network, make_loss("Dice", 0.5), 0)
    assert "resumed after epoch 1/2" in again.lines[1]
    assert all(torch.equal(p, q) for p, q in zip(model.parameters(), other.parameters(), strict=True))

    seen = torch.stack([image for image, _ in bench.items])
    for volume in bench.volumes.validation + bench.volumes.test:
        for image in bench.images(volume):
            assert (seen - image).abs().amax((1, 2, 3)).min() > 0.1


def test_the_losses_have_their_names():
    values, mask = torch.tensor([[[[2.0, -3.0]]]]), torch.tensor([[[[1.0, 1.0]]]])
    assert make_loss("MMSE", 1.0)(values, mask) == (1 + 16) / 2
    assert make_loss("MMAE", 1.0)(values, mask) == (1 + 4) / 2
    soft = (torch.tensor([2 / 3, -3 / 4]) + 1) / 2  # of epsilon 1
    assert make_loss("accuracy", 1.0)(values, mask) == pytest.approx(float(1 - soft.mean()))
    assert make_loss("Dice", 1.0)(values, mask) == pytest.approx(float(1 - 2 * soft.sum() / (2 + soft.sum())))
    assert make_loss("Jaccard", 1.0)(values, mask) == pytest.approx(float(1 - soft.sum() / 2))


def test_coefficients_of_a_signed_distance():
    mask = torch.zeros(1, 33, 33)
    mask[:, :, 16:] = 1
    distance = signed_distance(mask)
    assert distance.min() == -1
    assert distance.max() == 1
    assert distance[0, 5, 15:18].tolist() == pytest.approx([-16 / 33, 16 / 33, 32 / 33])
    assert (signed_distance(torch.ones(1, 8, 8)) == 1).all()
    assert (signed_distance(torch.zeros(1, 8, 8)) == -1).all()
    # what is a spline is fitted exactly, and an error of the coefficients is counted as it is
    coefficients = torch.randn(2, 1, 9, 9, generator=torch.Generator().manual_seed(0))
    values = evaluate_spline(coefficients, (33, 33), 2)
    loss = CoefficientLoss(9, 33, 2)
    assert loss(coefficients, values) < 1e-8  # (float32's rounding times the fit's condition) squared
    assert loss(coefficients + 0.5, values) == pytest.approx(0.25, rel=1e-4)
    turned = loss(torch.rot90(coefficients, 1, (-2, -1)), torch.rot90(values, 1, (-2, -1)))
    assert turned < 1e-8


def test_the_paper_network():
    with torch.device("meta"):
        model = replace(Protocol().network, depth=4, bottleneck=8, filters=64).build(512)
    assert isinstance(model, SplineNetwork)
    assert model.grid == (128, 128)
    assert sum(p.numel() for p in model.parameters()) == 31_042_369
    assert np.prod(model.grid) * 16 == 512**2
