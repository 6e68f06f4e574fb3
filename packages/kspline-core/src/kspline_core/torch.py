"""The k-spline projection as a differentiable PyTorch function and as a layer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from kspline_core._fit import fit
from kspline_core._project import project

try:
    import torch
except ImportError as error:
    raise ImportError('`kspline_core.torch` needs PyTorch: pip install "kspline-core[torch]".') from error

if TYPE_CHECKING:
    from jaxtyping import Float, Real
    from torch import Tensor

__all__ = ["KSplineLayer", "kspline"]


def kspline(
    y: Real[Tensor, "*batch n"],
    pieces: int,
    degree: int = 0,
    *,
    weights: Real[Tensor, "*#batch n"] | None = None,
    min_size: int | None = None,
    method: Literal["auto", "dense"] = "auto",
    threads: int | None = None,
) -> Float[Tensor, "*batch n"]:
    r"""The values of the best `pieces`-spline of `y`, with the weak Jacobian as derivative.

    Forward, $h = F(y)$ as by `kspline_core.fit` (Cho et al., 2021, eq. 1); backward, $J^T \bar h$ with
    the block projector of Theorem 1, in O(n (degree + 1)). Works under double backward, forward-mode
    differentiation, `torch.func` and `vmap`. The second derivative is zero wherever no breakpoint moves.

    Args:
        y: signals, float32 or float64 on the CPU; sums are taken in float64.
        pieces: as for `fit`.
        degree: as for `fit`.
        weights: as for `fit`; no gradient flows to them.
        min_size: as for `fit`.
        method: as for `fit`.
        threads: as for `fit`.

    Raises:
        TypeError: as by `fit`; or `y` is no float32 or float64 tensor.
        ValueError: as by `fit`; or a tensor is not on the CPU, or `weights` asks for a gradient.

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
    for name, tensor in (("y", y), ("weights", weights)):
        if tensor is not None and tensor.device.type != "cpu":
            raise ValueError(
                f"`{name}` is on {tensor.device}, and `kspline` computes on the CPU. Move it there and the "
                "result back, for example kspline(y.cpu(), ...).to(y.device)."
            )
    if weights is not None and weights.requires_grad:
        raise ValueError(
            "`weights` requires a gradient, and `kspline` has none for it. Pass weights.detach()."
        )
    if weights is not None and weights.shape == y.shape[-1:]:
        weights = weights.expand(y.shape)
    return _Fit.apply(y, weights, pieces, degree, min_size, method, threads)[0]


class KSplineLayer(torch.nn.Module):
    """`kspline` as a layer without parameters: (..., n) to (..., n).

    Args:
        pieces: as for `kspline`.
        degree: as for `kspline`.
        min_size: as for `kspline`.
        threads: as for `kspline`.
    """

    def __init__(
        self, pieces: int, degree: int = 0, *, min_size: int | None = None, threads: int | None = None
    ) -> None:
        super().__init__()
        self.pieces = pieces
        self.degree = degree
        self.min_size = min_size
        self.threads = threads

    def forward(
        self, y: Real[Tensor, "*batch n"], weights: Real[Tensor, "*#batch n"] | None = None
    ) -> Float[Tensor, "*batch n"]:
        """Returns `kspline(y, ...)` with the settings of the layer."""
        return kspline(
            y, self.pieces, self.degree, weights=weights, min_size=self.min_size, threads=self.threads
        )

    def extra_repr(self) -> str:
        """Shows the settings in `repr`."""
        return f"pieces={self.pieces}, degree={self.degree}, min_size={self.min_size}"


class _Fit(torch.autograd.Function):
    """Values and breakpoints of the fit; the derivative of the values is `_Project`."""

    @staticmethod
    def forward(
        y: Tensor,
        weights: Tensor | None,
        pieces: int,
        degree: int,
        min_size: int | None,
        method: Literal["auto", "dense"],
        threads: int | None,
    ) -> tuple[Tensor, Tensor]:
        w = None if weights is None else weights.numpy()
        spline = fit(
            y.detach().numpy(), pieces, degree, weights=w, min_size=min_size, method=method, threads=threads
        )
        return torch.from_numpy(spline.values), torch.from_numpy(spline.breakpoints)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: tuple[Tensor, Tensor]) -> None:
        _, weights, _, degree, _, _, threads = inputs
        _, breakpoints = output
        ctx.mark_non_differentiable(breakpoints)
        ctx.save_for_backward(breakpoints, weights)
        ctx.save_for_forward(breakpoints, weights)
        ctx.degree, ctx.threads = degree, threads

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        breakpoints, weights = ctx.saved_tensors
        gradient = _Project.apply(grads[0], breakpoints, weights, ctx.degree, True, ctx.threads)
        return gradient, None, None, None, None, None, None

    @staticmethod
    def jvp(ctx: Any, *tangents: Any) -> tuple[Tensor, None]:
        breakpoints, weights = ctx.saved_tensors
        return _Project.apply(tangents[0], breakpoints, weights, ctx.degree, False, ctx.threads), None

    @staticmethod
    def vmap(
        info: Any, in_dims: tuple[int | None, ...], *inputs: Any
    ) -> tuple[tuple[Tensor, Tensor], tuple[int, int]]:
        y, weights, *settings = inputs
        y = _batched(info, in_dims[0], y)
        weights = None if weights is None else _batched(info, in_dims[1], weights)
        return _Fit.apply(y, weights, *settings), (0, 0)


class _Project(torch.autograd.Function):
    """The product with the Jacobian or its transpose: linear in `v`, its own derivative."""

    @staticmethod
    def forward(
        v: Tensor,
        breakpoints: Tensor,
        weights: Tensor | None,
        degree: int,
        transposed: bool,
        threads: int | None,
    ) -> Tensor:
        w = None if weights is None else weights.numpy()
        product = project(
            v.detach().numpy(), breakpoints.numpy(), degree, w, transposed=transposed, threads=threads
        )
        return torch.from_numpy(product)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
        _, breakpoints, weights, *settings = inputs
        ctx.save_for_backward(breakpoints, weights)
        ctx.save_for_forward(breakpoints, weights)
        ctx.settings = settings

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        degree, transposed, threads = ctx.settings
        gradient = _Project.apply(grads[0], *ctx.saved_tensors, degree, not transposed, threads)
        return gradient, None, None, None, None, None

    @staticmethod
    def jvp(ctx: Any, *tangents: Any) -> Tensor:
        return _Project.apply(tangents[0], *ctx.saved_tensors, *ctx.settings)

    @staticmethod
    def vmap(info: Any, in_dims: tuple[int | None, ...], *inputs: Any) -> tuple[Tensor, int]:
        v, breakpoints, weights, *settings = inputs
        v_dim, breakpoints_dim, weights_dim, *_ = in_dims
        if breakpoints_dim is None and weights_dim is None:
            return _Project.apply(v.movedim(v_dim, 0), breakpoints, weights, *settings), 0
        # the new dimension belongs to the batch of signals: in `v` it stands behind the stack of vectors
        v = _batched(info, v_dim, v)
        breakpoints = _batched(info, breakpoints_dim, breakpoints)
        weights = None if weights is None else _batched(info, weights_dim, weights)
        place = v.ndim - breakpoints.ndim
        return _Project.apply(v.movedim(0, place), breakpoints, weights, *settings), place


def _batched(info: Any, dim: int | None, tensor: Tensor) -> Tensor:
    """Brings the dimension that `vmap` maps over to the front, or makes it by expansion."""
    if dim is None:
        return tensor.expand(info.batch_size, *tensor.shape)
    return tensor.movedim(dim, 0)
