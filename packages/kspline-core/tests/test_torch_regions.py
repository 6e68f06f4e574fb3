"""Regions in torch: the C++ core and torch operations give the same; derivatives of every kind."""

from __future__ import annotations

import inspect

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

torch = pytest.importorskip("torch", reason="PyTorch is not installed (extra `torch`)")

import kspline_core  # noqa: E402 (after the skip)
from kspline_core import _check_regions  # noqa: E402
from kspline_core.torch import (  # noqa: E402
    PiecewiseConstant2d,
    piecewise_constant_2d,
    project_regions,
    regions,
)
from kspline_core.torch._region_autograd import label_on_device, project_on_device  # noqa: E402

pytestmark = pytest.mark.filterwarnings("ignore:`torch.jit.script` is deprecated:FutureWarning")
EPS = np.finfo(float).eps
cuda = pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")


@pytest.fixture
def image():
    generator = torch.Generator().manual_seed(5)
    return torch.rand(2, 3, 5, 6, dtype=torch.float64, generator=generator)


@settings(max_examples=150, deadline=None)
@given(st.data(), st.integers(1, 12), st.integers(1, 12), st.sampled_from([4, 8]), st.sampled_from([1, 2, 9]))
def test_labels_in_torch_operations_are_those_of_the_core(data, height, width, connectivity, min_size):
    rng = np.random.default_rng(data.draw(st.integers(0, 2**32 - 1)))
    image = rng.choice([0.1, 0.5, 0.8], (2, height, width))
    groups = rng.integers(-2, 2, image.shape) if data.draw(st.booleans()) else None
    rule = _check_regions.partition((0.3, 0.7), connectivity, min_size)
    ours = label_on_device(
        torch.from_numpy(image), None if groups is None else torch.from_numpy(groups), rule
    )
    want = kspline_core.regions(
        image, (0.3, 0.7), connectivity=connectivity, min_size=min_size, labels=groups
    )
    np.testing.assert_array_equal(ours.numpy(), want)


def test_a_long_snake_is_one_region():
    """A region whose pixels are far apart along it: no limit to the rounds."""
    snake = np.ones((65, 64))
    snake[1::4, :-1] = 0
    snake[3::4, 1:] = 0
    rule = _check_regions.partition((0.5,), 4, 1)
    ours = label_on_device(torch.from_numpy(snake)[None], None, rule)[0].numpy()
    np.testing.assert_array_equal(ours, kspline_core.regions(snake))
    assert len(np.unique(ours[snake > 0])) == 1


@pytest.mark.parametrize("degree", range(4))
def test_projection_in_torch_operations_is_that_of_the_core(image, degree):
    labels = regions(image, connectivity=8, min_size=3)
    want = kspline_core.project_regions(image.numpy(), labels.numpy(), degree)
    for numbers in (labels, 7 * labels.long() - 2**31):
        ours = project_on_device("values", image, numbers, degree)
        np.testing.assert_allclose(ours.numpy(), want.values, rtol=0, atol=1e-12)
    stack = torch.stack([image, image**2])
    product = project_on_device("jacobian", stack, labels, degree)
    np.testing.assert_allclose(product.numpy(), want.jvp(stack.numpy()), rtol=0, atol=1e-12)
    offset = project_on_device("values", image + 2.0**30, labels, degree) - 2.0**30
    np.testing.assert_allclose(offset.numpy(), want.values, rtol=0, atol=2**30 * EPS)


