"""The fit and the projection in torch operations: for tensors that stay on their device."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import torch

from kspline_core import _check
from kspline_core.torch import _dense, _segments

if TYPE_CHECKING:
    from torch import Tensor


def fit_on_device(
    y: Tensor, weights: Tensor | None, settings: _check.Settings, backend: str
) -> tuple[Tensor, Tensor]:
    """Values and breakpoints without the C++ core; the checks of values that `fit` makes."""
    if weights is not None:
        if not bool((torch.isfinite(weights) & (weights >= 0)).all()):
            _check.signal_weights(weights.cpu().numpy(), weights.shape)
        counts = (weights > 0).sum(dim=-1)
        if bool((counts < settings.pieces * settings.min_size).any()):
            _check.room(settings.pieces, settings.min_size, counts.cpu().numpy())
    read = y if weights is None else torch.where(weights > 0, y, 0)
    if not bool(torch.isfinite(read).all()):
        _check.finite("y", read.cpu().numpy(), "Repair it, or give missing samples the weight 0.")
    search = _triton_search(y.device) if backend == "triton" else _dense.search
    n = y.shape[-1]
    signals = read.reshape(-1, n).double()
    w = None if weights is None else weights.reshape(-1, n).double()
    ends = _dense.breakpoints(signals, w, settings, search).reshape(*y.shape[:-1], settings.pieces + 1)
    values = project_on_device("values", read, ends, weights, settings.degree)
    if not bool(torch.isfinite(values).all()):
        raise ValueError(
            "sums leave the range of float64: `y` or `weights` is too large or too small. Divide it by its "
            "largest value."
        )
    return values, ends


def _triton_search(device: torch.device) -> Any:
    try:
        from kspline_core.torch import _triton
    except ImportError as error:
        raise ImportError(
            "`kspline` on CUDA needs Triton, which comes with PyTorch on Linux: pip install triton. "
            'Without it pass backend="torch".'
        ) from error
    if device.type != "cuda" and not _triton.INTERPRETED:
        raise ValueError(f"`y` is on {device}, and backend='triton' needs CUDA. Pass backend='torch'.")
    return _triton.search


def project_on_device(
    kind: Literal["values", "jacobian", "transposed"],
    v: Tensor,
    breakpoints: Tensor,
    weights: Tensor | None,
    degree: int,
) -> Tensor:
    """The projection in torch operations; as `_project.project`."""
    n, pieces = v.shape[-1], breakpoints.shape[-1] - 1
    ends = breakpoints.reshape(-1, pieces + 1)
    signals = len(ends)
    sample = torch.arange(n, device=v.device).expand(signals, n)
    piece = torch.searchsorted(ends[:, 1:].contiguous(), sample.contiguous(), right=True)
    piece += pieces * torch.arange(signals, device=v.device)[:, None]
    segments = _segments.Segments(piece.reshape(-1), signals * pieces)
    w = None if weights is None else weights.reshape(-1).double()
    stack = v.reshape(int(np.prod(v.shape[: v.ndim - breakpoints.ndim])), signals * n).double()
    out = _segments.project(kind, stack, [sample.reshape(-1)], degree, w, segments)
    return out.reshape(v.shape).to(v.dtype)
