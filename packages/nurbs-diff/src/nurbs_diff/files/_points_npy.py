"""Points from NumPy's files."""

from __future__ import annotations

import io

import numpy as np
from numpy.lib.format import read_array_header_1_0, read_array_header_2_0, read_magic


def read(data: bytes) -> np.ndarray:
    """An array of shape (n, dim) or (r, s, dim)."""
    try:
        # numpy takes memory on the word of the header: one that promises what is not there is refused first.
        stream = io.BytesIO(data)
        is_first = read_magic(stream) == (1, 0)
        shape, _, dtype = (read_array_header_1_0 if is_first else read_array_header_2_0)(stream)
        promised = int(np.prod([int(n) for n in shape], dtype=object)) * dtype.itemsize
        there = len(data) - stream.tell()
        if dtype.hasobject or promised != there:
            raise ValueError(f"its header promises {promised} bytes of numbers, {there} are there")
        array = np.load(io.BytesIO(data), allow_pickle=False)
    except Exception as error:  # numpy hands on what its own parsers raise: SyntaxError, TokenError, ...
        reason = str(error).partition("\n")[0]  # the lines behind it advise to trust the file
        raise ValueError(f"it is no whole NPY file ({reason}). Write it with numpy.save.") from error
    if array.dtype.kind not in "iuf" or array.ndim not in (2, 3):
        raise ValueError(
            f"it must hold real numbers of shape (n, dim) or (r, s, dim); got {array.dtype} {array.shape}. "
            "Save one point a row."
        )
    return array.astype(np.float64)
