"""What every public function asks of its arguments, with one wording for each rule.

Values are read on the CPU only. On an accelerator reading them would make the host wait for the device; there
the basis turns the rows it cannot compute into NaN instead (see `_evaluation/basis.py`).
"""

from __future__ import annotations

import math
from itertools import pairwise
from operator import le, lt
from typing import TYPE_CHECKING

import torch
from torch import Tensor

if TYPE_CHECKING:
    from collections.abc import Sequence

KNOT_GRADIENTS = ("exact", "gaussian")
BACKENDS = ("torch", "reference")


def check_floating(**tensors: Tensor | None) -> None:
    """Raises unless every given tensor is a float32 or float64 tensor and all lie on one device."""
    first: tuple[str, Tensor] | None = None
    for name, tensor in tensors.items():
        if tensor is None:
            continue
        if not isinstance(tensor, Tensor):
            raise TypeError(
                f"`{name}` must be a torch.Tensor; got {type(tensor).__name__}. Use torch.as_tensor."
            )
        if tensor.dtype not in (torch.float32, torch.float64):
            raise TypeError(
                f"`{name}` must be float32 or float64; got {tensor.dtype}. Convert it with `{name}.double()`."
            )
        if first is None:
            first = (name, tensor)
        elif tensor.device != first[1].device:
            raise ValueError(
                f"`{name}` lies on {tensor.device}, `{first[0]}` on {first[1].device}. Move them to one "
                f"device."
            )


def check_choice(name: str, value: object, choices: Sequence[str]) -> None:
    """Raises unless `value` is one of `choices`."""
    if value not in choices:
        raise ValueError(f"`{name}` must be one of {', '.join(map(repr, choices))}; got {value!r}.")


def check_positive(name: str, value: float) -> None:
    """Raises unless `value` is finite and positive."""
    if not (value > 0 and math.isfinite(value)):
        raise ValueError(f"`{name}` must be positive and finite; got {value!r}.")


def check_degree(name: str, degree: object) -> None:
    """Raises unless `degree` is an integer >= 0."""
    if isinstance(degree, bool) or not isinstance(degree, int):
        raise TypeError(f"`{name}` must be an int; got {degree!r}.")
    if degree < 0:
        raise ValueError(f"`{name}` must be at least 0; got {degree}.")


def check_batch(name: str, tensor: Tensor, batch: Sequence[int]) -> None:
    """Raises unless `tensor` has one dimension, or one more than the batch of control points."""
    if tensor.ndim != 1 and tensor.shape[:-1] != batch:
        each = f", or shape {tuple(batch)} + (...,) for one of each sample" if batch else ""
        raise ValueError(f"`{name}` must have one dimension{each}; got shape {tuple(tensor.shape)}.")


def check_knots(name: str, knots: Tensor, degree: int) -> None:
    """Raises unless `knots` is a knot vector of `degree`, or a batch of them."""
    if knots.ndim == 0:
        raise ValueError(f"`{name}` must have one dimension or more; got a number.")
    count = knots.shape[-1]
    if count < 2 * degree + 2:
        raise ValueError(
            f"`{name}` needs at least 2 * degree + 2 = {2 * degree + 2} knots for degree {degree}; got "
            f"{count}. Add knots or lower the degree."
        )
    if knots.device.type != "cpu":
        return
    if knots.ndim == 1:
        _check_knot_vector(name, knots.tolist(), degree)
        return
    t = knots.detach()
    is_good = torch.isfinite(t).all(-1) & (t[..., 1:] >= t[..., :-1]).all(-1)
    is_good &= (t[..., degree + 1 :] > t[..., : -degree - 1]).all(-1) & (t[..., degree] < t[..., -degree - 1])
    if not bool(is_good.all()):
        place = torch.nonzero(~is_good)[0].tolist()
        _check_knot_vector(f"{name}[{', '.join(map(str, place))}]", t[tuple(place)].tolist(), degree)


