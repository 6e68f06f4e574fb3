"""What an experiment keeps on disk, so that a killed run goes on where it was."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING
from zipfile import BadZipFile

import jax.numpy as jnp
import numpy as np

from fuzzy_metaballs import FuzzyMetaballs
from repro import atomic

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

_FIELDS = ("means", "log_diagonal", "shear", "log_weights", "log_eta")


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


def shape_arrays(shapes: Sequence[FuzzyMetaballs]) -> dict[str, np.ndarray]:
    """Shapes as named arrays."""
    return {
        f"shape_{k}_{name}": np.asarray(getattr(shape, name))
        for k, shape in enumerate(shapes)
        for name in _FIELDS
    }


def load_shapes(arrays: dict[str, np.ndarray]) -> list[FuzzyMetaballs]:
    """The shapes from `shape_arrays`."""
    count = sum(name.endswith(_FIELDS[0]) for name in arrays)
    return [
        FuzzyMetaballs(*(jnp.asarray(arrays[f"shape_{k}_{name}"]) for name in _FIELDS)) for k in range(count)
    ]
