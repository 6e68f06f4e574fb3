"""Area and perimeter of splines as functions that torch can differentiate."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch.autograd.function import once_differentiable

from implicit_seg._geometry.spline import ImplicitSpline

if TYPE_CHECKING:
    from collections.abc import Sequence

    from jaxtyping import Float
    from torch import Tensor


def spline_area(
    coefficients: Float[Tensor, "*batch n m"],
    degree: int = 1,
    *,
    size: Sequence[int],
    spacing: float | Sequence[float] = 1.0,
    level: float = 0.0,
) -> Float[Tensor, "*batch"]:
    r"""Area of the inside of each spline in the plane, with its gradient.

    $\partial A / \partial c_k = \int_\Gamma B_k / |\nabla F|\, ds$ along the boundary $\Gamma$: exact, not
    that of a soft mask. Computed on the CPU in float64, one spline after the other; 0 with gradient 0 where
    nothing is inside, as no boundary can move.

    Args:
        coefficients: a grid for each item; on any device, of any floating dtype.
        degree: 1, 2 or 3.
        size: pixels of the image in each direction.
        spacing: distance between their centres.
        level: the boundary is where the spline has this value.

    Returns:
        Areas in squared units of `spacing`, in the dtype and on the device of `coefficients`. They can be
        differentiated once.

    Raises:
        ValueError: see `ImplicitSpline`.

    >>> row, column = torch.meshgrid(torch.arange(-3.0, 4.0), torch.arange(-3.0, 4.0), indexing="ij")
    >>> net = (2 - torch.hypot(row, column)).requires_grad_()
    >>> area = spline_area(net, 2, size=(7, 7))
    >>> area.backward()  # what the area gains where a coefficient grows: most at the boundary
    >>> bool(net.grad[3, 1] > net.grad[3, 3] >= 0)
    True
    """
    return _Measure.apply(coefficients, "area", degree, size, spacing, level)


def spline_perimeter(
    coefficients: Float[Tensor, "*batch n m"],
    degree: int = 1,
    *,
    size: Sequence[int],
    spacing: float | Sequence[float] = 1.0,
    level: float = 0.0,
) -> Float[Tensor, "*batch"]:
    r"""Length of the boundary of each spline in the plane, with its gradient.

    $\partial L / \partial c_k = \int_\Gamma \kappa B_k / |\nabla F|\, ds$ with the curvature $\kappa$, and
    what the ends of the boundary add as they slide along the border of the domain (for degree 1 also along
    the knots, where the boundary has corners).

    Args:
        coefficients: see `spline_area`, as for all that follows.
        degree: 1, 2 or 3.
        size: pixels of the image in each direction.
        spacing: distance between their centres.
        level: the boundary is where the spline has this value.

    Returns:
        Lengths in units of `spacing`, without the border of the domain.

    Raises:
        ValueError: see `ImplicitSpline`.
    """
    return _Measure.apply(coefficients, "perimeter", degree, size, spacing, level)


class _Measure(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,
        coefficients: Tensor,
        name: str,
        degree: int,
        size: Sequence[int],
        spacing: float | Sequence[float],
        level: float,
    ) -> Tensor:
        grids = coefficients.detach().reshape(-1, *coefficients.shape[-2:])
        ctx.name, ctx.batch = name, coefficients.shape
        ctx.shapes = [ImplicitSpline(grid, degree, size=size, spacing=spacing, level=level) for grid in grids]
        values = [getattr(shape, name) for shape in ctx.shapes]
        return torch.tensor(values, dtype=torch.float64).to(coefficients).reshape(coefficients.shape[:-2])

    @staticmethod
    @once_differentiable
    def backward(  # pyright: ignore[reportIncompatibleMethodOverride] - the decorator hides its name
        ctx: Any, *upstream: Tensor
    ) -> tuple[Tensor | None, ...]:
        gradients = np.stack([shape.sensitivity(ctx.name) for shape in ctx.shapes])
        result = torch.from_numpy(gradients).to(upstream[0]).reshape(ctx.batch)
        return result * upstream[0][..., None, None], None, None, None, None, None
