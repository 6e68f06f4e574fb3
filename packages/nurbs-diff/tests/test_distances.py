from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from scipy.spatial import cKDTree
from scipy.spatial.distance import directed_hausdorff
from torch import Generator, Tensor
from torch.testing import assert_close

from nurbs_diff import chamfer_distance, hausdorff_distance, nearest_distances
from nurbs_diff._fitting import nearest

EPS = torch.finfo(torch.float64).eps
BACKENDS = ("tree", "blocked")


def clouds(generator: Generator, *shape: int, n: int = 37) -> tuple[Tensor, Tensor]:
    first = torch.rand(*shape, generator=generator, dtype=torch.float64)
    second = torch.rand(*shape[:-2], n, shape[-1], generator=generator, dtype=torch.float64)
    return first, second


@pytest.mark.parametrize("backend", BACKENDS)
def test_distances_equal_brute_force(generator: Generator, backend: str) -> None:
    a, b = clouds(generator, 2, 3, 50, 3)
    table = (a.unsqueeze(-2) - b.unsqueeze(-3)).square().sum(-1)
    ab, ba = table.amin(-1), table.amin(-2)
    options = {"rtol": 4 * EPS, "atol": 0}  # a sum of three squares, a root
    assert_close(nearest_distances(a, b, squared=True, backend=backend), ab, **options)
    chamfer = ab.mean(-1) + ba.mean(-1)
    assert_close(chamfer_distance(a, b, backend=backend), chamfer, rtol=50 * EPS, atol=0)
    unsquared = ab.sqrt().mean(-1) + ba.sqrt().mean(-1)
    assert_close(chamfer_distance(a, b, squared=False, backend=backend), unsquared, rtol=50 * EPS, atol=0)
    want = torch.maximum(ab.amax(-1), ba.amax(-1)).sqrt()
    assert_close(hausdorff_distance(a, b, backend=backend), want, **options)


@pytest.mark.parametrize("backend", BACKENDS)
def test_distances_equal_scipy(generator: Generator, backend: str) -> None:
    a, b = clouds(generator, 60, 2)
    both = [directed_hausdorff(x.numpy(), y.numpy())[0] for x, y in ((a, b), (b, a))]
    assert float(hausdorff_distance(a, b, backend=backend)) == pytest.approx(max(both), rel=4 * EPS)
    sides = [cKDTree(y.numpy()).query(x.numpy())[0] for x, y in ((a, b), (b, a))]
    want = max(np.percentile(side, 90) for side in sides)
    assert float(hausdorff_distance(a, b, percentile=90.0, backend=backend)) == pytest.approx(
        want, rel=8 * EPS
    )


@pytest.mark.parametrize("squared", [True, False])
def test_gradients(generator: Generator, squared: bool) -> None:
    a, b = (cloud.requires_grad_() for cloud in clouds(generator, 2, 7, 3, n=5))
    for backend in BACKENDS:
        assert torch.autograd.gradcheck(
            lambda x, y, backend=backend: chamfer_distance(x, y, squared=squared, backend=backend), (a, b)
        )
        for percentile in (100.0, 80.0):
            assert torch.autograd.gradcheck(
                lambda x, y, p=percentile, backend=backend: hausdorff_distance(
                    x, y, percentile=p, backend=backend
                ),
                (a, b),
            )


def test_a_cloud_and_itself(generator: Generator) -> None:
    a = torch.rand(20, 3, generator=generator, requires_grad=True)
    total = chamfer_distance(a, a.detach(), squared=False)
    total.backward()
    assert total == 0
    assert a.grad is not None
    assert torch.equal(a.grad, torch.zeros_like(a))  # and no NaN from the root at zero


def test_blocks_change_nothing(generator: Generator, monkeypatch: pytest.MonkeyPatch) -> None:
    a, b = clouds(generator, 3, 50, 3)
    whole = nearest_distances(a, b, backend="blocked")
    for size in (1, 37 * 7, 37 * 50 * 2):  # single rows, some rows, some samples
        monkeypatch.setattr(nearest, "_BLOCK", size)
        assert torch.equal(nearest_distances(a, b, backend="blocked"), whole)


def test_far_from_the_origin_no_digits_are_lost() -> None:
    a = torch.tensor([[1000.0, 1000.0], [1000.25, 1000.0]])
    others = a + torch.tensor([0.0, 2.0**-12])
    for backend in BACKENDS:
        assert nearest_distances(a, others, backend=backend).tolist() == [2.0**-12] * 2


def test_errors(generator: Generator, unchecked: None) -> None:
    a, b = clouds(generator, 4, 3)
    with pytest.raises(ValueError, match=r"agree in batch and dimension; got \(4, 3\) and \(37, 2\)"):
        chamfer_distance(a, b[:, :2])
    with pytest.raises(ValueError, match=r"`others` must have shape .* at least one point; got \(0, 3\)"):
        chamfer_distance(a, b[:0])
    with pytest.raises(TypeError, match=r"must have one dtype; got torch.float64 and torch.float32"):
        chamfer_distance(a, b.float())
    with pytest.raises(ValueError, match=r"`percentile` must lie in \(0, 100\]; got 0"):
        hausdorff_distance(a, b, percentile=0)
    with pytest.raises(ValueError, match=r"`backend` must be one of 'auto', 'tree', 'blocked'; got 'gpu'"):
        nearest_distances(a, b, backend="gpu")
    a[2, 1] = math.nan
    with pytest.raises(ValueError, match=r"`points` must be finite; points\[2, 1\] = nan. Drop that point"):
        chamfer_distance(a, b)
