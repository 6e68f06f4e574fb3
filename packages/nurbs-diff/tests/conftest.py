"""Loads the package with its shape annotations checked at every call, and offers generators of test data."""

from __future__ import annotations

import sys
from pathlib import Path

import accelerate
import hypothesis
import matplotlib.figure
import pytest
import scipy.optimize
import scipy.stats
import torch

from piecewise_testing import import_checked

# No deadline: a busy machine is no failure. The same examples each time.
hypothesis.settings.register_profile("piecewise", deadline=None, max_examples=50, derandomize=True)
hypothesis.settings.load_profile("piecewise")

sys.path.insert(0, str(Path(__file__).parent))  # for nurbs_cases, whatever pytest's import mode

# Loaded first, so that their own TYPE_CHECKING blocks stay unread.
_LOADED = (
    accelerate.Accelerator,
    matplotlib.figure,
    scipy.optimize,
    scipy.stats,
)

import_checked("nurbs_diff", ["nurbs_diff._fitting.plot_surface", "nurbs_diff.files", "nurbs_diff.splinenet"])


@pytest.fixture
def generator() -> torch.Generator:
    return torch.Generator().manual_seed(20240817)