def test_functions_are_those_of_numpy(image):
    labels = regions(image, (0.3, 0.7), min_size=2)
    np.testing.assert_array_equal(labels.numpy(), kspline_core.regions(image.numpy(), (0.3, 0.7), min_size=2))
    want = kspline_core.project_regions(image.numpy(), labels.numpy(), 1).values
    np.testing.assert_array_equal(project_regions(image, labels, 1).numpy(), want)
    ours = piecewise_constant_2d(image, (0.3, 0.7), degree=1, min_size=2)
    np.testing.assert_array_equal(ours.numpy(), want)
    mixed = piecewise_constant_2d(image, (0.3, 0.7), degree=1, min_size=2, mixing=0.25)
    np.testing.assert_allclose(mixed.numpy(), 0.25 * want + 0.75 * image.numpy(), rtol=0, atol=4 * EPS)
    superpixels = torch.arange(30).reshape(5, 6) // 4
    ours = piecewise_constant_2d(image, (), labels=superpixels)
    cut = kspline_core.regions(np.zeros((5, 6)), (), labels=superpixels.numpy())
    want = kspline_core.project_regions(image.numpy(), cut).values
    np.testing.assert_array_equal(ours.numpy(), want)


@pytest.mark.parametrize("degree", range(4))
def test_gradcheck(image, degree):
    y = (
        image[0, :2, :4, :4].clone().requires_grad_()
    )  # no value so near to the level that a step of gradcheck crosses it
    assert (image - 0.5).abs().min() > 1e-4

    def function(y):
        return piecewise_constant_2d(y, degree=degree, min_size=2, mixing=0.7)

    assert torch.autograd.gradcheck(function, y, check_forward_ad=True)
    assert torch.autograd.gradgradcheck(lambda y: function(y) ** 2, y)


def test_jacobian_is_block_diagonal_with_one_over_the_number_of_pixels(image):
    labels = regions(image).reshape(6, 30)
    ours = torch.func.vmap(torch.func.jacrev(piecewise_constant_2d))(image.reshape(6, 5, 6)).reshape(
        6, 30, 30
    )
    for one, jacobian in zip(labels, ours, strict=True):
        same = one[:, None] == one[None, :]
        want = same / same.sum(dim=1, keepdim=True).double()
        torch.testing.assert_close(jacobian, want, rtol=0, atol=4 * EPS)


def test_torch_func(image):
    want = piecewise_constant_2d(image)
    over_batch = torch.func.vmap(torch.func.vmap(piecewise_constant_2d))(image)
    torch.testing.assert_close(over_batch, want, rtol=0, atol=0)
    last = torch.func.vmap(piecewise_constant_2d, in_dims=-1, out_dims=-1)(image.movedim(0, -1))
    torch.testing.assert_close(last, want.movedim(0, -1), rtol=0, atol=0)
    forward = torch.func.jacfwd(piecewise_constant_2d)(image[0, 0])
    torch.testing.assert_close(
        forward, torch.func.jacrev(piecewise_constant_2d)(image[0, 0]), rtol=0, atol=EPS
    )
    maps = torch.arange(60).reshape(2, 5, 6) // 7
    over_labels = torch.func.vmap(lambda labels: project_regions(image, labels, 1))(maps)
    for i in range(2):
        torch.testing.assert_close(over_labels[i], project_regions(image, maps[i], 1), rtol=0, atol=0)
    over_both = torch.func.vmap(lambda y, labels: piecewise_constant_2d(y, labels=labels))(image, maps)
    for i in range(2):
        one = piecewise_constant_2d(image[i], labels=maps[i])
        torch.testing.assert_close(over_both[i], one, rtol=0, atol=0)


def test_layer(image):
    layer = PiecewiseConstant2d((0.25, 0.75), degree=1, connectivity=8, min_size=3, mixing=0.5)
    y = image.float().requires_grad_()
    out = layer(y)
    want = piecewise_constant_2d(y, (0.25, 0.75), degree=1, connectivity=8, min_size=3, mixing=0.5)
    torch.testing.assert_close(out, want, rtol=0, atol=0)
    out.sum().backward()
    assert out.dtype == y.grad.dtype == torch.float32
    torch.testing.assert_close(y.grad, torch.ones_like(y), rtol=0, atol=1e-6)  # P 1 = 1
    layer.mixing = 0.0
    torch.testing.assert_close(layer(y), y, rtol=0, atol=0)
    layer.mixing = 0.5
    assert repr(layer) == (
        "PiecewiseConstant2d(levels=(0.25, 0.75), degree=1, connectivity=8, min_size=3, mixing=0.5)"
    )


