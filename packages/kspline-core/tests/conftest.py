"""Imports the package with its annotations checked: every call in every test is also a check of shapes."""

from __future__ import annotations

import importlib
import importlib.util
import os
import pkgutil
import signal
import sys
import threading
import time
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
def interrupted():
    """Sends Ctrl-C after 0.3 s; yields a list of when. Also where the tests began with SIGINT ignored."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    sent = []

    def interrupt():
        sent.append(time.monotonic())
        os.kill(os.getpid(), signal.SIGINT)

    timer = threading.Timer(0.3, interrupt)
    timer.start()
    try:
        yield sent
    finally:
        timer.join()
        signal.signal(signal.SIGINT, before)


@pytest.fixture
def unchecked():
    """The package as users have it, without beartype in front: for what it says itself to a wrong type."""
    return _plain
