"""STEP and IGES between this package and OpenCASCADE, point by point."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from cad_cases import cad_splines, parameters
from torch import Tensor

from nurbs_diff import Curve, Surface, evaluate_curve, evaluate_surface
from nurbs_diff.files import read, write

DATA = Path(__file__).parent / "data"
EPS = torch.finfo(torch.float64).eps


def points(spline: Curve | Surface, *at: Tensor) -> Tensor:
    if isinstance(spline, Curve):
        return evaluate_curve(spline.control_points, spline.knots, *at, weights=spline.weights)
    return evaluate_surface(*spline[:3], *at, weights=spline.weights)


def distance(found: Tensor, wanted: Tensor) -> float:
    """Relative to the size of the shape."""
    return float((found - wanted).abs().max() / wanted.abs().max())


@pytest.mark.parametrize("ending", ["step", "iges"])
def test_what_opencascade_has_written(ending: str) -> None:
    contents = read(DATA / f"opencascade.{ending}")
    expected = json.loads((DATA / "opencascade.json").read_text())[ending]
    splines = cad_splines()
    assert contents.unit == "mm"
    assert len(contents.surfaces) == sum(isinstance(spline, Surface) for spline in splines)
    for spline, values in zip(splines, expected, strict=True):
        wanted = torch.tensor(values, dtype=torch.float64)
        alike = [
            other
            for other in contents.splines
            if other.control_points.shape == spline.control_points.shape and len(other[1]) == len(spline[1])
        ]
        at = parameters(spline, wanted.shape[0])
        best = min(distance(points(other, *at), wanted) for other in alike)
        assert best < 16 * EPS
    aside = {"step": {"PLANE": 6, "LINE": 52}, "iges": {"110 line": 24}}
    assert aside[ending].items() <= contents.unread.items()


@pytest.mark.parametrize("ending", ["step", "iges"])
@pytest.mark.parametrize(("unit", "millimetres"), [("mm", 1.0), ("inch", 25.4), ("m", 1000.0)])
def test_opencascade_reads_what_is_written_here(
    ending: str, unit: str, millimetres: float, tmp_path: Path
) -> None:
    pytest.importorskip("OCP", reason="the oracle is not installed; `nox -s cad` brings it")
    import opencascade

    splines = cad_splines(seed=8)
    write(tmp_path / f"a.{ending}", *splines, unit=unit)
    curves, surfaces = opencascade.read(tmp_path / f"a.{ending}")
    assert len(curves) + len(surfaces) == len(splines)
    for spline, other in zip(splines, [*curves, *surfaces], strict=True):
        at = parameters(spline, 25)
        found = opencascade.points_of(other, *at) / millimetres
        assert distance(found, points(spline, *at)) < 16 * EPS
