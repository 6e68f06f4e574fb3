"""What is handed over to be written, checked and turned into plain numbers."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from nurbs_diff import _checks
from nurbs_diff._modules.modules import NurbsCurve, NurbsSurface, NurbsVolume
from nurbs_diff._splines import Curve, Surface, Volume

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor

    from nurbs_diff.files._contents import Spline


def as_spline(shape: object) -> Spline:
    """A spline on the CPU in float64; modules give what they hold now.

    Raises:
        TypeError: it is no spline.
        ValueError: it has a batch, degree 0, bad knots or weights.
    """
    if isinstance(shape, NurbsCurve):
        shape = Curve(shape.control_points, shape.knots, shape.weights)
    elif isinstance(shape, NurbsSurface):
        shape = Surface(shape.control_points, shape.knots_u, shape.knots_v, shape.weights)
    elif isinstance(shape, NurbsVolume):
        knots = (shape.knots_u, shape.knots_v, shape.knots_w)
        shape = Volume(shape.control_points, *knots, shape.weights)
    if not isinstance(shape, (Curve, Surface, Volume)):
        raise TypeError(
            "only a Curve, Surface, Volume, NurbsCurve, NurbsSurface, NurbsVolume or TriangleMesh can be "
            f"written; got {type(shape).__name__}. "
            "Make one: Surface(control_points, knots_u, knots_v, weights)."
        )
    fields = shape._asdict()
    _checks.check_floating(**fields)
    parts = {name: None if x is None else x.detach().cpu().double() for name, x in fields.items()}
    net, weights = parts["control_points"], parts["weights"]
    assert net is not None  # the first field of each
    knots = {name: x for name, x in parts.items() if name.startswith("knots") and x is not None}
    if net.ndim != len(knots) + 1:
        raise ValueError(
            f"`control_points` of a {type(shape).__name__} to be written must have {len(knots) + 1} "
            f"dimensions; got shape {tuple(net.shape)}. Write the members of a batch one by one."
        )
    if not bool(torch.isfinite(net).all()):
        place = torch.nonzero(~torch.isfinite(net))[0].tolist()
        raise ValueError(
            f"`control_points` must be finite; control_points{place} = {float(net[tuple(place)])}."
        )
    for (name, t), count in zip(knots.items(), net.shape, strict=False):
        if t.ndim != 1:
            raise ValueError(
                f"`{name}` to be written must have one dimension; got shape {tuple(t.shape)}. Write the "
                "members of a batch one by one."
            )
        degree = _checks.degree_from_counts(name, t, count)
        if degree == 0:
            raise ValueError(f"`{name}` implies degree 0, which no file format knows. Raise the degree.")
        _checks.check_knots(name, t, degree)
    _checks.check_weights(weights, net)
    return shape._replace(**parts)


def check_for_cad(spline: Spline) -> Curve | Surface:
    """Raises unless STEP and IGES can hold the spline."""
    if isinstance(spline, Volume):
        raise ValueError("STEP and IGES know no spline volumes. Write a .json, or its six faces as surfaces.")
    if spline.control_points.shape[-1] != 3:
        raise ValueError(
            f"STEP and IGES hold points in space; `control_points` has {spline.control_points.shape[-1]} "
            "coordinates. Append z = 0, or write a .json."
        )
    for (name, t), degree in zip(knots_of(spline).items(), degrees_of(spline), strict=True):
        inner = t[(t > t[degree]) & (t < t[-degree - 1])]
        values, counts = torch.unique_consecutive(inner, return_counts=True)
        if counts.numel() and int(counts.max()) > degree:
            raise ValueError(
                f"`{name}` repeats {float(values[counts.argmax()]):g} degree + 1 = {degree + 1} times, a "
                "jump that STEP and IGES do not allow. Split the spline there."
            )
    return spline


def knots_of(spline: Spline) -> dict[str, Tensor]:
    """The knot vectors by name."""
    return {name: x for name, x in spline._asdict().items() if name.startswith("knots")}


def counts_of(spline: Spline) -> Sequence[int]:
    """Control points in each direction."""
    return spline.control_points.shape[:-1]


def degrees_of(spline: Spline) -> list[int]:
    """The degree of each direction."""
    return [len(t) - n - 1 for t, n in zip(knots_of(spline).values(), counts_of(spline), strict=True)]


def is_closed(spline: Spline, axis: int) -> bool:
    """Whether the first and last control points along an axis coincide."""
    parts = [spline.control_points] + ([] if spline.weights is None else [spline.weights])
    return all(torch.equal(x.select(axis, 0), x.select(axis, -1)) for x in parts)
