"""Files that are there whole or not at all."""

from __future__ import annotations

import os
import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


def write_bytes(path: Path, data: bytes) -> None:
    """Writes beside the place and then renames.

    Raises:
        ValueError: there is no such folder.
        OSError: the disk refuses.
    """
    check_folder(path)
    temporary = path.with_name(f".{path.stem}.{os.getpid()}.{threading.get_ident()}{path.suffix}")
    try:
        temporary.write_bytes(data)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def check_folder(path: Path) -> None:
    """Raises unless the folder of `path` is there."""
    if not path.parent.is_dir():
        raise ValueError(f"{path}: there is no folder {path.parent}. Make it first.")
    if path.is_dir():
        raise ValueError(f"{path}: this is a folder. Name a file.")
