"""A shape as a file of its own, and back."""

from __future__ import annotations

import io
from pathlib import Path
from typing import TYPE_CHECKING, Any

import jax.numpy as jnp
import numpy as np

from fuzzy_metaballs._shape import FuzzyMetaballs
from fuzzy_metaballs.files._arrays import read_npz
from fuzzy_metaballs.files._atomic import target, write_bytes

if TYPE_CHECKING:
    import os

VERSION = 1
LEAVES = ("means", "log_diagonal", "shear", "log_weights", "log_eta")


def write_model(path: str | os.PathLike[str], shape: FuzzyMetaballs) -> None:
    """Writes a shape to an .npz file: its leaves as they are, and the version of the format.

    Args:
        path: ends in .npz.
        shape: the mixture.

    Raises:
        ValueError: the name has another ending, its folder is missing, or a leaf is not finite.

    Example:
        >>> import jax, tempfile
        >>> path = Path(tempfile.mkdtemp()) / "model.npz"
        >>> write_model(path, FuzzyMetaballs.sphere(5, key=jax.random.key(0)))
        >>> read_model(path).components
        5
    """
    path = target(path, [".npz"])
    names = LEAVES if shape.features is None else (*LEAVES, "features")
    leaves: dict[str, Any] = {name: np.asarray(getattr(shape, name)) for name in names}
    for name, leaf in leaves.items():
        if not np.isfinite(leaf).all():
            raise ValueError(f"`shape.{name}` must be finite; {path} is not written. Did the fit diverge?")
    stream = io.BytesIO()
    np.savez(stream, version=np.array(VERSION), **leaves)
    write_bytes(path, stream.getvalue())


def read_model(path: str | os.PathLike[str]) -> FuzzyMetaballs:
    """Reads what `write_model` wrote: the same leaves to the bit (in the precision that JAX is set to).

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: the file is no model, or of a newer version.
    """
    path = Path(path)
    arrays = read_npz(path)
    if "version" not in arrays or arrays["version"].shape or arrays["version"].dtype.kind not in "iu":
        raise ValueError(f"{path}: is no model: it has no `version`. Write one with `write_model`.")
    if (version := int(arrays["version"])) > VERSION:
        raise ValueError(f"{path}: has version {version}; this package reads up to {VERSION}. Update it.")
    if missing := [name for name in LEAVES if name not in arrays]:
        raise ValueError(f"{path}: lacks {', '.join(missing)}. Write it again with `write_model`.")
    names = [name for name in (*LEAVES, "features") if name in arrays]
    try:
        return FuzzyMetaballs(**{name: jnp.asarray(arrays[name]) for name in names})
    except (ValueError, TypeError) as error:
        raise ValueError(f"{path}: {error}") from error
