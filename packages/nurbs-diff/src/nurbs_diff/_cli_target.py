"""What the command `nurbs` writes to, looked at before any work is done."""

from __future__ import annotations

import importlib.util
from typing import TYPE_CHECKING

from nurbs_diff.files import _atomic

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

PICTURES = [".png", ".svg", ".pdf"]
WITH_UNITS = {".step", ".stp", ".iges", ".igs"}


def check(option: str, path: Path, endings: Sequence[str]) -> None:
    """Raises unless the ending is one of `endings`, and the folder is there."""
    if path.suffix.lower() not in endings:
        raise ValueError(f"{option} {path}: the name must end in one of {', '.join(endings)}.")
    _atomic.check_folder(path)
    if endings is PICTURES and importlib.util.find_spec("matplotlib") is None:
        raise ImportError(f'{option} needs matplotlib: pip install "nurbs-diff[plot]".')
