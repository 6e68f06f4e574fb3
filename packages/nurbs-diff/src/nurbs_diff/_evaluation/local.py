"""The p + 1 basis functions that do not vanish at a parameter, from the 2p knots around it.

Everything here is plain differentiable torch without a branch on values, so it serves the fast path, its
derivatives and autograd alike; `local_basis` takes NumPy's arrays as well. Denominators contain the non-empty
span in which the parameter lies and hence are never zero, however often knots repeat. The parameters run
along the last axis, so that every slice is contiguous.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

Array = Any  # a Tensor or a NumPy array, of one kind throughout a call


def find_spans(knots: Tensor, degree: int, u: Tensor) -> Tensor:
    """Index k of the span t_k <= u < t_{k+1} of each parameter; the last non-empty span is closed.

    Interior knots that meet the end of the domain count for nothing: no parameter goes into the empty spans
    behind them. Whatever the parameters, NaN too, the spans lie in the domain.

    Args:
        knots: shape (k,), or one knot vector for each sample, (b, k).
        degree: p.
        u: parameters, of any shape, or (b, q).
    """
    interior, end = knots[..., degree + 1 : -degree - 1], knots[..., -degree - 1, None]
    reached = interior.masked_fill(interior >= end, torch.inf)
    return torch.searchsorted(reached, u, right=True).add_(degree)


def gather_windows(knots: Tensor, degree: int, places: Tensor) -> Tensor:
    """The knots t_{k-p+1}, ..., t_{k+p} around the places k of one long knot vector, shape (2p, q)."""
    offsets = torch.arange(1 - degree, degree + 1, device=knots.device).unsqueeze(1)
    around = places + offsets
    return knots.index_select(0, around.reshape(-1)).reshape(around.shape)


def local_basis(windows: Array, u: Array) -> tuple[Array, list[Array]]:
    r"""Cox-de Boor recursion (DSA eq. 4) restricted to the functions that do not vanish.

    Args:
        windows: knots t_{k-p+1}, ..., t_{k+p} around the span of each parameter, shape (2p, q).
        u: parameters, shape (q,).

    Returns:
        The values $N_{k-p,p}(u), ..., N_{k,p}(u)$, shape (p + 1, q), and for each d = 1, ..., p the
        quotients $N_{i,d-1}(u) / (t_{i+d} - t_i)$ for i = k-d+1, ..., k, shape (d, q). The last ones
        give the derivative in u: $N'_{i,p} = p (q_i - q_{i+1})$. The NURBS Book, eq. 2.7.
    """
    degree = len(windows) // 2
    left = u - windows[:degree]
    right = windows[degree:] - u
    values = zeros(u, 1, *u.shape) + 1
    quotients: list[Array] = []
    for d in range(1, degree + 1):
        quotients.append(values / (windows[degree : degree + d] - windows[degree - d : degree]))
        values = zeros(u, d + 1, *u.shape)
        values[:-1] = right[:d] * quotients[-1]
        values[1:] += left[degree - d :] * quotients[-1]
    return values, quotients


def zeros(like: Array, *shape: int) -> Array:
    """Zeros of the library, dtype and device of an array."""
    return like.new_zeros(shape) if isinstance(like, Tensor) else np.zeros(shape, like.dtype)


def local_indices(spans: Tensor, degree: int) -> Tensor:
    """Indices k - p, ..., k of the functions that do not vanish, shape (p + 1, ..., q)."""
    offsets = torch.arange(-degree, 1, device=spans.device)
    return spans + offsets.reshape(-1, *[1] * spans.ndim)


def dense_basis(values: Tensor, spans: Tensor, count: int) -> Tensor:
    """The collocation matrix, shape (..., q, n), from the values (p + 1, ..., q) that do not vanish."""
    dense = values.new_zeros(count, *spans.shape)
    return dense.scatter_(0, local_indices(spans, len(values) - 1), values).movedim(0, -1)
