"""Files that are there whole or not at all."""

from __future__ import annotations

import os
import threading
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence


def target(path: str | os.PathLike[str], endings: Sequence[str]) -> Path:
    """The path, if its ending is one of `endings` and its folder is there: to ask before any work is done."""
    path = Path(path)
    if not path.name.lower().endswith(tuple(endings)):
        raise ValueError(f"{path}: the name must end in one of {', '.join(endings)}; got {path.suffix!r}.")
    if not path.parent.is_dir():
        raise ValueError(f"{path}: there is no folder {path.parent}. Make it first.")
    return path


def write_bytes(path: Path, data: bytes) -> None:
    """Writes a whole file."""
    with replacing(path) as temporary:
        temporary.write_bytes(data)


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A place beside `path` to write to; it takes the place of `path` when all went well."""
    temporary = path.with_name(f".{os.getpid()}.{threading.get_ident()}.{path.name}")
    try:
        yield temporary
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
