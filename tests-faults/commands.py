"""The command `repro` over toys, in processes of its own."""

from __future__ import annotations

import contextlib
import json
import os
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterable
from pathlib import Path

ROOT = Path(__file__).parent.parent
TOYS = ROOT / "apps" / "repro" / "tests" / "toys.py"
WALK = ("run", "toy.walk", "--device", "cpu", "--settings.no-draws")


def start(
    *arguments: str, folder: Path, program: Path | str = TOYS, largest: int | None = None
) -> subprocess.Popen[str]:
    """Starts a command in a folder; no file it writes may be larger than `largest` bytes."""
    environment = os.environ | {"COLUMNS": "200", "OMP_NUM_THREADS": "1"}
    if largest is not None:  # Python keeps bytecode that was cut off, and no later process could be imported
        environment["PYTHONDONTWRITEBYTECODE"] = "1"

    def limit() -> None:
        signal.signal(signal.SIGINT, signal.SIG_DFL)  # a background job ignores it
        if largest is not None:
            resource.setrlimit(resource.RLIMIT_FSIZE, (largest, largest))

    return subprocess.Popen(
        [sys.executable, str(program), *arguments],
        cwd=folder,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment,
        preexec_fn=limit,
        process_group=0,
    )


def ended(process: subprocess.Popen[str], seconds: float = 120) -> tuple[int, str, str]:
    """Waits for its end: exit code, output, errors."""
    out, err = process.communicate(timeout=seconds)
    return process.returncode, out, err


def until(is_so: Callable[[], object], process: subprocess.Popen[str], seconds: float = 120) -> None:
    """Waits until something is so, or fails with what the process said."""
    limit = time.monotonic() + seconds
    while not is_so():
        if process.poll() is not None or time.monotonic() > limit:
            process.kill()
            raise AssertionError(process.communicate())
        time.sleep(0.01)


def logged(folder: Path, text: str) -> Callable[[], bool]:
    """Whether a run below a folder has logged a text."""
    return lambda: any(text in log.read_text() for log in folder.glob("runs/*/*/log.txt"))


def kill(process: subprocess.Popen[str]) -> bool:
    """Kills it and all that it started; False where it had ended by itself."""
    is_alive = process.poll() is None
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
    return is_alive and process.returncode == -signal.SIGKILL


def assert_no_half_file(folder: Path, besides: Iterable[str] = (".tmp", ".part", ".partial")) -> None:
    """Every file that has its name is whole; temporary ones may lie about after a kill."""
    import numpy as np
    from PIL import Image

    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        if path.name.endswith(tuple(besides)) or any(part.endswith(".partial") for part in path.parts):
            continue
        if path.suffix == ".json":
            json.loads(path.read_text())
        elif path.suffix == ".npz":
            with np.load(path, allow_pickle=False) as file:
                assert all(file[name] is not None for name in file.files)
        elif path.suffix in (".png", ".webp"):
            with Image.open(path) as image:
                image.load()
        elif path.suffix == ".html":
            assert path.read_text().rstrip().endswith("</html>")


def left_over(folder: Path) -> list[str]:
    """Temporary files below a folder."""
    return [path.name for path in folder.rglob("*") if path.name.endswith((".tmp", ".part", ".partial"))]


def figures(folder: Path) -> list[dict]:
    """What the only finished run below a folder has measured."""
    (path,) = folder.glob("runs/*/*/result.json")
    return json.loads(path.read_text())["figures"]
