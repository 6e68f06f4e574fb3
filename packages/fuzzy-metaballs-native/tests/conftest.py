"""Imports the package with its shape annotations checked, and compiles quickly, as `fuzzy-metaballs` does."""

from __future__ import annotations

import os
import typing

os.environ.setdefault(
    "XLA_FLAGS",
    "--xla_backend_optimization_level=0 --xla_llvm_disable_expensive_passes=true "
    "--xla_cpu_use_fusion_emitters=false",
)

import beartype  # noqa: F401 (what is imported here is loaded before TYPE_CHECKING is true)
import jax
import numpy as np
import numpy.typing
import pytest
from jaxtyping import install_import_hook

typing.TYPE_CHECKING = True
try:
    with install_import_hook("fuzzy_metaballs_native", "beartype.beartype"):
        import fuzzy_metaballs_native  # noqa: F401
finally:
    typing.TYPE_CHECKING = False


@pytest.fixture
def rng() -> np.random.Generator:
    """A generator of its own for each test."""
    return np.random.default_rng(0)


@pytest.fixture
def double():
    """Double precision for the length of a test."""
    with jax.enable_x64(True):
        yield
