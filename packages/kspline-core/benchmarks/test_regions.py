"""Labels and means of 16 images of 256 x 256, one thread, beside scipy and numpy; answers compared."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy import ndimage

from kspline_core import project_regions, regions
from kspline_core.torch import piecewise_constant_2d


@pytest.fixture(scope="module", params=[0, 1, 4], ids=lambda smooth: f"smooth={smooth}")
def image(request):
    """Noise, smoothed over so many pixels: from a region for every few pixels to a few hundred in all."""
    noise = np.random.default_rng(0).standard_normal((16, 256, 256))
    return (ndimage.gaussian_filter(noise, (0, request.param, request.param)) > 0).astype(np.float32)


def ours(image):
    return regions(image, threads=1)


def scipy(image):
    labels = np.empty(image.shape, np.int32)
    for one, out in zip(image, labels, strict=True):
        above, count = ndimage.label(one >= 0.5)
        below, _ = ndimage.label(one < 0.5)
        out[:] = np.where(one >= 0.5, above, below + count)
    return labels


@pytest.mark.benchmark(group="labels, both phases, 16 x 256 x 256")
@pytest.mark.parametrize("peer", [ours, scipy])
def test_labels(benchmark, image, peer):
    labels = benchmark.pedantic(peer, (image,), rounds=5, warmup_rounds=1)
    want = regions(image)
    pairs = np.unique(np.stack([labels[0].ravel(), want[0].ravel()]), axis=1)
    assert pairs.shape[1] == want[0].max() + 1  # one to one


def project(image, labels):
    return project_regions(image, labels, threads=1).values


def scatter_mean(image, labels):
    out = np.empty_like(image)
    for one, numbers, values in zip(image, labels, out, strict=True):
        flat = numbers.ravel()
        values[:] = (np.bincount(flat, one.ravel()) / np.bincount(flat))[numbers]
    return out


@pytest.mark.benchmark(group="means, 16 x 256 x 256")
@pytest.mark.parametrize("peer", [project, scatter_mean])
def test_means(benchmark, image, peer):
    labels = regions(image)
    values = np.random.default_rng(1).random(image.shape)
    means = benchmark.pedantic(peer, (values, labels), rounds=5, warmup_rounds=1)
    np.testing.assert_allclose(means, scatter_mean(values, labels), rtol=0, atol=1e-12)


@pytest.mark.benchmark(group="layer, 16 x 1 x 256 x 256")
@pytest.mark.parametrize("direction", ["forward", "backward"])
def test_layer(benchmark, image, direction):
    x = torch.from_numpy(image[:, None]).requires_grad_()
    out = piecewise_constant_2d(x, threads=1)
    if direction == "forward":
        out = benchmark.pedantic(piecewise_constant_2d, (x,), {"threads": 1}, rounds=5, warmup_rounds=1)
    else:
        vector = torch.ones_like(x)
        (gradient,) = benchmark.pedantic(
            torch.autograd.grad, (out, x, vector), {"retain_graph": True}, rounds=5, warmup_rounds=1
        )
        torch.testing.assert_close(gradient, vector)  # P 1 = 1
    torch.testing.assert_close(out, x)  # constant on its regions already
