"""B-spline curves and surfaces out of STEP files of any application protocol."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from nurbs_diff.files import _build, _contents, _step_units, _text
from nurbs_diff.files._step_syntax import Instance, Ref, instances

if TYPE_CHECKING:
    from nurbs_diff.files._contents import Contents, Spline

_KINDS = ("WITH_KNOTS", "BEZIER", "UNIFORM", "QUASI_UNIFORM")

_SIMPLE = frozenset(
    f"{before}{shape}{after}"
    for shape in ("CURVE", "SURFACE")
    for before, after in (("B_SPLINE_", "_WITH_KNOTS"), *((f"{kind}_", "") for kind in _KINDS[1:]))
)

# The records that make up a complex instance of a spline.
_PARTS = (
    _SIMPLE
    | {
        f"{before}{shape}"
        for shape in ("CURVE", "SURFACE")
        for before in ("", "BOUNDED_", "B_SPLINE_", "RATIONAL_B_SPLINE_")
    }
    | {"GEOMETRIC_REPRESENTATION_ITEM", "REPRESENTATION_ITEM"}
)

# What says who made a product and in which units, or lists shapes: leaving it aside loses no shape.
_FRAME = frozenset(
    {
        "APPLICATION_CONTEXT",
        "APPLICATION_PROTOCOL_DEFINITION",
        "AXIS2_PLACEMENT_3D",
        "CARTESIAN_POINT",
        "CONVERSION_BASED_UNIT",
        "DIMENSIONAL_EXPONENTS",
        "DIRECTION",
        "GEOMETRICALLY_BOUNDED_SURFACE_SHAPE_REPRESENTATION",
        "GEOMETRICALLY_BOUNDED_WIREFRAME_SHAPE_REPRESENTATION",
        "GEOMETRIC_CURVE_SET",
        "GEOMETRIC_REPRESENTATION_CONTEXT",
        "GEOMETRIC_SET",
        "LENGTH_MEASURE_WITH_UNIT",
        "LENGTH_UNIT",
        "MANIFOLD_SURFACE_SHAPE_REPRESENTATION",
        "PLANE_ANGLE_MEASURE_WITH_UNIT",
        "PLANE_ANGLE_UNIT",
        "PRODUCT",
        "PRODUCT_CATEGORY",
        "PRODUCT_CONTEXT",
        "PRODUCT_DEFINITION",
        "PRODUCT_DEFINITION_CONTEXT",
        "PRODUCT_DEFINITION_FORMATION",
        "PRODUCT_DEFINITION_SHAPE",
        "PRODUCT_RELATED_PRODUCT_CATEGORY",
        "SHAPE_DEFINITION_REPRESENTATION",
        "SHAPE_REPRESENTATION",
        "SHAPE_REPRESENTATION_RELATIONSHIP",
        "SOLID_ANGLE_UNIT",
        "UNCERTAINTY_MEASURE_WITH_UNIT",
    }
)


def read(data: bytes) -> Contents:
    """See `files.read`."""
    # The standard allows eight-bit characters in strings; nothing but numbers is taken from the file.
    found = instances(data.decode("latin-1"))
    unread: Counter[str] = Counter()
    splines: list[Spline] = []
    for instance in found.values():
        if instance.name in _FRAME:
            continue
        records = _records_of_spline(instance)
        if records is None:
            unread[instance.name or _complex_name(instance)] += 1
            continue
        spline = _spline(_Record(instance, records), found)
        unread.update(name for name in records if name not in _PARTS)
        if spline.control_points.shape[-1] == 3:
            splines.append(spline)
        else:  # a curve in the parameters of a surface, as trimmed faces have
            unread[f"B-spline curve in {spline.control_points.shape[-1]}-D"] += 1
    unread.pop("", None)
    return _contents.gathered(splines, unit=_step_units.length_unit(found), unread=unread)


def _records_of_spline(instance: Instance) -> dict[str, list[object]] | None:
    if instance.name:
        is_spline = instance.name in _SIMPLE
    else:
        is_spline = "B_SPLINE_CURVE" in instance.body.upper() or "B_SPLINE_SURFACE" in instance.body.upper()
    return instance.records() if is_spline else None


def _complex_name(instance: Instance) -> str:
    """Its first record that is no frame; empty where all are."""
    names = [
        name for name in instance.records() if name not in _FRAME and not name.endswith(("_UNIT", "_CONTEXT"))
    ]
    return names[0] if names else ""


@dataclass(frozen=True)
class _Record:
    """A spline's records, taken apart with one wording for what is wrong."""

    instance: Instance
    records: dict[str, list[object]]

    def fail(self, message: str) -> ValueError:
        return ValueError(f"{self.instance.where}: {message}")

    def items(self, value: object, what: str) -> list[object]:
        if not isinstance(value, list):
            raise self.fail(f"{what} must be a list (...); got {_text.shown(value)}. Repair the file.")
        return value

    def whole(self, value: object, what: str) -> int:
        if not isinstance(value, int):
            raise self.fail(f"{what} must be a whole number; got {_text.shown(value)}. Repair the file.")
        return value

    def numbers(self, value: object, what: str) -> list[float]:
        values = self.items(value, what)
        if not all(isinstance(x, (int, float)) for x in values):
            raise self.fail(f"{what} must be numbers. Repair the file.")
        return [float(x) for x in values if isinstance(x, (int, float))]


