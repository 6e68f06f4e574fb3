"""One process at a time in a folder."""

from __future__ import annotations

import fcntl
from contextlib import contextmanager
from typing import TYPE_CHECKING

from repro.errors import UserError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

NAME = ".lock"


@contextmanager
def hold(
    folder: Path, *, wait: bool, shared: bool = False, name: str = NAME, remedy: str = ""
) -> Iterator[None]:
    """Holds the lock of a folder, which the system takes back however the process ends.

    Args:
        folder: exists.
        wait: for a process that holds it, instead of refusing.
        shared: with others that hold it so; such a lock keeps out who wants it for himself alone.
        name: of the file that is locked.
        remedy: what else than waiting helps; the end of the message.

    Raises:
        UserError: another process holds it.
    """
    kind = fcntl.LOCK_SH if shared else fcntl.LOCK_EX
    # NFS wants it readable for a shared lock, writable for the other.
    with (folder / name).open("a+") as file:
        try:
            fcntl.flock(file, kind if wait else kind | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise UserError(f"Another process is at work in {folder}. Wait for it{remedy}.") from error
        yield
