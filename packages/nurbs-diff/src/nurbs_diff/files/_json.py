"""geomdl's exchange format in JSON: one kind of spline a file, points plain, v fastest, then u, then w."""

from __future__ import annotations

import json
import sys
from collections import Counter
from typing import TYPE_CHECKING, Any, NoReturn

from nurbs_diff._splines import Curve, Surface
from nurbs_diff.files import _build, _contents, _text
from nurbs_diff.files._given import counts_of, degrees_of, knots_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from nurbs_diff.files._contents import Contents, Spline

_AXES = {"curve": 1, "surface": 2, "volume": 3}
_KNOWN = {"type", "rational", "dimension", "control_points", "delta", "name", "id", "sample_size"}


def read(data: bytes) -> Contents:
    """See `files.read`."""
    text = _text.decoded(data)
    try:
        content = json.loads(text, parse_constant=_refused, parse_int=_int)
    except RecursionError:
        raise ValueError("its brackets are nested too deeply for a spline. Repair it.") from None
    except json.JSONDecodeError as error:
        raise ValueError(
            f"line {error.lineno}, column {error.colno}: this is no JSON ({error.msg}). It may end early; "
            "fetch it again."
        ) from None
    shape = _field(_object(content, "the file"), "shape", "the file")
    shape = _object(shape, "shape")
    kind = _field(shape, "type", "shape")
    if not isinstance(kind, str) or kind not in _AXES:
        raise ValueError(f"shape.type must be one of {', '.join(_AXES)}; got {_text.shown(kind)}.")
    entries = _list(_field(shape, "data", "shape"), "shape.data")
    if "count" in shape and shape["count"] != len(entries):
        raise ValueError(
            f"shape.count is {_text.shown(shape['count'])}, but there are {len(entries)} in data."
        )
    unread: Counter[str] = Counter()
    splines: list[Spline] = []
    for i, entry in enumerate(entries):
        where = f"shape.data[{i}]"
        entry = _object(entry, where)
        if entry.get("type", "spline") != "spline":
            unread[str(_text.shown(entry["type"])).strip("'")] += 1
            continue
        try:
            splines.append(_spline(entry, _AXES[kind], where, unread))
        except ValueError as error:
            raise ValueError(f"{error}" if str(error).startswith(where) else f"{where}: {error}") from None
    return _contents.gathered(splines, unit=None, unread=unread)


def _spline(entry: dict[str, Any], directions: int, where: str, unread: Counter[str]) -> Spline:
    ends = [""] if directions == 1 else [f"_{axis}" for axis in "uvw"[:directions]]
    degrees = [_whole(entry, f"degree{end}", where) for end in ends]
    knots = [_numbers(_field(entry, f"knotvector{end}", where), f"{where}.knotvector{end}") for end in ends]
    net = _object(_field(entry, "control_points", where), f"{where}.control_points")
    place = f"{where}.control_points.points"
    rows = _list(_field(net, "points", f"{where}.control_points"), place)
    points = [_numbers(row, f"{place}[{i}]") for i, row in enumerate(rows)]
    counts = [len(points)] if directions == 1 else [_whole(entry, f"size{end}", where) for end in ends]
    if "dimension" in entry and points and entry["dimension"] != len(points[0]):
        raise ValueError(
            f"{where}.dimension is {_text.shown(entry['dimension'])}, but {place}[0] has {len(points[0])} "
            "coordinates."
        )
    weights = None
    if net.get("weights") is not None:
        weights = _numbers(net["weights"], f"{where}.control_points.weights")
    expected = {f"{name}{end}" for name in ("degree", "knotvector", "size") for end in ends}
    unread.update(key for key in entry if key not in _KNOWN | expected)
    if directions == 3 and len(points) == counts[0] * counts[1] * counts[2]:
        n_u, n_v, n_w = counts  # in the file v runs fastest, then u, then w
        at = [(k * n_u + i) * n_v + j for i in range(n_u) for j in range(n_v) for k in range(n_w)]
        points = [points[i] for i in at]
        weights = weights if weights is None or len(weights) != len(at) else [weights[i] for i in at]
    return _build.spline(degrees, counts, knots, points, weights)


def write(splines: Sequence[Spline], unit: str | None) -> bytes:
    """See `files.write`."""
    if unit is not None:
        raise ValueError("geomdl's JSON says nothing of units. Leave `unit` out, or write a .step or .iges.")
    kinds = sorted({type(spline).__name__.lower() for spline in splines})
    if len(kinds) > 1:
        raise ValueError(
            f"geomdl's JSON holds one kind of spline a file; got {', '.join(kinds)}. Write one file each."
        )
    entries = [_entry(spline) for spline in splines]
    content = {"shape": {"type": kinds[0], "count": len(entries), "data": entries}}
    return (json.dumps(content, indent=1, allow_nan=False) + "\n").encode()


def _entry(spline: Spline) -> dict[str, Any]:
    net, weights = spline.control_points, spline.weights
    if not isinstance(spline, (Curve, Surface)):
        net = net.permute(2, 0, 1, 3)
        weights = None if weights is None else weights.permute(2, 0, 1)
    entry: dict[str, Any] = {"type": "spline", "rational": weights is not None, "dimension": net.shape[-1]}
    for name, degree, count in zip(knots_of(spline), degrees_of(spline), counts_of(spline), strict=True):
        end = name.removeprefix("knots")
        entry[f"degree{end}"] = degree
        if end:
            entry[f"size{end}"] = count
    for name, t in knots_of(spline).items():
        entry[f"knotvector{name.removeprefix('knots')}"] = t.tolist()
    entry["control_points"] = {"points": net.reshape(-1, net.shape[-1]).tolist()}
    if weights is not None:
        entry["control_points"]["weights"] = weights.reshape(-1).tolist()
    return entry


def _refused(word: str) -> NoReturn:
    raise ValueError(f"{word} stands in it, where a finite number must. Repair it.")


def _int(word: str) -> int | float:
    return int(word) if len(word) < 16 else float(word)  # Python refuses to convert thousands of digits


def _object(value: Any, where: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise ValueError(f"{where} must be an object {{...}}; got {_text.shown(value)}. Is it geomdl's JSON?")
    return value


def _list(value: Any, where: str) -> list[Any]:
    if not isinstance(value, list):
        raise ValueError(f"{where} must be a list [...]; got {_text.shown(value)}.")
    return value


def _field(entry: dict[str, Any], name: str, where: str) -> Any:
    if name not in entry:
        raise ValueError(f"{where} has no {name!r}. Is it geomdl's JSON?")
    return entry[name]


def _whole(entry: dict[str, Any], name: str, where: str) -> int:
    value = _field(entry, name, where)
    if isinstance(value, bool) or not isinstance(value, int):
        raise ValueError(f"{where}.{name} must be a whole number; got {_text.shown(value)}.")
    return value


def _numbers(value: Any, where: str) -> list[float]:
    values = _list(value, where)
    for i, x in enumerate(values):
        if isinstance(x, bool) or not isinstance(x, (int, float)) or abs(x) > sys.float_info.max:
            raise ValueError(f"{where}[{i}] must be a finite number; got {_text.shown(x)}. Repair it.")
    return [float(x) for x in values]
