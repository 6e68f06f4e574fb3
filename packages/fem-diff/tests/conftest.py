"""Checks the shape annotations of the package with beartype while its tests run."""

from __future__ import annotations

import importlib
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

typing.TYPE_CHECKING = True
try:
    with install_import_hook("fem_diff", "beartype.beartype"):
        import fem_diff

        for _module in pkgutil.iter_modules(fem_diff.__path__):
            importlib.import_module(f"fem_diff.{_module.name}")
finally:
    typing.TYPE_CHECKING = False


@pytest.fixture
def unchecked():
    """The package as users have it, without beartype in front: for what it says itself to a wrong type."""
    jaxtyping.config.update("jaxtyping_disable", True)
    yield
    jaxtyping.config.update("jaxtyping_disable", False)


@pytest.fixture
def generator() -> torch.Generator:
    """A generator of its own for each test."""
    return torch.Generator().manual_seed(0)
