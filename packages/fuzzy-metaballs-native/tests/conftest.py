"""Imports the package with its shape annotations checked, and compiles quickly, as `fuzzy-metaballs` does."""

from __future__ import annotations

import jax  # what is imported here is loaded before TYPE_CHECKING is true
import numpy as np
import numpy.typing
import pytest

from piecewise_testing import compile_quickly, import_checked

compile_quickly()
import_checked("fuzzy_metaballs_native")


@pytest.fixture
def rng() -> np.random.Generator:
    """A generator of its own for each test."""
    return np.random.default_rng(0)


@pytest.fixture
def double():
    """Double precision for the length of a test."""
    with jax.enable_x64(True):
        yield
