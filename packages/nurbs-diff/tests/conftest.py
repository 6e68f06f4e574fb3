"""Loads the package with its shape annotations checked at every call, and offers generators of test data."""

from __future__ import annotations

import importlib
import sys
import typing
from pathlib import Path

import accelerate
import beartype
import beartype.door
import hypothesis
import jaxtyping
import matplotlib.figure
import pytest
import scipy.optimize
import scipy.stats
import torch
from jaxtyping import install_import_hook

if typing.TYPE_CHECKING:
    from collections.abc import Iterator

# No deadline: a busy machine is no failure. The same examples each time.
hypothesis.settings.register_profile("piecewise", deadline=None, max_examples=50, derandomize=True)
hypothesis.settings.load_profile("piecewise")

sys.path.insert(0, str(Path(__file__).parent))  # for nurbs_cases, whatever pytest's import mode

# Loaded first, so that their own TYPE_CHECKING blocks stay unread.
_LOADED = (
    accelerate.Accelerator,
    beartype.beartype,
    beartype.door,
    matplotlib.figure,
    scipy.optimize,
    scipy.stats,
)

typing.TYPE_CHECKING = True  # the annotations' names must exist for beartype
try:
    with install_import_hook("nurbs_diff", "beartype.beartype"):
        for module in (
            "nurbs_diff",
            "nurbs_diff._fitting.plot_surface",
            "nurbs_diff.files",
            "nurbs_diff.splinenet",
        ):
            importlib.import_module(module)
finally:
    typing.TYPE_CHECKING = False


@pytest.fixture
def generator() -> torch.Generator:
    return torch.Generator().manual_seed(20240817)


@pytest.fixture
def unchecked() -> Iterator[None]:
    """Switches the checks off, to hear what the package itself says about arguments of a wrong type."""
    jaxtyping.config.update("jaxtyping_disable", True)
    yield
    jaxtyping.config.update("jaxtyping_disable", False)
