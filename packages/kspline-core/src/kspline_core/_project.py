"""The weak Jacobian of the fitted values: a block-diagonal projector, applied without being formed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from kspline_core import _check
from kspline_core._native import core, thread_count

if TYPE_CHECKING:
    from jaxtyping import Float, Float64, Int64, Real
    from numpy.typing import ArrayLike


def project(
    v: Real[np.ndarray, "*stack n"] | ArrayLike,
    breakpoints: Int64[np.ndarray, "*batch ends"],
    degree: int,
    weights: Real[np.ndarray, "*values n"] | None,
    *,
    transposed: bool,
    threads: int | None,
    x: Float64[np.ndarray, "*#batch n"] | None = None,
    channels: int | None = None,
) -> Float[np.ndarray, "*stack n"]:
    r"""Returns $J v$ or $J^T v$ with $J = B (B^T W B)^{-1} B^T W$ on each piece.

    Cho et al., *Differentiable Spline Approximations* (2021), Theorem 1. `v` has the shape of the fitted
    values, (*batch, n) or (*batch, channels, n), or further leading dimensions; the result has its shape and
    dtype (float64 for integers). `weights` has the shape of the values, `x` (n,) or (*batch, n).
    """
    array = _check.real("v", v)
    batch, n = breakpoints.shape[:-1], int(breakpoints.flat[-1]) if breakpoints.size else array.shape[-1]
    shape = (*batch, n) if channels is None else (*batch, channels, n)
    extra = array.ndim - len(shape)
    if extra < 0 or array.shape[extra:] != shape:
        raise ValueError(f"`v` must end in the shape of the fitted values, {shape}; got {array.shape}.")
    rows = (int(np.prod(batch)), 1 if channels is None else channels, n)
    product = core.project(
        np.ascontiguousarray(array, dtype=np.float64).reshape(int(np.prod(array.shape[:extra])), *rows),
        np.ascontiguousarray(breakpoints).reshape(rows[0], breakpoints.shape[-1]),
        None if weights is None else np.ascontiguousarray(weights, dtype=np.float64).reshape(rows),
        degree,
        transposed,
        thread_count(None if threads is None else _check.integer("threads", threads, 1)),
        None if x is None else np.ascontiguousarray(x, dtype=np.float64).reshape(-1, n),
    )
    return product.reshape(array.shape).astype(array.dtype, copy=False)
