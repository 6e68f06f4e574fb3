"""Data of a problem, in any of the forms a caller may have them, brought to the quadrature points."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np  # torch.broadcast_shapes would import sympy, which takes seconds
import torch
from torch import Tensor

from fem_diff._base.autograd import checked, differentiable_evaluate

if TYPE_CHECKING:
    from jaxtyping import Float

    from fem_diff._base.discrete import Domain, Tables
    from fem_diff._spaces import Space

Data = float | Tensor | Callable[..., Tensor | float]
LEARNED = " If it is learned, learn its logarithm."


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
    if first is None:
        return torch.empty(0, dtype=torch.float64)
    # not new_empty, which would carry the wrappers of torch.func along
    return torch.empty(0, dtype=tensors[first].dtype, device=tensors[first].device)


def at_points(name: str, data: Data, domain: Domain, tables: Tables) -> Float[Tensor, "*batch_points"]:
    """Values at the quadrature points, or an array that broadcasts with them."""
    like, axes = tables.weights, domain.axes
    if callable(data):
        values = torch.as_tensor(data(*domain.quadrature_points(like=like))).to(like)
        try:
            return values.expand(np.broadcast_shapes(values.shape, domain.quadrature_shape))
        except ValueError:
            raise ValueError(
                f"`{name}` returned an array of shape {tuple(values.shape)} for coordinates of shape "
                f"{domain.quadrature_shape}. Return one value per point, with batch axes in front."
            ) from None
    if not isinstance(data, Tensor):
        return like.new_full((1,) * axes, float(data))
    cut = max(data.dim() - axes, 0)
    batch, own = tuple(data.shape[:cut]), tuple(data.shape[cut:])
    if data.dim() == 0 or own == (1,) * axes:
        return data.reshape(*batch, *(1,) * axes)
    if own == domain.node_shape == domain.element_shape:
        raise ValueError(
            f"`{name}` has shape {tuple(data.shape)}, and {own} is the shape of the nodes and of the "
            "elements alike. Bring it to the quadrature points: "
            "`space.from_nodes(...)` or `space.from_elements(...)`, for a side `repeat_interleave`."
        )
    if own == domain.node_shape:
        return differentiable_evaluate(data, tables, gradient=False)[0]
    if own == domain.quadrature_shape:
        return data
    if own == domain.element_shape:
        return domain.from_elements(data)
    raise ValueError(
        f"`{name}` has shape {tuple(data.shape)}; its last axes must be {domain.node_shape} (nodes), "
        f"{domain.element_shape} (elements), {domain.quadrature_shape} (quadrature points) "
        f"or {(1,) * axes} (constant)."
    )


def finite_at_points(
    name: str, data: Data, domain: Domain, tables: Tables, *, positive: bool = False, hint: str = ""
) -> Float[Tensor, "*batch_points"]:
    """`at_points`, after a check that the values are finite and, if asked for, positive.

    A tensor is looked at as it was given first, so that the message names its own index.
    """
    if isinstance(data, Tensor):
        data = _allowed(name, data, "of the tensor", positive=positive)
    values = at_points(name, data, domain, tables)
    return _allowed(name, values, "at the quadrature points", positive=positive, hint=hint)


def _allowed(name: str, values: Tensor, place: str, *, positive: bool, hint: str = "") -> Tensor:
    values = check_finite(name, values, place)
    return check_sign(name, values, zero=False, hint=hint or LEARNED, place=place) if positive else values


def on_nodes(name: str, data: Data, space: Space, like: Tensor) -> Float[Tensor, "*batch_nodes"]:
    """Nodal values, or an array that broadcasts with them."""
    axes = space.axes
    if callable(data):
        return space.interpolate(data, like=like)
    if not isinstance(data, Tensor):
        return like.new_full((1,) * axes, float(data))
    if data.dim() and data.shape[-axes:] not in (space.node_shape, (1,) * axes):
        raise ValueError(
            f"`{name}` has shape {tuple(data.shape)}; its last axes must be {space.node_shape} (nodes) "
            f"or {(1,) * axes} (constant)."
        )
    return data if data.dim() else data.view((1,) * axes)


def check_finite(name: str, values: Tensor, place: str) -> Tensor:
    """Returns the values; raises a ValueError that names the first one which is NaN or infinite."""

    def check(plain: Tensor) -> None:
        if plain.sum().isfinite():  # one quick pass; the sum of finite values can only overflow
            return
        bad = ~plain.isfinite()
        if bad.any():
            raise ValueError(f"`{name}` must be finite; it is {first_of(plain, bad)} {place}.")

    return checked(values, check)


def check_sign(
    name: str, values: Tensor, *, zero: bool, hint: str = "", place: str = "at the quadrature points"
) -> Tensor:
    """Returns the values; raises a ValueError at the first negative one, or zero unless `zero` is allowed."""

    def check(plain: Tensor) -> None:
        bad = plain < 0 if zero else plain <= 0
        if bad.any():
            rule = "not be negative" if zero else "be positive"
            raise ValueError(f"`{name}` must {rule}; it is {first_of(plain, bad)} {place}.{hint}")

    return checked(values, check)


def check_batch(shapes: Sequence[tuple[str, tuple[int, ...]]]) -> tuple[int, ...]:
    """The common batch shape.

    Raises:
        ValueError: the batch axes do not broadcast.
    """
    try:
        return np.broadcast_shapes(*(shape for _, shape in shapes))
    except ValueError:
        listed = ", ".join(f"`{name}` {shape}" for name, shape in shapes if math.prod(shape) != 1)
        raise ValueError(f"batch axes do not broadcast: {listed}. Make them equal or 1.") from None


def first_of(values: Tensor, bad: Tensor) -> str:
    """The first of the bad values with its index, for a message."""
    index = tuple(bad.nonzero()[0].tolist())
    return f"{values[index].item():g} at index {index}"
