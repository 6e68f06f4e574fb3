"""NumPy's files, from whomever they come: no Python object is loaded; what is wrong is a ValueError."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from pathlib import Path


def read_npy(path: Path) -> np.ndarray:
    """The array of a .npy file: real numbers, as float64.

    Raises:
        ValueError: the file is damaged, or holds something else.
        FileNotFoundError: there is none.
    """
    try:
        array = np.load(path, allow_pickle=False)
        return _numbers(array)
    except FileNotFoundError:
        raise
    except Exception as error:  # numpy hands on what its own parsers raise: SyntaxError, TokenError, ...
        raise ValueError(f"{path}: is no .npy file of numbers that can be read: {_reason(error)}") from error


def read_npz(path: Path) -> dict[str, np.ndarray]:
    """The arrays of a .npz file by name: numbers as they are, and text.

    Raises:
        ValueError: the file is damaged, or holds something else.
        FileNotFoundError: there is none.
    """
    try:
        with np.load(path, allow_pickle=False) as stored:
            arrays = {name: stored[name] for name in stored.files}
        for name, array in arrays.items():
            if not isinstance(array, np.ndarray) or array.dtype.kind not in "biufU":
                raise TypeError(f"{name} is no array of numbers")
            if array.dtype.kind == "U":
                array.tolist()  # fails where it holds what is no character
        return arrays
    except FileNotFoundError:
        raise
    except Exception as error:  # as above; zipfile and zlib have their own
        raise ValueError(f"{path}: is no .npz file that can be read: {_reason(error)}") from error


def _numbers(array: object) -> np.ndarray:
    if not isinstance(array, np.ndarray) or array.dtype.kind not in "biuf":
        raise TypeError(f"it holds {getattr(array, 'dtype', 'several arrays')}")
    return array.astype(np.float64)


def _reason(error: Exception) -> str:
    """The first line: those behind it advise to trust the file."""
    return shown(str(error).partition("\n")[0], 200) or type(error).__name__


def shown(text: str, length: int = 80) -> str:
    """What stands in a file, short enough for a message."""
    return text if len(text) <= length else f"{text[: length - 3]}..."
