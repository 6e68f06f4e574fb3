"""The compiled core, or a clear word on why it is not there."""

from __future__ import annotations

import os

try:
    from kspline_core import _core as core
except ImportError as error:
    raise ImportError(
        "the compiled part `kspline_core._core` is missing; did you forget to compile? Install the package "
        "(`pip install kspline-core`, or `pip install .` in its folder), do not import its source tree."
    ) from error

__all__ = ["core", "thread_count"]


def thread_count(threads: int | None) -> int:
    """Returns `threads`, or the number of cores this process may use if it is None."""
    if threads is not None:
        return threads
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
