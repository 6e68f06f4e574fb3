"""Imports the package with its annotations checked: every call in every test is also a check of shapes."""

from __future__ import annotations

import importlib
import importlib.util
import pkgutil
import sys
import typing

import beartype  # noqa: F401 (what is imported here is imported before TYPE_CHECKING is true)
import numpy as np
import pytest
from jaxtyping import install_import_hook

BACKENDS = ("torch", "jax")
for _name in (*BACKENDS, "scipy.interpolate", "matplotlib.axes", "matplotlib.pyplot", "tyro", "rich.console"):
    if importlib.util.find_spec(_name.partition(".")[0]):
        importlib.import_module(_name)

import kspline_core as _plain  # noqa: E402 (after what it would import itself)

for _name in [
    name for name in sys.modules if name.startswith("kspline_core") and name != "kspline_core._core"
]:
    del sys.modules[_name]

typing.TYPE_CHECKING = True
try:
    with install_import_hook("kspline_core", "beartype.beartype"):
        import kspline_core

        for _module in pkgutil.iter_modules(kspline_core.__path__):
            if _module.name not in BACKENDS or importlib.util.find_spec(_module.name):
                importlib.import_module(f"kspline_core.{_module.name}")
finally:
    typing.TYPE_CHECKING = False


@pytest.fixture
def rng() -> np.random.Generator:
    """A generator of its own for each test."""
    return np.random.default_rng(20210)


@pytest.fixture
def unchecked():
    """The package as users have it, without beartype in front: for what it says itself to a wrong type."""
    return _plain
