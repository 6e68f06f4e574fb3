"""One process at a time in a folder."""

from __future__ import annotations

import fcntl
from contextlib import contextmanager
from typing import TYPE_CHECKING

from repro.errors import UserError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@contextmanager
def hold(folder: Path, *, wait: bool, remedy: str = "") -> Iterator[None]:
    """Holds the lock of a folder, which the system takes back however the process ends.

    Args:
        folder: exists.
        wait: for a process that holds it, instead of refusing.
        remedy: what else than waiting helps; the end of the message.

    Raises:
        UserError: another process holds it.
    """
    with (folder / ".lock").open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX if wait else fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise UserError(f"Another process is at work in {folder}. Wait for it{remedy}.") from error
        yield
