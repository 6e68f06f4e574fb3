"""IGES 5.3 files of B-spline curves (126) and surfaces (128)."""

from __future__ import annotations

from datetime import UTC, datetime
from itertools import pairwise
from typing import TYPE_CHECKING

import torch

from nurbs_diff._splines import Surface
from nurbs_diff.files import _units
from nurbs_diff.files._given import check_for_cad, counts_of, degrees_of, is_closed, knots_of
from nurbs_diff.files._text import shortest

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from nurbs_diff._splines import Curve
    from nurbs_diff.files._contents import Spline

_WIDTH = 64  # columns of a parameter line that hold parameters


def write(splines: Sequence[Spline], unit: str | None) -> bytes:
    """See `files.write`."""
    told = _units.check_unit("mm" if unit is None else unit)
    shapes = [check_for_cad(spline) for spline in splines]
    directory: list[str] = []
    parameters: list[str] = []
    for shape in shapes:
        sequence, first = len(directory) + 1, len(parameters) + 1
        kind = 128 if isinstance(shape, Surface) else 126
        lines = list(_filled(_parameters(kind, shape), _WIDTH, ",", ";"))
        parameters += [f"{line:<64}{sequence:>8}" for line in lines]
        directory.append(_fields(kind, first, 0, 0, 0, 0, 0, 0, "00000000"))
        directory.append(_fields(kind, 0, 0, len(lines), 0, "", "", "", 0))
    sections = {
        "S": ["B-spline curves and surfaces"],
        "G": list(_filled(_settings(told, shapes), 72, ",", ";")),
        "D": directory,
        "P": parameters,
    }
    sections["T"] = ["".join(f"{name}{len(lines):>7}" for name, lines in sections.items())]
    return "".join(
        f"{line:<72}{name}{number:>7}\n"
        for name, lines in sections.items()
        for number, line in enumerate(lines, 1)
    ).encode()


def _parameters(kind: int, shape: Curve | Surface) -> list[str]:
    counts, degrees, directions = counts_of(shape), degrees_of(shape), len(counts_of(shape))
    weights = torch.ones(*counts, dtype=torch.float64) if shape.weights is None else shape.weights
    flags = [int(is_closed(shape, axis)) for axis in range(directions)]
    if directions == 1:
        flags.insert(0, int(_is_planar(shape)))
    flags += [int(shape.weights is None), *([0] * directions)]  # polynomial; not periodic
    whole = [kind, *(n - 1 for n in counts), *degrees, *flags]
    ends = [x for t, p in zip(knots_of(shape).values(), degrees, strict=True) for x in (t[p], t[-p - 1])]
    points = shape.control_points
    if directions == 2:  # the first index runs fastest
        weights, points = weights.mT, points.transpose(0, 1)
    real = torch.cat([*knots_of(shape).values(), weights.reshape(-1), points.reshape(-1), torch.stack(ends)])
    words = [*map(str, whole), *(shortest(value, "D") for value in real.tolist())]
    if directions == 1:
        words += ["0.", "0.", "1."]  # the normal, which counts where the curve is planar
    return words


def _is_planar(shape: Curve | Surface) -> bool:
    """Whether it lies in a plane z = constant, whose normal is (0, 0, 1)."""
    z = shape.control_points[..., 2]
    return bool((z == z[0]).all())


def _settings(unit: _units.Unit, shapes: Sequence[Spline]) -> list[str]:
    largest = max(float(shape.control_points.abs().max()) for shape in shapes)
    time = datetime.now(UTC).strftime("%Y%m%d.%H%M%S")
    name = "nurbs-diff"
    return [
        *(_string(word) for word in (",", ";", name, name, name, name)),
        "32", "308", "15", "308", "15",  # bits of an integer; powers and digits of reals
        _string(name), "1.", str(unit.iges[0]), _string(unit.iges[1]), "1", "0.01", _string(time),
        "1.D-7", shortest(largest, "D"),  # resolution and size
        _string(name), _string(name), "11", "0", _string(time),
    ]  # fmt: skip


def _string(word: str) -> str:
    return f"{len(word)}H{word}"


def _fields(*fields: int | str) -> str:
    return "".join(f"{field:>8}" for field in fields)


def _filled(words: Sequence[str], width: int, separator: str, end: str) -> Iterator[str]:
    """Lines of whole words."""
    line = ""
    for word in _marked(words, separator, end):
        if len(line) + len(word) > width:
            yield line
            line = ""
        line += word
    yield line


def _marked(words: Sequence[str], separator: str, end: str) -> Iterable[str]:
    yield from (word + separator for word, _ in pairwise(words))
    yield words[-1] + end