def _spline(record: _Record, found: dict[int, Instance]) -> Spline:
    is_surface = any("SURFACE" in name for name in record.records)
    shape, directions = ("SURFACE", 2) if is_surface else ("CURVE", 1)
    base, tail, kind, weights = _taken_apart(record, shape, directions)
    degrees = [record.whole(value, "the degree") for value in base[:directions]]
    rows = record.items(base[directions], "the control points")
    net = [record.items(row, "a row of control points") for row in rows] if is_surface else [rows]
    counts = [len(net), len(net[0]) if net else 0] if is_surface else [len(rows)]
    if any(len(row) != len(net[0]) for row in net):
        raise record.fail("the rows of control points have different lengths. Repair the file.")
    points = [_point(reference, record, found) for row in net for reference in row]
    flat = None
    if weights is not None:
        grid = record.items(weights, "the weights")
        parts = (
            [record.numbers(row, "the weights") for row in grid]
            if is_surface
            else [record.numbers(grid, "the weights")]
        )
        if is_surface and [len(part) for part in parts] != [counts[1]] * counts[0]:
            raise record.fail(f"the weights must stand in {counts[0]} rows of {counts[1]}. Repair the file.")
        flat = [w for part in parts for w in part]
    try:
        for degree, count in zip(degrees, counts, strict=True):
            if not 1 <= degree < count:  # before any knots are made from it
                raise ValueError(f"degree {degree} does not go with {count} control points in a direction.")
        if kind == "WITH_KNOTS":
            knots = [
                _repeated(record, tail[i], tail[directions + i], degrees[i] + counts[i] + 1)
                for i in range(directions)
            ]
        else:
            knots = [_implied(kind, degree, count) for degree, count in zip(degrees, counts, strict=True)]
        return _build.spline(degrees, counts, knots, points, flat)
    except ValueError as error:
        place = f"{record.instance.where}: "
        raise ValueError(f"{place}{str(error).removeprefix(place)}") from None


def _taken_apart(
    record: _Record, shape: str, directions: int
) -> tuple[list[object], list[object], str, object | None]:
    """Degrees and points; multiplicities and knots; how the knots are given; weights or None."""
    records = record.records
    names = {f"B_SPLINE_{shape}_WITH_KNOTS": "WITH_KNOTS"} | {f"{kind}_{shape}": kind for kind in _KINDS[1:]}
    name = next((name for name in names if name in records), None)
    if name is None:
        raise record.fail(f"nothing says how the knots are given. Expected one of {', '.join(names)}.")
    base_length = 2 * directions + 3  # degrees, points, form, closed or not, self-intersecting or not
    if len(records) == 1:
        base, tail = records[name][1 : 1 + base_length], records[name][1 + base_length :]
    else:
        base, tail = records.get(f"B_SPLINE_{shape}", []), records[name]
    if len(base) < base_length or (names[name] == "WITH_KNOTS" and len(tail) < 2 * directions):
        raise record.fail("parameters are missing. Repair the file.")
    rational = records.get(f"RATIONAL_B_SPLINE_{shape}")
    if rational is not None and len(rational) != 1:
        raise record.fail("RATIONAL_B_SPLINE must hold one list of weights. Repair the file.")
    return base, tail, names[name], None if rational is None else rational[0]


def _point(reference: object, record: _Record, found: dict[int, Instance]) -> list[float]:
    if not isinstance(reference, Ref):
        raise record.fail(f"a control point must be a reference #...; got {_text.shown(reference)}.")
    target = found.get(reference.number)
    if target is None or target.name != "CARTESIAN_POINT":
        name = "complex instance" if target is None or not target.name else _text.shown(target.name)
        got = "is missing" if target is None else f"is a {name}"
        raise record.fail(f"the control point #{reference.number} {got}. Repair the file.")
    place = _Record(target, target.records())
    values = place.records["CARTESIAN_POINT"]
    if len(values) != 2:
        raise place.fail("CARTESIAN_POINT must hold a name and coordinates. Repair the file.")
    return place.numbers(values[1], "coordinates")


def _repeated(record: _Record, multiplicities: object, values: object, total: int) -> list[float]:
    """Each knot as often as it counts, once the counts are known to be right."""
    times = [record.whole(x, "a multiplicity") for x in record.items(multiplicities, "multiplicities")]
    knots = record.numbers(values, "knots")
    if len(times) != len(knots):
        raise record.fail(f"there are {len(times)} multiplicities for {len(knots)} knots. Repair the file.")
    if any(x < 1 for x in times) or sum(times) != total:
        raise record.fail(
            f"the multiplicities must be positive and sum up to {total}, control points + degree + 1; got "
            f"{sum(times)}. Periodic ends must be written out."
        )
    return [knot for knot, count in zip(knots, times, strict=True) for _ in range(count)]


def _implied(kind: str, degree: int, count: int) -> list[float]:
    """Knots of the three kinds that name none (ISO 10303-42, 4.4.40 ff.)."""
    if kind == "UNIFORM":
        return [float(i - degree) for i in range(count + degree + 1)]
    every = degree if kind == "BEZIER" else 1
    spans, rest = divmod(count - 1, degree) if kind == "BEZIER" else (count - degree, 0)
    if rest:
        raise ValueError(f"{count} control points are no whole number of Bezier pieces of degree {degree}.")
    inner = [float(i) for i in range(1, spans) for _ in range(every)]
    return [0.0] * (degree + 1) + inner + [float(spans)] * (degree + 1)
