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

import numpy as np  # what is imported here is imported before TYPE_CHECKING is true
import pytest

from piecewise_testing import import_checked

BACKENDS = ("torch", "jax")
for _name in (*BACKENDS, "scipy.interpolate", "matplotlib.axes", "matplotlib.pyplot", "tyro", "rich.console"):
    if importlib.util.find_spec(_name.partition(".")[0]):
        importlib.import_module(_name)

import kspline_core as _plain  # noqa: E402 (after what it would import itself)

for _name in [
    name for name in sys.modules if name.startswith("kspline_core") and name != "kspline_core._core"
]:
    del sys.modules[_name]

import_checked(
    "kspline_core",
    [
        f"kspline_core.{module.name}"
        for module in pkgutil.iter_modules(_plain.__path__)
        if module.name not in BACKENDS or importlib.util.find_spec(module.name)
    ],
)


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
