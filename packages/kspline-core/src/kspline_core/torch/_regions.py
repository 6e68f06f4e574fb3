"""Piecewise polynomials on the regions of an image, differentiable, as functions and as a layer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import torch

from kspline_core import _check, _check_regions
from kspline_core.torch._region_autograd import Label, ProjectRegions

if TYPE_CHECKING:
    from collections.abc import Sequence

    from jaxtyping import Float, Int, Int32
    from torch import Tensor


def regions(
    image: Float[Tensor, "*batch height width"],
    levels: Sequence[float] = (0.5,),
    *,
    connectivity: Literal[4, 8] = 4,
    min_size: int = 1,
    labels: Int[Tensor, "*#batch height width"] | None = None,
    threads: int | None = None,
) -> Int32[Tensor, "*batch height width"]:
    """Connected components of the level partition of an image, as by `kspline_core.regions`, on its device.

    On the CPU by the C++ core, elsewhere by torch operations, with the same labels. Works under `vmap`; no
    gradient flows through labels.

    Args:
        image: float32 or float64, finite.
        levels: as there.
        connectivity: as there.
        min_size: as there.
        labels: as there, on the device of `image`.
        threads: as there; for the CPU.

    Raises:
        TypeError: `image` is no float32 or float64 tensor, or `labels` is no integer tensor.
        ValueError: as there; or `labels` is on another device.

    Example:
        >>> import torch
        >>> from kspline_core.torch import regions
        >>> regions(torch.tensor([[0.9, 0.8, 0.1], [0.2, 0.1, 0.7]]))
        tensor([[0, 0, 1],
                [2, 2, 3]], dtype=torch.int32)
    """
    _floating("image", image)
    _check_regions.image_shape(image.shape)
    rule = _check_regions.partition(levels, connectivity, min_size)
    if labels is not None:
        labels = _label_map(labels, image)
    return Label.apply(image.detach(), labels, rule, _threads(threads))


def project_regions(
    image: Float[Tensor, "*batch height width"],
    labels: Int[Tensor, "*#batch height width"],
    degree: int = 0,
    *,
    threads: int | None = None,
) -> Float[Tensor, "*batch height width"]:
    """The values of `kspline_core.project_regions`, with the block projector as derivative, on any device.

    Linear in `image`: works under double backward, forward-mode differentiation, `torch.func` and `vmap`.

    Args:
        image: float32 or float64; sums are taken in float64.
        labels: integers within 32 bits, shape of `image` or of one image, on its device.
        degree: total degree of the polynomials, 0 to 3.
        threads: at most this many, on the CPU.

    Raises:
        TypeError: `image` is no float32 or float64 tensor, or `labels` is no integer tensor.
        ValueError: as by `kspline_core.project_regions`; or `labels` is on another device.

    Example:
        >>> import torch
        >>> from kspline_core.torch import project_regions
        >>> image = torch.tensor([[1.0, 3.0, 5.0]], requires_grad=True)
        >>> values = project_regions(image, torch.tensor([[0, 0, 1]]))
        >>> values.detach()
        tensor([[2., 2., 5.]])
        >>> torch.autograd.grad(values[0, 0], image)
        (tensor([[0.5000, 0.5000, 0.0000]]),)
    """
    _floating("image", image)
    _check_regions.image_shape(image.shape)
    degree = _check.integer("degree", degree, 0, _check.MAX_DEGREE)
    return ProjectRegions.apply(image, _label_map(labels, image), degree, True, _threads(threads))


def piecewise_constant_2d(
    image: Float[Tensor, "*batch height width"],
    levels: Sequence[float] = (0.5,),
    *,
    degree: int = 0,
    connectivity: Literal[4, 8] = 4,
    min_size: int = 1,
    labels: Int[Tensor, "*#batch height width"] | None = None,
    mixing: float = 1.0,
    threads: int | None = None,
) -> Float[Tensor, "*batch height width"]:
    r"""The image with each region at its mean or best polynomial, and the weak Jacobian as derivative.

    $$h = \lambda P v + (1 - \lambda) v$$

    with $P$ the projection onto the regions that the level partition of $v$ has, and $\lambda$ the `mixing`.
    The derivative is that with the regions held fixed, block diagonal: Cho et al., *Differentiable Spline
    Approximations* (2021), Theorem 1 and section 3. For the mean every entry of a block is one over the
    number of its pixels.

    Args:
        image: float32 or float64, (..., height, width), finite.
        levels: as for `regions`.
        degree: total degree of the polynomials, 0 to 3.
        connectivity: as for `regions`.
        min_size: as for `regions`.
        labels: as for `regions`; with `levels=()` they are the partition, cut into components.
        mixing: from 0, the identity, to 1, the projection. What is between lets a network train whose
            partition is not worth much yet.
        threads: as for `regions`.

    Raises:
        TypeError: as by `regions`.
        ValueError: as by `regions`; or `degree` or `mixing` is out of its range.

    Example:
        >>> import torch
        >>> from kspline_core.torch import piecewise_constant_2d
        >>> piecewise_constant_2d(torch.tensor([[1.0, 0.8, 0.1], [0.9, 0.0, 0.2]]))
        tensor([[0.9000, 0.9000, 0.1000],
                [0.9000, 0.1000, 0.1000]])
    """
    if not 0 <= mixing <= 1:
        raise ValueError(f"`mixing` must be from 0 to 1; got {mixing}.")
    partition = regions(
        image, levels, connectivity=connectivity, min_size=min_size, labels=labels, threads=threads
    )
    values = project_regions(image, partition, degree, threads=threads)
    return values if mixing == 1 else torch.lerp(image, values, mixing)


class PiecewiseConstant2d(torch.nn.Module):
    """`piecewise_constant_2d` as a layer without parameters: (..., height, width) to the same.

    As the last layer of a network for segmentation it wants a start without it (`mixing` rising from 0),
    more levels than one, or a `min_size`: from the first step, with one level, it learns worse than no layer.

    Args:
        levels: as for `piecewise_constant_2d`.
        degree: as there.
        connectivity: as there.
        min_size: as there.
        mixing: as there; an attribute that training may change.
        threads: as there.
    """

    def __init__(
        self,
        levels: Sequence[float] = (0.5,),
        *,
        degree: int = 0,
        connectivity: Literal[4, 8] = 4,
        min_size: int = 1,
        mixing: float = 1.0,
        threads: int | None = None,
    ) -> None:
        super().__init__()
        rule = _check_regions.partition(levels, connectivity, min_size)
        self.levels, self.min_size = rule.levels, rule.min_size
        self.connectivity: Literal[4, 8] = connectivity
        self.degree = _check.integer("degree", degree, 0, _check.MAX_DEGREE)
        self.mixing = mixing
        self.threads = threads

    def forward(
        self,
        image: Float[Tensor, "*batch height width"],
        labels: Int[Tensor, "*#batch height width"] | None = None,
    ) -> Float[Tensor, "*batch height width"]:
        """Returns `piecewise_constant_2d(image, ...)` with the settings of the layer."""
        return piecewise_constant_2d(
            image,
            self.levels,
            degree=self.degree,
            connectivity=self.connectivity,
            min_size=self.min_size,
            labels=labels,
            mixing=self.mixing,
            threads=self.threads,
        )

    def extra_repr(self) -> str:
        """Shows the settings in `repr`."""
        return (
            f"levels={self.levels}, degree={self.degree}, connectivity={self.connectivity}, "
            f"min_size={self.min_size}, mixing={self.mixing}"
        )


def _threads(threads: int | None) -> int | None:
    return None if threads is None else _check.integer("threads", threads, 1)


def _floating(name: str, tensor: Any) -> None:
    if tensor.dtype not in (torch.float32, torch.float64):
        raise TypeError(
            f"`{name}` must be float32 or float64; got {tensor.dtype}. Convert it with "
            f"{name}.to(torch.float32)."
        )


def _label_map(labels: Any, image: Tensor) -> Tensor:
    if labels.dtype.is_floating_point or labels.dtype.is_complex:
        raise TypeError(
            f"`labels` must hold integers; got {labels.dtype}. Convert them: labels.to(torch.int32)."
        )
    if labels.device != image.device:
        raise ValueError(
            f"`labels` is on {labels.device}, and `image` on {image.device}. "
            "Move it: labels.to(image.device)."
        )
    _check_regions.image_like("labels", labels.shape, image.shape)
    return labels.expand(image.shape)
