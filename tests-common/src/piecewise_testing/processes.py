"""Scripts in two processes that train together."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


def free_port(host: str = "127.0.0.1") -> str:
    """A port of an address of this machine that nobody listens at."""
    with socket.socket() as free:
        free.bind((host, 0))
        return str(free.getsockname()[1])


def launch_two(script: Path, *arguments: str | Path) -> None:
    """Runs a script by `accelerate launch` in two processes on CPUs, joined by gloo.

    For CPUs alone accelerate wants MPI, unless they pass for GPUs.

    Raises:
        AssertionError: one of them failed; with what they said.
    """
    options = ["--multi_gpu", "--num_processes=2", "--num_machines=1", f"--main_process_port={free_port()}"]
    options += ["--mixed_precision=no", "--dynamo_backend=no"]
    done = subprocess.run(
        [sys.executable, "-m", "accelerate.commands.launch", *options, str(script), *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
        env=os.environ | {"ACCELERATE_USE_CPU": "1", "OMP_NUM_THREADS": "1"},
    )
    assert done.returncode == 0, done.stderr
