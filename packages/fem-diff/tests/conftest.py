"""Checks the shape annotations of the package with beartype while its tests run."""

from __future__ import annotations

import importlib
import itertools
import math
import pkgutil
import typing

import beartype  # noqa: F401 - loaded before TYPE_CHECKING is set, so that its own blocks stay closed
import jaxtyping
import matplotlib
import numpy  # noqa: F401 - as above
import pytest
import scipy.sparse.linalg  # noqa: F401 - as above
import skfem  # noqa: F401 - as above
import torch
from jaxtyping import install_import_hook

matplotlib.use("Agg")
import matplotlib.pyplot

_jaxtyped = jaxtyping.jaxtyped


def _jaxtyped_outside(*, typechecker):
    """Leaves functions within functions alone: their checks would be compiled anew at every call."""
    checked = _jaxtyped(typechecker=typechecker)
    return lambda found: found if "<locals>" in found.__qualname__ else checked(found)


jaxtyping.jaxtyped = _jaxtyped_outside
typing.TYPE_CHECKING = True
try:
    with install_import_hook("fem_diff", "beartype.beartype"):
        import fem_diff

        for _module in pkgutil.walk_packages(fem_diff.__path__, "fem_diff."):
            importlib.import_module(_module.name)
finally:
    typing.TYPE_CHECKING = False


@pytest.fixture
def unchecked():
    """The package as users have it, without beartype in front: for what it says itself to a wrong type."""
    jaxtyping.config.update("jaxtyping_disable", True)
    yield
    jaxtyping.config.update("jaxtyping_disable", False)


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
