from __future__ import annotations

import pytest
import torch
from monai.networks.nets import UNet as MonaiUNet
from torch import nn
from torch.testing import assert_close

from implicit_seg import (
    DiceLoss,
    SplineNetwork,
    TensorProductSplineHead,
    UNet,
    UNetImplicit,
    VGGImplicit1,
    VGGImplicit2,
    dice,
    evaluate_spline,
    score_each,
)

COUNTS = {  # Table 1 of Barrowclough et al.; fewer filters and the VGGs follow from the same blocks
    lambda: UNetImplicit(3): 7_701_825,
    lambda: UNetImplicit(4): 31_042_369,
    lambda: UNetImplicit(5): 124_385_089,
    lambda: UNetImplicit(4, filters=32): 7_765_409,
    lambda: UNetImplicit(4, filters=16): 1_943_761,
    lambda: UNet(4): 31_042_369,
    VGGImplicit1: 1_740_801,
    VGGImplicit2: 7_656_001,
    lambda: VGGImplicit1(filters=16): 109_569,
}


@pytest.mark.parametrize(("build", "count"), COUNTS.items(), ids=range(len(COUNTS)))
def test_number_of_parameters(build, count):
    with torch.device("meta"):
        network = build()
    assert sum(p.numel() for p in network.parameters()) == count


@pytest.mark.parametrize("size", [(16, 16), (33, 70), (64, 41)])
def test_coefficients_do_not_depend_on_the_size_of_the_image(size):
    network = UNetImplicit(2, (3, 5), 4, in_channels=2, out_channels=3)
    assert network.grid == (12, 20)
    assert network(torch.zeros(2, 2, *size)).shape == (2, 3, 12, 20)


@pytest.mark.parametrize("size", [(16, 16), (33, 70), (17, 41)])
def test_unet_keeps_any_size(size):
    assert UNet(3, 4, in_channels=2, out_channels=3)(torch.zeros(2, 2, *size)).shape == (2, 3, *size)


def test_unet_in_space(generator):
    """Where an image does not change along one axis, neither do the layers' sums, away from its ends."""
    network = UNet(2, 4, in_channels=2, out_channels=3, dimensions=3)
    assert network(torch.zeros(2, 2, 9, 14, 11)).shape == (2, 3, 9, 14, 11)
    model = SplineNetwork(network, (4, 4, 4), degree=2)
    assert model(torch.zeros(1, 2, 8, 9, 10)).shape == (1, 3, 8, 9, 10)
    flat, solid = UNet(1, 2).eval(), UNet(1, 2, dimensions=3).eval()
    with torch.no_grad():
        for weights, thick in zip(flat.parameters(), solid.parameters(), strict=True):
            thick.copy_(weights.unsqueeze(2).expand_as(thick) if thick.ndim == 5 else weights)
            if thick.ndim == 5 and thick.shape[2] == 3:
                thick /= 3
        image = torch.rand(1, 1, 8, 10, generator=generator)
        want, values = flat(image), solid(image[:, :, None].expand(-1, -1, 20, -1, -1))
    # float32, sums of some hundred terms of order one; the ends' padding reaches seven slices inwards
    assert_close(values[:, :, 9], want, rtol=0, atol=1e-5)
    assert_close(values[:, :, 10], want, rtol=0, atol=1e-5)


def test_unet_and_unet_implicit_have_the_same_parameters():
    network = UNet(2, 4)
    network.load_state_dict(UNetImplicit(2, 4, 4).state_dict())


@pytest.mark.parametrize(("network", "scale"), [(VGGImplicit1, 4), (VGGImplicit2, 8)])
def test_vgg_scale(network, scale):
    with torch.device("meta"):
        coefficients = network(in_channels=3, out_channels=2)(torch.zeros(1, 3, 64, 96))
    assert coefficients.shape == (1, 2, 64 // scale, 96 // scale)


def test_every_parameter_gets_a_gradient(generator):
    network = UNetImplicit(2, 2, 4)
    model = nn.Sequential(network, TensorProductSplineHead(network.grid, (32, 48)))
    image = torch.randn(2, 1, 32, 48, generator=generator)
    DiceLoss(epsilon=1.0)(model(image), image > 0).backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in model.parameters())
    assert all(p.grad.abs().max() > 0 for p in network.last.parameters())


