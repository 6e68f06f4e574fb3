"""Imports the package with its annotations checked: every call in every test is also a check of shapes."""

from __future__ import annotations

import importlib
import pkgutil
import typing

import accelerate  # noqa: F401 (what is imported here is imported before TYPE_CHECKING is true)
import beartype  # noqa: F401
import jaxtyping
import kornia  # noqa: F401
import matplotlib.axes
import matplotlib.figure  # noqa: F401
import numpy as np  # noqa: F401
import pytest
import rich.console
import rich.progress
import rich.table  # noqa: F401
import scipy.ndimage  # noqa: F401
import torch
import torch.utils.data
import tyro  # noqa: F401
from jaxtyping import install_import_hook

typing.TYPE_CHECKING = True
try:
    with install_import_hook("implicit_seg", "beartype.beartype"):
        import implicit_seg

        for module in pkgutil.walk_packages(implicit_seg.__path__, "implicit_seg."):
            importlib.import_module(module.name)
finally:
    typing.TYPE_CHECKING = False


@pytest.fixture
def generator() -> torch.Generator:
    return torch.Generator().manual_seed(0)


@pytest.fixture
def unchecked():
    """Switches the checks off, for the package's own messages about values that its annotations rule out."""
    jaxtyping.config.update("jaxtyping_disable", True)
    yield
    jaxtyping.config.update("jaxtyping_disable", False)


def pytest_runtest_setup(item: pytest.Item) -> None:
    if item.get_closest_marker("gpu") and not torch.cuda.is_available():
        pytest.skip("needs a CUDA device")
