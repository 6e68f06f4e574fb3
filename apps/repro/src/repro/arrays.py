"""Named arrays on disk: those of data sets, and those that an experiment keeps to go on where it was."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

import numpy as np

from repro import atomic
from repro.errors import reason

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


def read_arrays(path: Path, *names: str, remedy: str = "Fetch it again.") -> dict[str, np.ndarray]:
    """Reads an NPZ file; no Python object in it is ever loaded.

    Args:
        path: of the file.
        names: of the arrays that must be there; none: all are read.
        remedy: the end of the message.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: it cannot be read, or lacks an array.
    """
    try:
        with np.load(path, allow_pickle=False) as file:
            if missing := sorted(set(names) - set(file.files)):
                raise ValueError(f"it has no array {', '.join(missing)}")
            return {name: _whole(name, file[name]) for name in names or file.files}
    except FileNotFoundError:
        raise
    except Exception as error:  # numpy hands on what zipfile and its own parsers raise about a damaged file
        raise ValueError(f"{path} cannot be read ({reason(error)}). {remedy}") from error


def _whole(name: str, array: object) -> np.ndarray:
    if not isinstance(array, np.ndarray):  # numpy gives what is no NPY file as bytes
        raise TypeError(f"{name} is no array")
    return array


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
    try:
        return read_arrays(path, remedy="Delete it to have it made anew.")
    except FileNotFoundError:
        return None


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