def test_any_backbone_will_do():
    model = nn.Sequential(
        nn.Conv2d(3, 2, 3, stride=4, padding=1), TensorProductSplineHead((8, 8), (32, 32), 3)
    )
    assert model(torch.zeros(1, 3, 32, 32)).shape == (1, 2, 32, 32)


@pytest.mark.parametrize("degree", [0, 1, 2, 3])
@pytest.mark.parametrize("shape", [(20, 36), (16, 24, 20)])
def test_networks_of_monai_predict_splines(shape, degree, generator):
    """They keep the size of the image; segmentation_models.pytorch's do, too."""
    torch.manual_seed(0)
    backbone = MonaiUNet(len(shape), 2, 3, channels=(4, 8), strides=(2,))
    grid, size = tuple(n // 4 for n in shape), tuple(n + 3 for n in shape)
    model = SplineNetwork(backbone, grid, size, degree)
    image = torch.randn(2, 2, *shape, generator=generator)
    values = model(image)
    assert values.shape == (2, 3, *size)
    blocks = backbone(image).reshape(2, 3, *[n for k in grid for n in (k, 4)])
    means = blocks.mean(dim=[3 + 2 * k for k in range(len(shape))])  # adaptive averages of whole blocks
    # mean and spline have one intermediate each, of order one
    assert_close(
        values, evaluate_spline(means, size, degree), rtol=0, atol=64 * torch.finfo(torch.float32).eps
    )
    values.square().sum().backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in model.parameters())


def test_spline_network_takes_the_size_of_the_image(generator):
    model = SplineNetwork(UNetImplicit(2, 3, 2), (12, 12), degree=2).double()
    for size in ((16, 20), (33, 29)):
        image = torch.randn(1, 1, *size, dtype=torch.float64, generator=generator)
        assert_close(model(image), evaluate_spline(model.coefficients(image), size, 2))
        assert model(image).shape == (1, 1, *size)
    assert "grid=(12, 12), degree=2" in repr(model)


def test_classes_have_splines_of_their_own(generator):
    """(batch, classes, *space) from the network through the loss to the metric."""
    torch.manual_seed(0)
    model = SplineNetwork(UNetImplicit(1, 4, 2, out_channels=3), (8, 8), (16, 16))
    image = torch.randn(2, 1, 16, 16, generator=generator)
    mask = torch.stack([image[:, 0] > t for t in (-1, 0, 1)], dim=1)
    values = model(image)
    DiceLoss(0.5, classes="each")(values, mask).backward()
    last = model.backbone.last.weight.grad
    assert last.shape[0] == 3
    assert (last.abs().amax(dim=(1, 2, 3)) > 0).all()
    assert score_each(dice, values > 0, mask, axes=(0, 1)).shape == (2, 3)


def test_messages():
    with pytest.raises(ValueError, match="`depth` must be at least 1; got 0"):
        UNet(0)
    with pytest.raises(ValueError, match="`dimensions` must be 2 or 3; got 1"):
        UNet(2, dimensions=1)
    with pytest.raises(ValueError, match=r"depth, height, width\).* at least 4 for this network; got"):
        UNet(2, 2, dimensions=3)(torch.zeros(1, 1, 8, 8))
    with pytest.raises(ValueError, match="`bottleneck` must be at least 1; got 0"):
        UNetImplicit(2, (4, 0))
    with pytest.raises(ValueError, match="`in_channels` must be at least 1; got 0"):
        VGGImplicit1(in_channels=0)
    with pytest.raises(ValueError, match=r"at least 8 for this network; got the shape \(1, 1, 7, 64\)"):
        UNetImplicit(3, 2, 2)(torch.zeros(1, 1, 7, 64))
    with torch.device("meta"), pytest.raises(ValueError, match="at least 8 for this network"):
        VGGImplicit2()(torch.zeros(1, 1, 7, 64))
    with pytest.raises(ValueError, match=r"`grid` must have one to three dimensions; got \(2, 2, 2, 2\)"):
        SplineNetwork(nn.Identity(), (2, 2, 2, 2))
    with pytest.raises(ValueError, match="degree 2 needs at least 3 coefficients; got 2"):
        SplineNetwork(nn.Identity(), (2, 8), degree=2)
    with pytest.raises(ValueError, match=r"to fit `grid` = \(4, 4\); it gave the shape \(1, 16\)"):
        SplineNetwork(nn.Flatten(), (4, 4))(torch.zeros(1, 1, 4, 4))