def _check_knot_vector(name: str, t: list[float], degree: int) -> None:
    count = len(t)
    if (
        all(map(le, t, t[1:]))  # no NaN among them either
        and all(map(lt, t, t[degree + 1 :]))
        and -math.inf < t[0] <= t[degree] < t[count - degree - 1] <= t[-1] < math.inf
    ):
        return
    for i, x in enumerate(t):
        if not math.isfinite(x):
            raise ValueError(f"`{name}` must be finite; {name}[{i}] = {x}.")
    for i, (a, b) in enumerate(pairwise(t)):
        if a > b:
            raise ValueError(
                f"`{name}` must be non-decreasing; {name}[{i}] = {a:g} > {name}[{i + 1}] = {b:g}. Sort them "
                f"first."
            )
    for i in range(count - degree - 1):
        if t[i] == t[i + degree + 1]:
            raise ValueError(
                f"`{name}` may repeat a knot at most degree + 1 = {degree + 1} times; {name}[{i}] to "
                f"{name}[{i + degree + 1}] all equal {t[i]:g}. Remove the surplus ones."
            )
    raise ValueError(
        f"`{name}` spans an empty domain: {name}[{degree}] = {name}[{count - degree - 1}] = {t[degree]:g}. "
        f"Spread the knots."
    )


def check_parameters(name: str, u: Tensor, knots_name: str, knots: Tensor, degree: int) -> None:
    """Raises unless every parameter lies in the domain [knots[degree], knots[-degree - 1]]."""
    if u.device.type != "cpu" or u.numel() == 0:
        return
    u = u.detach()
    if knots.ndim == 1:
        smallest, largest = torch.aminmax(u)
        if smallest.item() >= knots[degree].item() and largest.item() <= knots[-degree - 1].item():
            return
    # in the dtype of `u`, to which the ends of the domain may have been rounded
    lows, highs = (knots.detach()[..., i, None].to(u.dtype) for i in (degree, -degree - 1))
    is_bad = ~((u >= lows) & (u <= highs))
    if not bool(is_bad.any()):
        return
    place = tuple(torch.nonzero(is_bad)[0].tolist())
    low, high = (float(x.expand(is_bad.shape)[place]) for x in (lows, highs))
    place = place[len(place) - u.ndim :]  # fewer where the parameters are shared by a batch of knots
    raise ValueError(
        f"`{name}` must lie in the domain [{low:g}, {high:g}] of `{knots_name}`; "
        f"{name}[{', '.join(map(str, place))}] = {float(u[place]):g}. Clamp it, or extend the knots."
    )


def check_equally_many(**parameters: Tensor) -> None:
    """Raises unless the parameters of all directions make pairs or triples."""
    counts = [u.shape[-1] for u in parameters.values()]
    if len(set(counts)) > 1:
        names, found = (", ".join(map(form, x)) for form, x in (("`{}`".format, parameters), (str, counts)))
        raise ValueError(f"With `grid=False` there must be equally many {names}; got {found}.")


def check_control_points(control_points: Tensor, shape: str) -> None:
    """Raises unless there is an axis for each name in `shape`, such as "n, dim", any batch in front."""
    if control_points.ndim < len(shape.split(", ")):
        raise ValueError(
            f"`control_points` must have shape (..., {shape}); got {tuple(control_points.shape)}."
        )


def degree_from_counts(knots_name: str, knots: Tensor, count: int) -> int:
    """The degree k - n - 1 that one vector of k knots and n control points imply."""
    if knots.ndim != 1:
        raise ValueError(f"`{knots_name}` must have one dimension; got shape {tuple(knots.shape)}.")
    return degree_of_each(knots_name, knots, count)


def degree_of_each(knots_name: str, knots: Tensor, count: int) -> int:
    """The degree that the knot vectors of a batch have in common."""
    degree = knots.shape[-1] - count - 1
    if not 0 <= degree < count:
        raise ValueError(
            f"`{knots_name}` has {knots.shape[-1]} knots for {count} control points: the degree would be "
            f"{degree}, outside [0, {count - 1}]. A degree p needs n + p + 1 knots."
        )
    return degree


def check_weights(weights: Tensor | None, control_points: Tensor) -> None:
    """Raises unless there is one positive, finite weight for each control point."""
    if weights is None:
        return
    if weights.shape != control_points.shape[:-1]:
        raise ValueError(
            f"`weights` must have one entry for each control point, shape "
            f"{tuple(control_points.shape[:-1])}; got {tuple(weights.shape)}."
        )
    if weights.device.type != "cpu":
        return
    if weights.numel() == 0:
        return
    smallest, largest = torch.aminmax(weights.detach())
    if not (smallest.item() > 0 and largest.item() < math.inf):  # a NaN is neither
        place = torch.nonzero(~((weights > 0) & torch.isfinite(weights)))[0].tolist()
        raise ValueError(
            f"`weights` must be positive and finite; weights[{', '.join(map(str, place))}] = "
            f"{weights[tuple(place)].item():g}."
        )
