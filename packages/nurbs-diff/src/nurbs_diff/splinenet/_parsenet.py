"""ParSeNet's file of spline patches, for those who have it."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import numpy as np
import torch

from nurbs_diff.splinenet._patches import Patches

Split = Literal["train", "validation", "test"]
_ENDS = {"train": (0, 50_000), "validation": (50_000, 60_000), "test": (60_000, None)}


def read_parsenet(path: str | Path, split: Split) -> Patches:
    """The open splines of ParSeNet: data sets `points` (count, m, 3) and `controlpoints` (count, n, n, 3).

    They are split as there: shuffled by NumPy's legacy generator with seed 0; the first 50,000 train, the
    next 10,000 validate, the rest test.

    Args:
        path: the HDF5 file.
        split: which part.

    Returns:
        The patches, float32, on the CPU.

    Raises:
        ImportError: h5py is missing (`pip install "nurbs-diff[train]"`).
        ValueError: a file that is missing or no HDF5 file, lacks a data set, or holds one of another shape or
            values that are not finite.
    """
    try:
        import h5py
    except ImportError as error:
        raise ImportError('Reading HDF5 needs h5py: pip install "nurbs-diff[train]".') from error
    if split not in _ENDS:
        raise ValueError(f"`split` must be one of {', '.join(map(repr, _ENDS))}; got {split!r}.")
    if not Path(path).is_file():
        raise ValueError(f"{path}: there is no such file.")
    try:
        with h5py.File(path, "r") as file:
            arrays = {name: _read(file, name) for name in ("points", "controlpoints")}
    except Exception as error:  # h5py has an error of its own for each way in which a file is damaged
        raise ValueError(f"{path}: not a whole HDF5 file ({error}). Fetch it again.") from error
    points, nets = arrays["points"], arrays["controlpoints"]
    if points.ndim != 3 or points.shape[2] != 3:
        raise ValueError(f"{path}: `points` must have shape (count, m, 3); it has {points.shape}.")
    if nets.ndim != 4 or nets.shape[1] != nets.shape[2] or nets.shape[3] != 3 or nets.shape[1] < 4:
        raise ValueError(f"{path}: `controlpoints` must have shape (count, n, n, 3); it has {nets.shape}.")
    if len(points) != len(nets):
        raise ValueError(f"{path}: {len(points)} clouds but {len(nets)} control nets.")
    order = np.arange(len(points))
    np.random.RandomState(0).shuffle(order)
    chosen = order[slice(*_ENDS[split])]
    if len(chosen) == 0:
        raise ValueError(f"{path}: holds {len(points)} patches; none belongs to the split {split!r}.")
    parts: list[torch.Tensor] = []
    for name, array in arrays.items():
        part = array[chosen].astype(np.float32)
        if not np.isfinite(part).all():
            row = int(chosen[np.argwhere(~np.isfinite(part))[0, 0]])
            raise ValueError(f"{path}: `{name}` must be finite; row {row} is not.")
        parts.append(torch.from_numpy(part))
    return Patches(parts[0], parts[1])


def _read(file: object, name: str) -> np.ndarray:
    import h5py

    assert isinstance(file, h5py.File)
    data = file.get(name)
    if not isinstance(data, h5py.Dataset) or data.dtype.kind != "f":
        raise ValueError(f"there is no data set `{name}` of floating point numbers")
    return data[()]
