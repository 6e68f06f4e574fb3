"""Named arrays that an experiment keeps on disk, so that a killed run goes on where it was."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING
from zipfile import BadZipFile

import numpy as np

from repro import atomic

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


def save_arrays(path: Path, arrays: dict[str, np.ndarray]) -> None:
    """Writes named arrays, atomically."""
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **arrays)  # pyright: ignore[reportArgumentType]  (its stub takes the flags' types)
    atomic.write(path, buffer.getvalue())


def load_arrays(path: Path) -> dict[str, np.ndarray] | None:
    """Reads them; None where nothing was kept.

    Raises:
        ValueError: the file cannot be read.
    """
    if not path.exists():
        return None
    try:
        with np.load(path) as file:
            return dict(file)
    except (ValueError, OSError, EOFError, BadZipFile) as error:
        raise ValueError(f"{path} cannot be read; delete it to have it made anew.") from error


def kept_arrays(path: Path, make: Callable[[], dict[str, np.ndarray]]) -> dict[str, np.ndarray]:
    """Reads the arrays that a run has kept, or makes and keeps them.

    Raises:
        ValueError: the file cannot be read.
    """
    arrays = load_arrays(path)
    if arrays is None:
        arrays = make()
        save_arrays(path, arrays)
    return arrays
