"""The weak Jacobian of the fitted values: a block-diagonal projector, applied without being formed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from kspline_core import _check
from kspline_core._native import core, thread_count

if TYPE_CHECKING:
    from jaxtyping import Float, Int64, Real
    from numpy.typing import ArrayLike


def project(
    v: Real[np.ndarray, "*stack n"] | ArrayLike,
    breakpoints: Int64[np.ndarray, "*batch ends"],
    degree: int,
    weights: Real[np.ndarray, "*batch n"] | None,
    *,
    transposed: bool,
    threads: int | None,
) -> Float[np.ndarray, "*stack n"]:
    r"""Returns $J v$ or $J^T v$ with $J = B (B^T W B)^{-1} B^T W$ on each piece.

    Cho et al., *Differentiable Spline Approximations* (2021), Theorem 1. `v` has the shape of the fitted
    values, or further leading dimensions; the result has its shape and dtype (float64 for integers).
    """
    array = _check.real("v", v)
    batch, n = breakpoints.shape[:-1], int(breakpoints.flat[-1]) if breakpoints.size else array.shape[-1]
    shape = (*batch, n)
    extra = array.ndim - len(shape)
    if extra < 0 or array.shape[extra:] != shape:
        raise ValueError(f"`v` must end in the shape of the fitted values, {shape}; got {array.shape}.")
    signals = int(np.prod(batch))
    product = core.project(
        np.ascontiguousarray(array, dtype=np.float64).reshape(int(np.prod(array.shape[:extra])), signals, n),
        np.ascontiguousarray(breakpoints).reshape(signals, breakpoints.shape[-1]),
        None if weights is None else np.ascontiguousarray(weights, dtype=np.float64).reshape(signals, n),
        degree,
        transposed,
        thread_count(None if threads is None else _check.integer("threads", threads, 1)),
    )
    return product.reshape(array.shape).astype(array.dtype, copy=False)
