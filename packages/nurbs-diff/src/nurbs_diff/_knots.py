"""Knot vectors."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import torch
from torch import Tensor

from nurbs_diff._checks import check_choice, check_degree

if TYPE_CHECKING:
    from jaxtyping import Float


def uniform_knots(
    n: int,
    degree: int,
    *,
    ends: Literal["clamped", "unclamped"] = "clamped",
    domain: tuple[float, float] = (0.0, 1.0),
    dtype: torch.dtype = torch.float64,
    device: torch.device | str | None = None,
) -> Float[Tensor, "k"]:
    """A knot vector with equal spans.

    Args:
        n: number of control points, more than `degree`.
        degree: of the spline.
        ends: "clamped": the ends of the domain stand degree + 1 times, and a curve starts and ends in its
            first and last control point; "unclamped": the knots go on beyond them at equal distances, as a
            periodic spline needs, see `close_net`.
        domain: first and last parameter.
        dtype: of the knots.
        device: where they lie.

    Returns:
        n + degree + 1 knots.

    Raises:
        ValueError: too few control points for the degree, an empty domain, or another kind of ends.

    >>> uniform_knots(5, degree=2)
    tensor([0.0000, 0.0000, 0.0000, 0.3333, 0.6667, 1.0000, 1.0000, 1.0000],
           dtype=torch.float64)
    >>> uniform_knots(4, degree=2, ends="unclamped", domain=(0.0, 2.0))
    tensor([-2., -1.,  0.,  1.,  2.,  3.,  4.], dtype=torch.float64)
    """
    check_degree("degree", degree)
    check_choice("ends", ends, ("clamped", "unclamped"))
    if n <= degree:
        raise ValueError(
            f"`n` must exceed the degree {degree}; got {n}. Use at least {degree + 1} control points."
        )
    low, high = domain
    if not low < high:
        raise ValueError(f"`domain` must be an interval (low, high) with low < high; got {domain}.")
    spans = n - degree
    if ends == "unclamped":
        places = torch.arange(-degree, n + 1, dtype=dtype, device=device) / spans
        return low + (high - low) * places
    return clamp_ends(torch.linspace(low, high, spans + 1, dtype=dtype, device=device), degree)


def close_net(control_points: Float[Tensor, "*any"], degree: int, axis: int) -> Float[Tensor, "*any2"]:
    """Closes a net, or its weights, along one axis, for a periodic spline.

    Appends the first `degree` entries at the end. With unclamped knots whose spans repeat, such as
    `uniform_knots(n + degree, degree, ends="unclamped")`, the spline and its first degree - 1 derivatives are
    then the same at both ends of the domain. Parameters beyond it the caller wraps: `u % 1`.

    Args:
        control_points: n of them along `axis`; batch, other directions and coordinates around it.
        degree: of the spline in that direction, at most n.
        axis: which one is closed, say -2 for a curve's control points, -1 for its weights.

    Returns:
        n + degree of them along `axis`.

    Raises:
        ValueError: fewer control points than the degree.

    Piegl & Tiller, *The NURBS Book*, section 12.2.

    >>> import torch
    >>> from nurbs_diff import evaluate_curve
    >>> square = torch.tensor([[1.0, 0.0], [0.0, 1.0], [-1.0, 0.0], [0.0, -1.0]])
    >>> knots = uniform_knots(4 + 3, degree=3, ends="unclamped")
    >>> evaluate_curve(close_net(square, 3, axis=-2), knots, torch.tensor([0.0, 1.0]))
    tensor([[0.0000, 0.6667],
            [0.0000, 0.6667]])
    """
    check_degree("degree", degree)
    n = control_points.shape[axis]
    if n < degree:
        raise ValueError(
            f"`control_points` has {n} entries along axis {axis}, fewer than the degree {degree}."
        )
    return torch.cat([control_points, control_points.narrow(axis, 0, degree)], axis)


def clamp_ends(breakpoints: Tensor, degree: int) -> Tensor:
    """Repeats the first and the last of `breakpoints` until each stands degree + 1 times."""
    lead = breakpoints.shape[:-1]
    first, last = breakpoints[..., :1].expand(*lead, degree), breakpoints[..., -1:].expand(*lead, degree)
    return torch.cat([first, breakpoints, last], -1)
