"""The k-spline projection as a differentiable PyTorch function and as a layer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import torch

from kspline_core import _check
from kspline_core.torch._autograd import Fit
from kspline_core.torch._dense import MAX_LENGTH

if TYPE_CHECKING:
    from jaxtyping import Float, Real
    from torch import Tensor

Backend = Literal["auto", "core", "triton", "torch"]


def kspline(
    y: Real[Tensor, "*batch n"],
    pieces: int,
    degree: int = 0,
    *,
    weights: Real[Tensor, "*#batch n"] | None = None,
    min_size: int | None = None,
    method: Literal["auto", "dense", "functional", "lagrangian", "greedy"] = "auto",
    threads: int | None = None,
    backend: Backend = "auto",
) -> Float[Tensor, "*batch n"]:
    r"""The values of the best `pieces`-spline of `y`, with the weak Jacobian as derivative.

    Forward, $h = F(y)$ as by `kspline_core.fit` (Cho et al., 2021, eq. 1); backward, $J^T \bar h$ with
    the block projector of Theorem 1, in O(n (degree + 1)). Works under double backward, forward-mode
    differentiation, `torch.func` and `vmap`. The second derivative is zero wherever no breakpoint moves.

    On a GPU the fit is the dense programme in O(n^2 pieces), for at most 4096 samples; breakpoints agree with
    those of the CPU unless two partitions cost the same to rounding. No tensor leaves the device.

    Args:
        y: signals, float32 or float64; sums are taken in float64.
        pieces: as for `fit`.
        degree: as for `fit`.
        weights: as for `fit`; no gradient flows to them.
        min_size: as for `fit`.
        method: as for `fit`; away from the C++ core only `"auto"` or `"dense"`.
        threads: as for `fit`.
        backend: `"core"`: C++, for tensors on the CPU. `"triton"`: a kernel for CUDA, without weights.
            `"torch"`: torch operations on any device that has float64, with or without weights: slower, the
            reference for the kernel. `"auto"`: on the CPU `"core"`; on CUDA `"triton"`, and with weights
            `"torch"`.

    Raises:
        TypeError: as by `fit`; or `y` is no float32 or float64 tensor.
        ValueError: as by `fit`; or `weights` asks for a gradient or is on another device than `y`, or the
            backend does not serve the device, the method, the weights or the number of samples.
        ImportError: the backend is `"triton"`, and Triton is not installed.

    Example:
        >>> import torch
        >>> from kspline_core.torch import kspline
        >>> y = torch.tensor([0.0, 0.0, 3.0, 4.0], requires_grad=True)
        >>> kspline(y, pieces=2)[3].backward()
        >>> y.grad
        tensor([0.0000, 0.0000, 0.5000, 0.5000])
    """
    if y.dtype not in (torch.float32, torch.float64):
        raise TypeError(
            f"`y` must be float32 or float64; got {y.dtype}. Convert it with y.to(torch.float32)."
        )
    if weights is not None and weights.requires_grad:
        raise ValueError(
            "`weights` requires a gradient, and `kspline` has none for it. Pass weights.detach()."
        )
    settings = _check.settings(y.shape, pieces, degree, min_size, method, threads)
    if weights is not None:
        _check.weights_shape(weights.shape, y.shape)
        weights = weights.expand(y.shape)
    return Fit.apply(y, weights, settings, _backend(y, weights, settings, backend))[0]


class KSplineLayer(torch.nn.Module):
    """`kspline` as a layer without parameters: (..., n) to (..., n).

    Args:
        pieces: as for `kspline`.
        degree: as for `kspline`.
        min_size: as for `kspline`.
        threads: as for `kspline`.
        backend: as for `kspline`.
    """

    def __init__(
        self,
        pieces: int,
        degree: int = 0,
        *,
        min_size: int | None = None,
        threads: int | None = None,
        backend: Backend = "auto",
    ) -> None:
        super().__init__()
        self.pieces = pieces
        self.degree = degree
        self.min_size = min_size
        self.threads = threads
        self.backend: Backend = backend

    def forward(
        self, y: Real[Tensor, "*batch n"], weights: Real[Tensor, "*#batch n"] | None = None
    ) -> Float[Tensor, "*batch n"]:
        """Returns `kspline(y, ...)` with the settings of the layer."""
        return kspline(
            y,
            self.pieces,
            self.degree,
            weights=weights,
            min_size=self.min_size,
            threads=self.threads,
            backend=self.backend,
        )

    def extra_repr(self) -> str:
        """Shows the settings in `repr`."""
        return f"pieces={self.pieces}, degree={self.degree}, min_size={self.min_size}"


def _backend(y: Tensor, weights: Tensor | None, settings: _check.Settings, backend: str) -> str:
    """Resolves `"auto"`, and refuses what the backend does not serve."""
    if weights is not None and weights.device != y.device:
        raise ValueError(
            f"`weights` is on {weights.device}, and `y` on {y.device}. Move it: weights.to(y.device)."
        )
    device = y.device.type
    if backend == "auto":
        if device not in ("cpu", "cuda"):
            raise ValueError(
                f"`y` is on {y.device}, and `kspline` has kernels for the CPU and CUDA alone. Pass "
                'backend="torch" if the device has float64, or move it: kspline(y.cpu(), ...).to(y.device).'
            )
        backend = "core" if device == "cpu" else "triton" if weights is None else "torch"
    if backend == "core":
        if device != "cpu":
            raise ValueError(
                f"`y` is on {y.device}, and backend='core' computes on the CPU. Leave `backend` out, or move "
                "it there and the result back: kspline(y.cpu(), ...).to(y.device)."
            )
        return backend
    if backend not in ("triton", "torch"):
        raise ValueError(f"`backend` must be one of 'auto', 'core', 'triton', 'torch'; got {backend!r}.")
    if backend == "triton" and weights is not None:
        raise ValueError("`weights` are not for backend='triton'. Pass backend='torch'.")
    if settings.method not in ("auto", "dense"):
        raise ValueError(
            f"`method` must be 'auto' or 'dense' with backend={backend!r}; got {settings.method!r}. Only "
            "the C++ core has others: kspline(y.cpu(), ...).to(y.device)."
        )
    if y.shape[-1] > MAX_LENGTH:
        raise ValueError(
            f"backend={backend!r} takes at most {MAX_LENGTH} samples; `y` has {y.shape[-1]}. Fit it on "
            "the CPU, kspline(y.cpu(), ...).to(y.device), or cut it into shorter signals."
        )
    return backend
