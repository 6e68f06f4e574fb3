"""The fit and its weak Jacobian as autograd functions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import torch

from kspline_core._fit import fit
from kspline_core._project import project
from kspline_core.torch._device import fit_on_device, project_on_device

if TYPE_CHECKING:
    from torch import Tensor

    from kspline_core import _check


class Fit(torch.autograd.Function):
    """Values and breakpoints of the fit; the derivative of the values is `Project`."""

    @staticmethod
    def forward(
        y: Tensor, weights: Tensor | None, settings: _check.Settings, backend: str
    ) -> tuple[Tensor, Tensor]:
        if backend != "core":
            return fit_on_device(y.detach(), weights, settings, backend)
        w = None if weights is None else weights.numpy()
        spline = fit(y.detach().numpy(), weights=w, **settings._asdict())
        return torch.from_numpy(spline.values), torch.from_numpy(spline.breakpoints)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: tuple[Tensor, Tensor]) -> None:
        _, weights, settings, backend = inputs
        _, breakpoints = output
        ctx.mark_non_differentiable(breakpoints)
        ctx.save_for_backward(breakpoints, weights)
        ctx.save_for_forward(breakpoints, weights)
        ctx.settings = _Settings(settings.degree, settings.threads, backend)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        return Project.apply(grads[0], *ctx.saved_tensors, True, ctx.settings), None, None, None

    @staticmethod
    def jvp(ctx: Any, *tangents: Any) -> tuple[Tensor, None]:
        return Project.apply(tangents[0], *ctx.saved_tensors, False, ctx.settings), None

    @staticmethod
    def vmap(
        info: Any, in_dims: tuple[Any, ...], *inputs: Any
    ) -> tuple[tuple[Tensor, Tensor], tuple[int, int]]:
        y, weights, *settings = inputs
        y = batched(info, in_dims[0], y)
        weights = None if weights is None else batched(info, in_dims[1], weights)
        return Fit.apply(y, weights, *settings), (0, 0)


class _Settings(NamedTuple):
    """What a product with the Jacobian needs to know."""

    degree: int
    threads: int | None
    backend: str


class Project(torch.autograd.Function):
    """The product with the Jacobian or its transpose: linear in `v`, its own derivative."""

    @staticmethod
    def forward(
        v: Tensor, breakpoints: Tensor, weights: Tensor | None, transposed: bool, settings: _Settings
    ) -> Tensor:
        degree, threads, backend = settings
        if backend != "core":
            kind = "transposed" if transposed else "jacobian"
            return project_on_device(kind, v.detach(), breakpoints, weights, degree)
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
        transposed, settings = ctx.settings
        return Project.apply(grads[0], *ctx.saved_tensors, not transposed, settings), None, None, None, None

    @staticmethod
    def jvp(ctx: Any, *tangents: Any) -> Tensor:
        return Project.apply(tangents[0], *ctx.saved_tensors, *ctx.settings)

    @staticmethod
    def vmap(info: Any, in_dims: tuple[Any, ...], *inputs: Any) -> tuple[Tensor, int]:
        v, breakpoints, weights, *settings = inputs
        v_dim, breakpoints_dim, weights_dim, *_ = in_dims
        if breakpoints_dim is None and weights_dim is None:
            return Project.apply(v.movedim(v_dim, 0), breakpoints, weights, *settings), 0
        # the new dimension belongs to the batch of signals: in `v` it stands behind the stack of vectors
        v = batched(info, v_dim, v)
        breakpoints = batched(info, breakpoints_dim, breakpoints)
        weights = None if weights is None else batched(info, weights_dim, weights)
        place = v.ndim - breakpoints.ndim
        return Project.apply(v.movedim(0, place), breakpoints, weights, *settings), place


def batched(info: Any, dim: int | None, tensor: Tensor) -> Tensor:
    """Brings the dimension that `vmap` maps over to the front, or makes it by expansion."""
    if dim is None:
        return tensor.expand(info.batch_size, *tensor.shape)
    return tensor.movedim(dim, 0)