@pytest.mark.gpu
@cuda
@pytest.mark.parametrize("degree", range(4))
def test_cuda(rng, degree):
    image = torch.from_numpy(rng.random((4, 2, 96, 80)))
    for connectivity, min_size in ((4, 1), (8, 12)):
        settings = {"connectivity": connectivity, "min_size": min_size}
        labels = regions(image.cuda(), **settings)
        assert labels.is_cuda
        torch.testing.assert_close(labels.cpu(), regions(image, **settings), rtol=0, atol=0)
        y = image.cuda().requires_grad_()
        out = piecewise_constant_2d(y, degree=degree, **settings)
        want = piecewise_constant_2d(image, degree=degree, **settings)
        torch.testing.assert_close(out.cpu(), want, rtol=0, atol=1e-11)
        (gradient,) = torch.autograd.grad(out.square().sum() / 2, y)
        torch.testing.assert_close(gradient.cpu(), want, rtol=0, atol=1e-11)  # P h = h


class TestErrors:
    def test_regions(self):
        with pytest.raises(
            TypeError, match=r"`image` must be float32 or float64; got torch.int64. Convert it"
        ):
            inspect.unwrap(regions)(torch.zeros(2, 2, dtype=torch.int64))
        with pytest.raises(ValueError, match=r"`image` must have a shape \(..., height, width\); got \(3,\)"):
            inspect.unwrap(regions)(torch.zeros(3))
        with pytest.raises(ValueError, match=r"`image` must be finite; image\[0, 1\] = nan"):
            regions(torch.tensor([[0.0, torch.nan]]))
        with pytest.raises(ValueError, match="`levels` must increase"):
            PiecewiseConstant2d((0.7, 0.3))
        with pytest.raises(ValueError, match=r"`mixing` must be from 0 to 1; got 1\.5"):
            piecewise_constant_2d(torch.zeros(2, 2), mixing=1.5)
        with pytest.raises(ValueError, match="`threads` must be at least 1; got 0"):
            regions(torch.zeros(2, 2), threads=0)

    def test_labels(self):
        image = torch.zeros(2, 2)
        with pytest.raises(TypeError, match=r"`labels` must hold integers; got torch.float32. Convert them"):
            inspect.unwrap(project_regions)(image, torch.zeros(2, 2))
        with pytest.raises(ValueError, match=r"`labels` must have the shape of `image`, \(2, 2\)"):
            inspect.unwrap(project_regions)(image, torch.zeros(2, 3, dtype=torch.int64))
        with pytest.raises(ValueError, match=r"`labels` is on meta, and `image` on cpu. Move it"):
            project_regions(image, torch.zeros(2, 2, dtype=torch.int64, device="meta"))
        with pytest.raises(ValueError, match="`labels` must lie within 32 bits; got 4294967296"):
            project_regions(image, torch.full((2, 2), 2**32))

    def test_those_of_the_path_in_torch_operations(self):
        rule = _check_regions.partition((0.5,), 4, 1)
        with pytest.raises(ValueError, match=r"`image` must be finite; image\[0, 0\] = inf"):
            label_on_device(torch.tensor([[torch.inf]]), None, rule)
        with pytest.raises(ValueError, match="`labels` must lie within 32 bits"):
            label_on_device(torch.zeros(1, 1), torch.full((1, 1), 2**40), rule)
        wide = torch.tensor([[1.7e308, -1.7e308]], dtype=torch.float64)
        for project in (project_regions, lambda v, labels: project_on_device("values", v, labels, 0)):
            with pytest.raises(ValueError, match="sums leave the range of float64: `image` is too large"):
                project(wide, torch.zeros(1, 2, dtype=torch.int64))
