"""Checks the shape annotations of the package with beartype while its tests run."""

from __future__ import annotations

import itertools
import math

import matplotlib
import numpy  # noqa: F401 - loaded before TYPE_CHECKING is set, so that its own blocks stay closed
import pytest
import scipy.sparse.linalg  # noqa: F401 - as above
import skfem  # noqa: F401 - as above
import torch

from piecewise_testing import import_checked

matplotlib.use("Agg")
import matplotlib.pyplot

import_checked("fem_diff")


@pytest.fixture
def remainder_orders(generator):
    """The orders in which remainders of Taylor's formula fall, by halving steps: 2 for a right derivative."""

    def orders(loss, value, size, *, symmetric=lambda direction: direction):
        direction = torch.randn(value.shape, generator=generator, dtype=torch.float64)
        direction = size * symmetric(direction / direction.abs().max())
        leaf = value.clone().requires_grad_()
        start = loss(leaf)
        slope = float((torch.autograd.grad(start, leaf)[0] * direction).sum())
        remainders = [
            abs(float(loss(value + s * direction)) - float(start.detach()) - s * slope)
            for s in (2.0**-k for k in (4, 5, 6))
        ]
        return [math.log2(a / b) for a, b in itertools.pairwise(remainders)]

    return orders


@pytest.fixture
def generator() -> torch.Generator:
    """A generator of its own for each test."""
    return torch.Generator().manual_seed(0)
