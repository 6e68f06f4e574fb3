"""Data of a problem, in any of the forms a caller may have them, brought to the quadrature points."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np  # torch.broadcast_shapes would import sympy, which takes seconds
import torch
from torch import Tensor

from fem_diff._autograd import differentiable_evaluate

if TYPE_CHECKING:
    from jaxtyping import Float

    from fem_diff._contract import Tables
    from fem_diff._space import LagrangeSpace

Data = float | Tensor | Callable[..., Tensor | float]


def common_tensor(data: dict[str, Data]) -> Tensor:
    """An empty tensor of the dtype and device that the tensors in `data` share, float64 on the CPU if none.

    Raises:
        TypeError: no tensor, number or callable; a tensor that is not of floating point; two tensors of
            different dtype or device.
    """
    for name, value in data.items():
        if not (callable(value) or isinstance(value, (Tensor, int, float))):
            raise TypeError(
                f"`{name}` must be a number, a callable or a tensor; got {type(value).__name__}. "
                "Use torch.as_tensor(...)."
            )
    tensors = {name: value for name, value in data.items() if isinstance(value, Tensor)}
    first = None
    for name, value in tensors.items():
        if not value.is_floating_point():
            raise TypeError(
                f"`{name}` must hold floating-point numbers; its dtype is {value.dtype}. Use .double()."
            )
        first = first or name
        other = tensors[first]
        if (value.dtype, value.device) != (other.dtype, other.device):
            raise TypeError(
                f"`{name}` is {value.dtype} on {value.device}, `{first}` {other.dtype} on {other.device}. "
                "Bring them together with .to(...)."
            )
    return tensors[first].new_empty(0) if first else torch.empty(0, dtype=torch.float64)


def at_points(name: str, data: Data, space: LagrangeSpace, tables: Tables) -> Float[Tensor, "*batch_points"]:
    """Values at the quadrature points, or an array that broadcasts with them."""
    like, ndim = tables.weights, space.ndim
    if callable(data):
        values = torch.as_tensor(data(*space.quadrature_points(like=like))).to(like)
        try:
            values = values.expand(np.broadcast_shapes(values.shape, space.quadrature_shape))
        except ValueError:
            raise ValueError(
                f"`{name}` returned an array of shape {tuple(values.shape)} for coordinates of shape "
                f"{space.quadrature_shape}. Return one value per point, with batch axes in front."
            ) from None
    elif not isinstance(data, Tensor):
        values = like.new_full((1,) * ndim, float(data))
    elif data.dim() == 0 or data.shape[-ndim:] == (1,) * ndim:
        values = data.view(*data.shape[:-ndim], *(1,) * ndim)
    elif data.shape[-ndim:] == space.node_shape:
        (values,) = differentiable_evaluate(data, tables, gradient=False)
    elif data.shape[-ndim:] == space.quadrature_shape:
        values = data
    elif data.shape[-ndim:] == space.mesh.elements:
        values = data
        for axis in range(-ndim, 0):
            values = values.repeat_interleave(space.points, axis)
    else:
        raise ValueError(
            f"`{name}` has shape {tuple(data.shape)}; its last axes must be {space.node_shape} (nodes), "
            f"{space.mesh.elements} (elements), {space.quadrature_shape} (quadrature points) "
            f"or {(1,) * ndim} (constant)."
        )
    return values


def on_nodes(name: str, data: Data, space: LagrangeSpace, like: Tensor) -> Float[Tensor, "*batch_nodes"]:
    """Nodal values, or an array that broadcasts with them."""
    ndim = space.ndim
    if callable(data):
        return space.interpolate(data, like=like)
    if not isinstance(data, Tensor):
        return like.new_full((1,) * ndim, float(data))
    if data.dim() and data.shape[-ndim:] not in (space.node_shape, (1,) * ndim):
        raise ValueError(
            f"`{name}` has shape {tuple(data.shape)}; its last axes must be {space.node_shape} (nodes) "
            f"or {(1,) * ndim} (constant)."
        )
    return data if data.dim() else data.view((1,) * ndim)


def check_finite(name: str, values: Tensor, place: str) -> None:
    """Raises a ValueError that names the first value which is NaN or infinite."""
    bad = ~values.isfinite()
    if bad.any():
        raise ValueError(f"`{name}` must be finite; it is {_first(values, bad)} {place}.")


def check_sign(name: str, values: Tensor, *, zero: bool, hint: str = "") -> None:
    """Raises a ValueError that names the first value which is negative, or zero unless `zero` is allowed."""
    bad = values < 0 if zero else values <= 0
    if bad.any():
        rule = "not be negative" if zero else "be positive"
        raise ValueError(f"`{name}` must {rule}; it is {_first(values, bad)} at the quadrature points.{hint}")


def check_batch(shapes: dict[str, tuple[int, ...]]) -> tuple[int, ...]:
    """The common batch shape.

    Raises:
        ValueError: the batch axes do not broadcast.
    """
    try:
        return np.broadcast_shapes(*shapes.values())
    except ValueError:
        listed = ", ".join(f"`{name}` {shape}" for name, shape in shapes.items() if math.prod(shape) != 1)
        raise ValueError(f"batch axes do not broadcast: {listed}. Make them equal or 1.") from None


def _first(values: Tensor, bad: Tensor) -> str:
    index = tuple(bad.nonzero()[0].tolist())
    return f"{values[index].item():g} at index {index}"
