"""Files that are there whole or not at all, whenever the process is killed."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path


def write(path: Path, content: bytes | str) -> None:
    """Writes a file by way of a temporary one in the same folder, which then takes its name.

    The temporary file reaches the disk (fsync) before the name does, so a reader sees the old content or the
    new, never a part.
    """
    data = content.encode() if isinstance(content, str) else content
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with temporary.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        if error.errno is not None and error.filename is None:
            error.filename = str(path)  # a write that fails does not say where
        raise
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def tidy(folder: Path) -> None:
    """Removes the temporary files of killed processes; to be called by the only one at work there."""
    for path in folder.rglob(".*.tmp"):
        path.unlink(missing_ok=True)


def write_json(path: Path, content: Any) -> None:
    """Writes JSON that every reader understands: a NaN or an infinity is a `ValueError`."""
    write(path, json.dumps(content, indent=2, ensure_ascii=False, allow_nan=False) + "\n")
