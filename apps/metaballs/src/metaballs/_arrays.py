"""Shapes as named arrays, the form in which an experiment keeps them on disk."""

from __future__ import annotations

from typing import TYPE_CHECKING

import jax.numpy as jnp
import numpy as np

from fuzzy_metaballs import FuzzyMetaballs

if TYPE_CHECKING:
    from collections.abc import Sequence

_FIELDS = ("means", "log_diagonal", "shear", "log_weights", "log_eta")


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
