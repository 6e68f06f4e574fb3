"""Imports the package with its annotations checked: every call in every test is also a check of shapes."""

from __future__ import annotations

import os
import signal
import sys
import traceback
from collections.abc import Callable
from pathlib import Path

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


class Child:
    """A copy of this process that makes one call: everything is imported in it already, which takes seconds.

    Attributes:
        output: file with what it wrote to its standard output and error.
        process: its number.
    """

    def __init__(self, call: Callable[[], int | None], output: Path) -> None:
        self.output = output
        sys.stdout.flush()
        sys.stderr.flush()
        self.process = os.fork()
        if self.process == 0:
            os._exit(self._run(call))

    def _run(self, call: Callable[[], int | None]) -> int:
        try:
            signal.alarm(120)  # a copy that hangs ends
            signal.signal(signal.SIGINT, signal.default_int_handler)  # background jobs inherit: ignored
            with self.output.open("w", buffering=1) as file:
                os.dup2(file.fileno(), 1)
                os.dup2(file.fileno(), 2)
                sys.stdout = sys.stderr = file
                torch.set_num_threads(1)  # the other threads were not copied
                try:
                    return call() or 0
                except BaseException:
                    traceback.print_exc()
                    return 1
        except BaseException:  # whatever happens, pytest must not go on twice
            return 1

    def wait(self) -> int:
        """Its exit code; minus the number of the signal that ended it."""
        return os.waitstatus_to_exitcode(os.waitpid(self.process, 0)[1])


@pytest.fixture
def fork(tmp_path_factory) -> Callable[[Callable[[], int | None]], Child]:
    """Makes calls in processes of their own: `fork(call)` returns a `Child`."""
    return lambda call: Child(call, tmp_path_factory.mktemp("child") / "output")


def pytest_runtest_setup(item: pytest.Item) -> None:
    if item.get_closest_marker("gpu") and not torch.cuda.is_available():
        pytest.skip("needs a CUDA device")
