"""Regions and the projection onto them as autograd functions: C++ on the CPU, torch operations elsewhere."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import torch

from kspline_core import _check, _check_regions, _region_spline
from kspline_core._regions import regions
from kspline_core.torch import _segments
from kspline_core.torch._autograd import batched
from kspline_core.torch._label import label

if TYPE_CHECKING:
    from torch import Tensor


class Label(torch.autograd.Function):
    """The number of the region of each pixel; a step function, without a derivative."""

    @staticmethod
    def forward(
        image: Tensor, labels: Tensor | None, partition: _check_regions.Partition, threads: int | None
    ) -> Tensor:
        if image.device.type == "cpu":
            groups = None if labels is None else labels.numpy()
            settings = partition._asdict()
            return torch.from_numpy(regions(image.numpy(), labels=groups, threads=threads, **settings))
        return label_on_device(image, labels, partition)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
        ctx.mark_non_differentiable(output)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[None, None, None, None]:
        return None, None, None, None

    @staticmethod
    def vmap(info: Any, in_dims: tuple[Any, ...], *inputs: Any) -> tuple[Tensor, int]:
        image, labels, *settings = inputs
        image = batched(info, in_dims[0], image)
        labels = None if labels is None else batched(info, in_dims[1], labels)
        return Label.apply(image, labels, *settings), 0


class ProjectRegions(torch.autograd.Function):
    """The projection onto given regions: linear, symmetric, its own derivative.

    `values` tells an image, which has to be finite and loses an offset before it is rounded, from a vector.
    """

    @staticmethod
    def forward(v: Tensor, labels: Tensor, degree: int, values: bool, threads: int | None) -> Tensor:
        kind = "values" if values else "jacobian"
        if v.device.type != "cpu":
            return project_on_device(kind, v, labels, degree)
        array = v.detach().numpy()
        if values:
            _check.finite("image", array, "Repair it first.")
        numbers = _region_spline.compact(_check_regions.label_map(labels.numpy(), labels.shape))
        out = torch.from_numpy(_region_spline.product(kind, array, numbers, None, degree, threads))
        return _in_range(out) if values else out

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
        _, labels, degree, _, threads = inputs
        ctx.save_for_backward(labels)
        ctx.save_for_forward(labels)
        ctx.settings = degree, False, threads

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        return ProjectRegions.apply(grads[0], *ctx.saved_tensors, *ctx.settings), None, None, None, None

    @staticmethod
    def jvp(ctx: Any, *tangents: Any) -> Tensor:
        return ProjectRegions.apply(tangents[0], *ctx.saved_tensors, *ctx.settings)

    @staticmethod
    def vmap(info: Any, in_dims: tuple[Any, ...], *inputs: Any) -> tuple[Tensor, int]:
        v, labels, *settings = inputs
        v_dim, labels_dim, *_ = in_dims
        if labels_dim is None:
            return ProjectRegions.apply(v.movedim(v_dim, 0), labels, *settings), 0
        # the new dimension belongs to the batch of images: in `v` it stands behind the stack of vectors
        v, labels = batched(info, v_dim, v), batched(info, labels_dim, labels)
        place = v.ndim - labels.ndim
        return ProjectRegions.apply(v.movedim(0, place), labels, *settings), place


def label_on_device(image: Tensor, labels: Tensor | None, partition: _check_regions.Partition) -> Tensor:
    """`regions` in torch operations."""
    if not bool(torch.isfinite(image).all()):
        _check.finite("image", image.cpu().numpy(), "Repair it first.")
    if labels is not None and labels.numel():
        _check_regions.labels_range(int(labels.min()), int(labels.max()))
    if image.numel() == 0:
        return torch.zeros(image.shape, dtype=torch.int32, device=image.device)
    images = (-1, *image.shape[-2:])
    groups = None if labels is None else labels.reshape(images).long()
    return label(image.reshape(images), groups, partition).reshape(image.shape)


def project_on_device(kind: Literal["values", "jacobian"], v: Tensor, labels: Tensor, degree: int) -> Tensor:
    """`project_regions` in torch operations."""
    if kind == "values" and not bool(torch.isfinite(v).all()):
        _check.finite("image", v.cpu().numpy(), "Repair it first.")
    if labels.numel() == 0:
        return torch.zeros_like(v)
    height, width = labels.shape[-2:]
    pixels = height * width
    numbers = labels.reshape(-1).long()
    low, high = (int(x) for x in torch.aminmax(numbers))
    _check_regions.labels_range(low, high)
    if not 0 <= low <= high < pixels:
        numbers = torch.unique(numbers, return_inverse=True)[1]
    count = int(numbers.max()) + 1
    pixel = torch.arange(numbers.numel(), device=v.device)
    segments = _segments.Segments(numbers + pixel // pixels * count, count * (numbers.numel() // pixels))
    places = [pixel % pixels // width, pixel % width]
    repeats = int(np.prod(v.shape[: v.ndim - labels.ndim]))
    out = _segments.project(kind, v.reshape(repeats, -1).double(), places, degree, None, segments)
    out = out.reshape(v.shape).to(v.dtype)
    return _in_range(out) if kind == "values" else out


def _in_range(values: Tensor) -> Tensor:
    if not bool(torch.isfinite(values).all()):
        raise ValueError(
            "sums leave the range of float64: `image` is too large. Divide it by its largest value."
        )
    return values
