"""Imports the package with its shape annotations checked: each call of a test is a check of shapes too."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))  # for `scenes`, in every import mode of pytest

import jax
import jax.numpy  # what is imported here is loaded before TYPE_CHECKING is true
import jax.scipy.linalg
import matplotlib
import numpy as np
import numpy.typing
import optax  # noqa: F401
import PIL.Image  # noqa: F401
import pytest
import rich.progress  # noqa: F401
import skimage.measure  # noqa: F401
import trimesh  # noqa: F401
import tyro  # noqa: F401

from piecewise_testing import compile_quickly, import_checked

matplotlib.use("Agg")
import matplotlib.pyplot

compile_quickly()
import_checked("fuzzy_metaballs")


@pytest.fixture
def rng() -> np.random.Generator:
    """A generator of its own for each test."""
    return np.random.default_rng(0)


@pytest.fixture
def double():
    """Double precision for the length of a test."""
    with jax.enable_x64(True):
        yield
