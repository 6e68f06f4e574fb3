"""Settings of XLA for suites whose problems are so small that most of the time goes into compiling."""

from __future__ import annotations

import os
from importlib.metadata import version

FLAGS = ("--xla_backend_optimization_level=0", "--xla_llvm_disable_expensive_passes=true")
FLAGS_BEFORE_0_11 = ("--xla_cpu_use_fusion_emitters=false",)  # from then on XLA ends at this name


def compile_quickly() -> None:
    """Makes XLA compile simpler code for the same answers; to be called before JAX computes anything."""
    release = tuple(int(part) for part in version("jaxlib").split(".")[:2])
    flags = FLAGS if release >= (0, 11) else (*FLAGS, *FLAGS_BEFORE_0_11)
    os.environ.setdefault("XLA_FLAGS", " ".join(flags))
