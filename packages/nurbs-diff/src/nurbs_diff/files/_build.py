"""From the numbers of a file to a spline, with every rule checked once for all formats."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import torch

from nurbs_diff import _checks
from nurbs_diff._splines import Curve, Surface, Volume

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor

    from nurbs_diff.files._contents import Spline


def spline(
    degrees: Sequence[int],
    counts: Sequence[int],
    knots: Sequence[Sequence[float]],
    points: Sequence[Sequence[float]],
    weights: Sequence[float] | None,
) -> Spline:
    """A curve, surface or volume, by the number of directions.

    Args:
        degrees: of each direction, at least 1.
        counts: of control points in each direction.
        knots: of each direction.
        points: coordinates of the control points, the last direction running fastest.
        weights: in the same order; None for a polynomial spline.

    Raises:
        ValueError: a rule is broken; says which, not where.
    """
    for name, degree, count, t in zip(_names(len(degrees)), degrees, counts, knots, strict=True):
        if degree < 1:
            raise ValueError(f"the degree must be at least 1; got {degree}.")
        if count <= degree:
            raise ValueError(
                f"degree {degree} needs at least {degree + 1} control points in a direction; got {count}."
            )
        if len(t) != count + degree + 1:
            raise ValueError(
                f"{count} control points of degree {degree} need {count + degree + 1} `{name}`; got {len(t)}."
            )
    total = math.prod(counts)
    if len(points) != total:
        raise ValueError(
            f"{' x '.join(map(str, counts))} control points are announced; {len(points)} are there."
        )
    dim = len(points[0])
    for i, point in enumerate(points):
        if len(point) != dim or dim == 0:
            raise ValueError(
                f"control point {i} has {len(point)} coordinates, the first {dim}. Give all the same number."
            )
    if weights is not None and len(weights) != total:
        raise ValueError(f"there are {len(weights)} weights for {total} control points. Give one for each.")
    net = tensor("control_points", points).reshape(*counts, dim)
    w = None if weights is None else tensor("weights", weights).reshape(*counts)
    _checks.check_weights(w, net)
    t = [tensor(name, values) for name, values in zip(_names(len(degrees)), knots, strict=True)]
    for name, values, degree in zip(_names(len(degrees)), t, degrees, strict=True):
        _checks.check_knots(name, values, degree)
    if len(t) == 1:
        return Curve(net, t[0], w)
    if len(t) == 2:
        return Surface(net, t[0], t[1], w)
    return Volume(net, t[0], t[1], t[2], w)


def tensor(name: str, values: Sequence[float] | Sequence[Sequence[float]]) -> Tensor:
    """Float64, and finite."""
    found = torch.tensor(values, dtype=torch.float64)
    if not bool(torch.isfinite(found).all()):
        place = torch.nonzero(~torch.isfinite(found))[0].tolist()
        raise ValueError(
            f"`{name}` must be finite; {name}[{', '.join(map(str, place))}] = {float(found[tuple(place)])}. "
            "Repair the file."
        )
    return found


def _names(directions: int) -> list[str]:
    return ["knots"] if directions == 1 else [f"knots_{axis}" for axis in "uvw"[:directions]]
