"""geomdl's surface mesh: one surface in plain text.

The dimension, two degrees, two counts, two knot vectors, then a line `x y z weight` for each control point, u
fastest; at the end a lone 1.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from nurbs_diff._splines import Surface
from nurbs_diff.files import _build, _contents, _text
from nurbs_diff.files._given import degrees_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from nurbs_diff.files._contents import Contents, Spline


def read(data: bytes) -> Contents:
    """See `files.read`. Weights that are all 1 make a polynomial surface: the format has no other way."""
    lines = _text.decoded(data).splitlines()
    while lines and not lines[-1].strip():
        lines.pop()
    if len(lines) < 6:
        raise ValueError(f"it ends after line {len(lines)}; a surface mesh has five lines before its points.")
    if _text.integer(lines[0], "line 1") != 3:
        raise ValueError(f"line 1: the dimension must be 3; got {_text.shown(lines[0])}.")
    p, q = _pair(lines[1], "line 2: degrees")
    n_u, n_v = _pair(lines[2], "line 3: counts")
    knots = [
        [_text.real(word, f"line {4 + i}, knot {j}") for j, word in enumerate(line.split())]
        for i, line in enumerate(lines[3:5])
    ]
    rows = lines[5:]
    if len(rows) == n_u * n_v + 1 and rows[-1].strip() in ("0", "1"):
        rows.pop()  # open or closed, which geomdl does not read either
    if len(rows) != n_u * n_v:
        raise ValueError(
            f"line 3 announces {n_u} x {n_v} control points; {len(rows)} lines follow. It may end early; "
            "fetch it again."
        )
    values: list[list[float]] = []
    for number, row in enumerate(rows, 6):
        words = row.split()
        if len(words) != 4:
            raise ValueError(
                f"line {number}: x, y, z and the weight must stand there; got {_text.shown(row)}."
            )
        values.append([_text.real(word, f"line {number}") for word in words])
    ordered = [values[j * n_u + i] for i in range(n_u) for j in range(n_v)]
    weights = [row[3] for row in ordered]
    is_rational = any(w != 1 for w in weights)
    surface = _build.spline(
        [p, q], [n_u, n_v], knots, [row[:3] for row in ordered], weights if is_rational else None
    )
    return _contents.gathered([surface], unit=None, unread={})


def _pair(line: str, where: str) -> tuple[int, int]:
    words = line.split()
    if len(words) != 2:
        raise ValueError(f"{where}: two whole numbers must stand there; got {_text.shown(line)}.")
    first, second = (_text.integer(word, where) for word in words)
    if first < 1 or second < 1:
        raise ValueError(f"{where} must be at least 1; got {first} and {second}.")
    return first, second


def write(splines: Sequence[Spline], unit: str | None) -> bytes:
    """See `files.write`."""
    if unit is not None:
        raise ValueError("a surface mesh says nothing of units. Leave `unit` out, or write a .step or .iges.")
    (surface, *others) = splines
    if others or not isinstance(surface, Surface) or surface.control_points.shape[-1] != 3:
        raise ValueError("a surface mesh holds one surface in space. Write several, or others, to a .json.")
    weights = surface.weights
    if weights is None:
        weights = torch.ones(surface.control_points.shape[:2], dtype=torch.float64)
    rows = torch.cat([surface.control_points, weights[..., None]], -1).transpose(0, 1).reshape(-1, 4)
    knots = [surface.knots_u.tolist(), surface.knots_v.tolist()]
    lines = [[3], degrees_of(surface), list(surface.control_points.shape[:2]), *knots, *rows.tolist(), [1]]
    return "".join(" ".join(map(repr, line)) + "\n" for line in lines).encode()
