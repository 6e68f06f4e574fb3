"""What a run was made with: machine, versions, threads, commit."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
from dataclasses import dataclass
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

THREAD_VARIABLES = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "XLA_FLAGS")


@dataclass(frozen=True, kw_only=True)
class Environment:
    """The machine and the software that made a result.

    Attributes:
        python: version.
        platform: operating system and architecture.
        cpu: model.
        cores: cores this process may run on.
        memory: of the machine in bytes, None where the system does not say.
        gpu: name of the GPU that was used, None on the CPU.
        threads: the thread counts of the libraries in use and of the variables that set them.
        backends: device of each framework in use.
        packages: versions of all distributions that were imported.
        commit: of the experiment's source file, None where git does not know it.
        modified: whether the source differs from that commit, None without one.
    """

    python: str
    platform: str
    cpu: str
    cores: int
    memory: int | None
    gpu: str | None
    threads: dict[str, str]
    backends: dict[str, str]
    packages: dict[str, str]
    commit: str | None
    modified: bool | None


def describe(run: Callable[..., object], device: str) -> Environment:
    """Describes the running process, after `run` has done its work and so imported what it needs."""
    torch, jax = sys.modules.get("torch"), sys.modules.get("jax")
    threads = {name: os.environ[name] for name in THREAD_VARIABLES if name in os.environ}
    backends = {}
    gpu = None
    if torch:
        backends["torch"] = device
        threads["torch"] = str(torch.get_num_threads())
        if device == "cuda" and torch.cuda.is_available():
            gpu = torch.cuda.get_device_name()
    if jax:
        backends["jax"] = jax.default_backend()
        if device == "cuda" and gpu is None:
            gpu = jax.devices()[0].device_kind
    commit, modified = _commit(run)
    return Environment(
        python=platform.python_version(),
        platform=f"{platform.system()} {platform.machine()}",
        cpu=_cpu(),
        cores=len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1,
        memory=_memory(),
        gpu=gpu,
        threads=threads,
        backends=backends,
        packages=_imported(),
        commit=commit,
        modified=modified,
    )


def _cpu() -> str:
    information = Path("/proc/cpuinfo")
    if information.is_file():
        for line in information.read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def _memory() -> int | None:
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (ValueError, OSError):
        return None


def _imported() -> dict[str, str]:
    modules = {name.partition(".")[0] for name in sys.modules}
    found = {name for module in modules for name in _distributions().get(module, ())}
    return {name: metadata.version(name) for name in sorted(found)}


@cache
def _distributions() -> Mapping[str, list[str]]:
    """The distributions of each importable name; looking into all of them takes a while."""
    return metadata.packages_distributions()


def _commit(run: Callable[..., object]) -> tuple[str | None, bool | None]:
    """Returns the commit of the file that defines `run`, if git tracks it, and whether the tree differs."""
    source = Path(run.__code__.co_filename) if hasattr(run, "__code__") else None
    if source is None or not source.is_file():
        return None, None

    def git(*arguments: str) -> str:
        command = ["git", "-C", str(source.parent), *arguments]
        return subprocess.run(command, capture_output=True, text=True, check=True, timeout=20).stdout.strip()

    try:
        git("ls-files", "--error-unmatch", source.name)
        return git("rev-parse", "HEAD"), bool(git("status", "--porcelain", "--untracked-files=no"))
    except (OSError, subprocess.SubprocessError):
        return None, None
