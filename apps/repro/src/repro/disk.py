"""A disk that takes no more: told apart from other faults, and said in words."""

from __future__ import annotations

import errno
import shutil
from typing import TYPE_CHECKING, TypeGuard

if TYPE_CHECKING:
    from pathlib import Path

_REASONS = {
    errno.ENOSPC: "the disk is full",
    errno.EDQUOT: "the quota is used up",
    errno.EFBIG: "files may not become so large",
    errno.EROFS: "the disk is read-only",
    errno.EACCES: "permission is denied",
}


def refuses(error: BaseException) -> TypeGuard[OSError]:
    """Whether an error says that the disk takes no more."""
    return isinstance(error, OSError) and error.errno in _REASONS


def reason(error: OSError, folder: Path) -> str:
    """Returns what is wrong, in which file, and how much is free."""
    text = _REASONS.get(error.errno or 0, error.strerror or str(error))
    place = "" if error.filename is None else f" at {error.filename}"
    try:
        free = (
            f" ({shutil.disk_usage(folder).free / 1e6:,.1f} MB free)" if error.errno == errno.ENOSPC else ""
        )
    except OSError:
        free = ""
    return f"{text}{place}{free}"
