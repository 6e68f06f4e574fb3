"""Imports the package with its annotations checked: every call in every test is also a check of shapes."""

from __future__ import annotations

import accelerate  # noqa: F401 (what is imported here is imported before TYPE_CHECKING is true)
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

from piecewise_testing import import_checked

import_checked("implicit_seg")


@pytest.fixture
def generator() -> torch.Generator:
    return torch.Generator().manual_seed(0)


def pytest_runtest_setup(item: pytest.Item) -> None:
    if item.get_closest_marker("gpu") and not torch.cuda.is_available():
        pytest.skip("needs a CUDA device")
