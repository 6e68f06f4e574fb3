"""B-spline curves (126) and surfaces (128) out of IGES files, in place by their matrices (124)."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import torch

from nurbs_diff.files import _build, _contents, _text, _units
from nurbs_diff.files._iges_syntax import Entity, File, taken_apart

if TYPE_CHECKING:
    from nurbs_diff.files._contents import Contents, Spline

NAMES = {
    100: "circular arc", 102: "composite curve", 104: "conic arc", 106: "copious data", 108: "plane",
    110: "line", 112: "parametric spline curve", 114: "parametric spline surface", 116: "point",
    118: "ruled surface", 120: "surface of revolution", 122: "tabulated cylinder", 130: "offset curve",
    140: "offset surface", 141: "boundary", 142: "curve on a surface", 143: "bounded surface",
    144: "trimmed surface", 186: "solid", 308: "subfigure definition", 314: "colour",
    402: "associativity", 406: "property", 408: "subfigure", 502: "vertices", 504: "edges", 508: "loop",
    510: "face", 514: "shell",
}  # fmt: skip
_IN_PARAMETERS = 5


def read(data: bytes) -> Contents:
    """See `files.read`."""
    file = taken_apart(data.decode("latin-1"))
    unit = _unit(file)
    unread: Counter[str] = Counter()
    splines: list[Spline] = []
    for entity in file.entities.values():
        if entity.type not in (124, 126, 128):
            unread[f"{entity.type} {NAMES.get(entity.type, 'entity')}"] += 1
        elif entity.use == _IN_PARAMETERS and entity.type != 124:
            unread[f"{entity.type} in the parameters of a surface"] += 1
        elif entity.type != 124:
            try:
                spline, is_cut = _spline(entity, file.values(entity))
                splines.append(_placed(spline, entity, file))
            except ValueError as error:
                place = f"{entity.where}: "
                message = str(error)
                raise ValueError(message if message.startswith("entity ") else place + message) from None
            if is_cut:
                unread[f"{entity.type}: an end of its domain"] += 1
    return _contents.gathered(splines, unit=unit, unread=unread)


def _unit(file: File) -> str | None:
    def setting(i: int) -> str:  # counted from 1, as in the standard
        return file.settings[i - 1] if i <= len(file.settings) else ""

    scale = _number(setting(13) or "1", "the model space scale")
    if scale != 1:
        raise ValueError(f"the model space scale is {scale:g}; only 1 is read. Save it at full size.")
    flag = _text.integer(setting(14) or "1", "the unit flag")
    for name, unit in _units.UNITS.items():
        if unit.iges[0] == flag or (flag == 3 and unit.iges[1] == setting(15).upper()):
            return name
    return setting(15) or None


def _spline(entity: Entity, words: list[str]) -> tuple[Spline, bool]:
    """The spline, and whether the entity is less than its whole domain."""
    directions = 1 if entity.type == 126 else 2
    head = 6 if directions == 1 else 9
    if len(words) < head:
        raise ValueError(f"{head} whole numbers must come first; there are {len(words)} parameters.")
    numbers = [_text.integer(word or "0", f"parameter {i}") for i, word in enumerate(words[:head], 1)]
    counts = [last + 1 for last in numbers[:directions]]
    degrees = numbers[directions : 2 * directions]
    is_polynomial = numbers[4 if directions == 1 else 6] == 1
    for count, degree in zip(counts, degrees, strict=True):
        if not 1 <= degree < count:
            raise ValueError(f"degree {degree} does not go with {count} control points in a direction.")
    total = counts[0] * (counts[1] if directions == 2 else 1)
    knot_counts = [count + degree + 1 for count, degree in zip(counts, degrees, strict=True)]
    needed = head + sum(knot_counts) + 4 * total + 2 * directions
    if len(words) < needed:
        raise ValueError(
            f"{' x '.join(map(str, counts))} control points need {needed} parameters; there are {len(words)}."
        )
    values = [_number(word or "0", f"parameter {i}") for i, word in enumerate(words[head:needed], head + 1)]
    knots: list[list[float]] = []
    for count in knot_counts:
        knots.append(values[:count])
        values = values[count:]
    weights, coordinates, ends = values[:total], values[total : 4 * total], values[4 * total :]
    points = [coordinates[3 * i : 3 * i + 3] for i in range(total)]
    if directions == 2:  # the first index runs fastest in the file
        order = [j * counts[0] + i for i in range(counts[0]) for j in range(counts[1])]
        weights, points = [weights[k] for k in order], [points[k] for k in order]
    is_plain = is_polynomial and len(set(weights)) == 1 and weights[0] > 0
    spline = _build.spline(degrees, counts, knots, points, None if is_plain else weights)
    domains = [(t[p], t[-p - 1]) for t, p in zip(knots, degrees, strict=True)]
    is_cut = any(
        low > domain[0] or high < domain[1]
        for domain, low, high in zip(domains, ends[::2], ends[1::2], strict=True)
    )
    return spline, is_cut


def _placed(spline: Spline, entity: Entity, file: File) -> Spline:
    """The spline moved by its matrix, and by the matrix of that matrix."""
    seen: set[int] = set()
    pointer = entity.transform
    points = spline.control_points
    while pointer:
        matrix = file.entities.get(pointer)
        if matrix is None or matrix.type != 124 or pointer in seen:
            raise ValueError(f"D{pointer} is no transformation matrix (124) for it. Repair the file.")
        seen.add(pointer)
        words = file.values(matrix)
        if len(words) < 12:
            raise ValueError(f"{matrix.where}: 12 numbers must stand there; there are {len(words)}.")
        values = [
            _number(word or "0", f"{matrix.where}, parameter {i}") for i, word in enumerate(words[:12], 1)
        ]
        rows = torch.tensor(values, dtype=torch.float64).reshape(3, 4)
        points = points @ rows[:, :3].mT + rows[:, 3]
        pointer = matrix.transform
    if not bool(torch.isfinite(points).all()):
        raise ValueError("its transformation matrix moves it to infinity. Repair the file.")
    return spline._replace(control_points=points)


def _number(word: str, where: str) -> float:
    return _text.real(word.upper().replace("D", "E"), where)
