"""STEP files that CAD programs open: AP214, one product whose shape is a set of curves and surfaces."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import torch

from nurbs_diff._splines import Surface
from nurbs_diff.files import _units
from nurbs_diff.files._given import check_for_cad, counts_of, degrees_of, is_closed, knots_of
from nurbs_diff.files._text import shortest

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from torch import Tensor

    from nurbs_diff.files._contents import Spline

_HEADER = """\
ISO-10303-21;
HEADER;
FILE_DESCRIPTION(('B-spline curves and surfaces'),'2;1');
FILE_NAME('','{time}',(''),(''),'nurbs-diff','nurbs-diff','');
FILE_SCHEMA(('AUTOMOTIVE_DESIGN {{ 1 0 10303 214 1 1 1 1 }}'));
ENDSEC;
DATA;
"""


class _Data:
    """The instances of the data section, numbered as they come."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def add(self, text: str) -> str:
        """The reference to a new instance."""
        self.lines.append(f"#{len(self.lines) + 1}={text};")
        return f"#{len(self.lines)}"


def write(splines: Sequence[Spline], unit: str | None) -> bytes:
    """See `files.write`."""
    data = _Data()
    length = _length_unit(data, _units.check_unit("mm" if unit is None else unit))
    shapes = [_spline(data, check_for_cad(spline)) for spline in splines]
    has_surface = any(isinstance(spline, Surface) for spline in splines)
    _product(data, shapes, length, "SURFACE" if has_surface else "WIREFRAME")
    time = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S")
    body = "\n".join(data.lines)
    return f"{_HEADER.format(time=time)}{body}\nENDSEC;\nEND-ISO-10303-21;\n".encode()


def _length_unit(data: _Data, unit: _units.Unit) -> str:
    if unit.step == "$" or unit.step.startswith("."):
        return data.add(f"(LENGTH_UNIT()NAMED_UNIT(*)SI_UNIT({unit.step},.METRE.))")
    millimetre = data.add("(LENGTH_UNIT()NAMED_UNIT(*)SI_UNIT(.MILLI.,.METRE.))")
    factor = shortest(round(unit.metres * 1000, 10), "E")
    measure = data.add(f"LENGTH_MEASURE_WITH_UNIT(LENGTH_MEASURE({factor}),{millimetre})")
    exponents = data.add("DIMENSIONAL_EXPONENTS(1.,0.,0.,0.,0.,0.,0.)")
    return data.add(f"(CONVERSION_BASED_UNIT('{unit.step}',{measure})LENGTH_UNIT()NAMED_UNIT({exponents}))")


def _product(data: _Data, shapes: list[str], length: str, kind: str) -> None:
    """The frame that makes shapes a product in a unit, as the application protocol asks."""
    angle = data.add("(NAMED_UNIT(*)PLANE_ANGLE_UNIT()SI_UNIT($,.RADIAN.))")
    solid = data.add("(NAMED_UNIT(*)SI_UNIT($,.STERADIAN.)SOLID_ANGLE_UNIT())")
    uncertainty = data.add(
        f"UNCERTAINTY_MEASURE_WITH_UNIT(LENGTH_MEASURE(1.E-07),{length},'distance_accuracy_value',"
        f"'confusion accuracy')"
    )
    context = data.add(
        f"(GEOMETRIC_REPRESENTATION_CONTEXT(3)GLOBAL_UNCERTAINTY_ASSIGNED_CONTEXT(({uncertainty}))"
        f"GLOBAL_UNIT_ASSIGNED_CONTEXT(({length},{angle},{solid}))REPRESENTATION_CONTEXT('','3D'))"
    )
    name = "GEOMETRIC_SET" if kind == "SURFACE" else "GEOMETRIC_CURVE_SET"
    items = data.add(f"{name}('',({','.join(shapes)}))")
    shape = data.add(f"GEOMETRICALLY_BOUNDED_{kind}_SHAPE_REPRESENTATION('',({items}),{context})")
    application = data.add("APPLICATION_CONTEXT('core data for automotive mechanical design processes')")
    data.add(
        f"APPLICATION_PROTOCOL_DEFINITION('international standard','automotive_design',2000,{application})"
    )
    product_context = data.add(f"PRODUCT_CONTEXT('',{application},'mechanical')")
    product = data.add(f"PRODUCT('splines','splines','',({product_context}))")
    data.add(f"PRODUCT_RELATED_PRODUCT_CATEGORY('part','',({product}))")
    formation = data.add(f"PRODUCT_DEFINITION_FORMATION('','',{product})")
    design = data.add(f"PRODUCT_DEFINITION_CONTEXT('part definition',{application},'design')")
    definition = data.add(f"PRODUCT_DEFINITION('design','',{formation},{design})")
    of_shape = data.add(f"PRODUCT_DEFINITION_SHAPE('','',{definition})")
    data.add(f"SHAPE_DEFINITION_REPRESENTATION({of_shape},{shape})")


def _spline(data: _Data, spline: Spline) -> str:
    shape = "SURFACE" if isinstance(spline, Surface) else "CURVE"
    directions = len(counts_of(spline))
    rows = spline.control_points.reshape(-1, 3).tolist()
    points = [data.add(f"CARTESIAN_POINT('',{_tuple(_reals(row))})") for row in rows]
    if directions == 2:
        n_v = counts_of(spline)[1]
        points = [_tuple(points[i : i + n_v]) for i in range(0, len(points), n_v)]
    degrees = ",".join(map(str, degrees_of(spline)))
    closed = ",".join(".T." if is_closed(spline, axis) else ".F." for axis in range(directions))
    base = f"{degrees},{_tuple(points)},.UNSPECIFIED.,{closed},.U."
    parts = [torch.unique_consecutive(t, return_counts=True) for t in knots_of(spline).values()]
    times = ",".join(_tuple(map(str, counts.tolist())) for _, counts in parts)
    knots = ",".join(_tuple(_reals(values.tolist())) for values, _ in parts)
    with_knots = f"{times},{knots},.UNSPECIFIED."
    if spline.weights is None:
        return data.add(f"B_SPLINE_{shape}_WITH_KNOTS('',{base},{with_knots})")
    # Records of a complex instance stand in alphabetical order.
    return data.add(
        f"(BOUNDED_{shape}()B_SPLINE_{shape}({base})B_SPLINE_{shape}_WITH_KNOTS({with_knots})"
        + ("CURVE()" if shape == "CURVE" else "")
        + f"GEOMETRIC_REPRESENTATION_ITEM()RATIONAL_B_SPLINE_{shape}({_weights(spline.weights)})"
        + "REPRESENTATION_ITEM('')"
        + ("SURFACE()" if shape == "SURFACE" else "")
        + ")"
    )


def _weights(weights: Tensor) -> str:
    if weights.ndim == 1:
        return _tuple(_reals(weights.tolist()))
    return _tuple(_tuple(_reals(row)) for row in weights.tolist())


def _reals(values: Iterable[float]) -> Iterable[str]:
    return (shortest(value, "E") for value in values)


def _tuple(words: Iterable[str]) -> str:
    return f"({','.join(words)})"
