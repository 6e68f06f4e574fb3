"""Contours as SVG and GeoJSON."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import numpy as np

from implicit_seg.files import _atomic

if TYPE_CHECKING:
    import os
    from collections.abc import Sequence

    from implicit_seg._geometry.contours import Contour, Region


def write_svg(
    path: str | os.PathLike[str],
    regions: Sequence[Region],
    *,
    size: Sequence[int],
    spacing: Sequence[float] = (1.0, 1.0),
) -> None:
    """Writes regions as an SVG picture that fits over the image: one path for each, holes left out.

    Args:
        path: ends in .svg.
        regions: of `ImplicitSpline.regions`.
        size: rows and columns of the image.
        spacing: of the image; the picture's units are those of the regions.

    Raises:
        ValueError: another ending, or there is no such folder.
    """
    target = _atomic.target(path, [".svg"])
    (height, width), (row, column) = size, spacing
    view = f"{-column / 2:g} {-row / 2:g} {width * column:g} {height * row:g}"
    shapes = [
        f'<path id="region-{k}" fill-rule="evenodd" d="{" ".join(_path(loop) for loop in _loops(region))}"/>'
        for k, region in enumerate(regions)
    ]
    style = f'fill="orange" fill-opacity="0.3" stroke="orange" stroke-width="{min(row, column) / 2:g}"'
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="{view}" width="{width}" height="{height}">',
        f"<g {style}>",
        *shapes,
        "</g>",
        "</svg>",
    ]
    _atomic.write_bytes(target, ("\n".join(lines) + "\n").encode())


def write_geojson(path: str | os.PathLike[str], regions: Sequence[Region]) -> None:
    """Writes regions as polygons with holes: a FeatureCollection, by the right-hand rule of RFC 7946.

    Coordinates are (column, row) in units of the spacing, not longitude and latitude. Each feature carries
    the exact `area` and `perimeter` of its region and whether it `touches_border`.

    Args:
        path: ends in .geojson or .json.
        regions: of `ImplicitSpline.regions`.

    Raises:
        ValueError: another ending, or there is no such folder.
    """
    target = _atomic.target(path, [".geojson", ".json"])
    features = [
        {
            "type": "Feature",
            "id": k,
            "properties": {
                "area": region.area,
                "perimeter": region.perimeter,
                "touches_border": region.touches_border,
            },
            "geometry": {
                "type": "Polygon",
                "coordinates": [np.concatenate([p, p[:1]])[:, ::-1].tolist() for p in _points(region)],
            },
        }
        for k, region in enumerate(regions)
    ]
    _atomic.write_bytes(
        target, (json.dumps({"type": "FeatureCollection", "features": features}) + "\n").encode()
    )


def _loops(region: Region) -> list[Contour]:
    return [region.outline, *region.holes]


def _points(region: Region) -> list[np.ndarray]:
    # fewer than three points enclose nothing, and no reader takes them
    return [loop.points for loop in _loops(region) if len(loop.points) > 2]


def _path(loop: Contour) -> str:
    return "M" + " ".join(f"{column:.6g},{row:.6g}" for row, column in loop.points) + "Z"
