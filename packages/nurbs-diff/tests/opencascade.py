"""OpenCASCADE, the kernel of many CAD programs, as an independent reader and writer of STEP and IGES.

Its wheel is large and needs the system's libGL. So the everyday tests read files that it has written (in
`data/`, made by running this module), and the nox session `cad` lets it read ours.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
from OCP.BRep import BRep_Builder, BRep_Tool
from OCP.BRepBuilderAPI import BRepBuilderAPI_MakeEdge, BRepBuilderAPI_MakeFace
from OCP.BRepPrimAPI import BRepPrimAPI_MakeBox
from OCP.collections import Array1_double, Array1_gp_Pnt, Array1_int, Array2_double, Array2_gp_Pnt
from OCP.Geom import Geom_BSplineCurve, Geom_BSplineSurface
from OCP.gp import gp_Pnt
from OCP.IGESControl import IGESControl_Reader, IGESControl_Writer
from OCP.Interface import Interface_Static
from OCP.STEPControl import STEPControl_AsIs, STEPControl_Reader, STEPControl_Writer
from OCP.TopAbs import TopAbs_EDGE, TopAbs_FACE
from OCP.TopExp import TopExp_Explorer
from OCP.TopoDS import TopoDS, TopoDS_Compound
from torch import Tensor

from nurbs_diff import Curve, Surface

DATA = Path(__file__).parent / "data"
TOLERANCE = 1e-6
GRID = 7


def _array(kind: Any, values: list[Any]) -> Any:
    array = kind(1, len(values))
    for i, value in enumerate(values, 1):
        array.SetValue(i, value)
    return array


def _grid(kind: Any, rows: list[list[Any]]) -> Any:
    array = kind(1, len(rows), 1, len(rows[0]))
    for i, row in enumerate(rows, 1):
        for j, value in enumerate(row, 1):
            array.SetValue(i, j, value)
    return array


def _knots(knots: Tensor) -> tuple[Any, Any]:
    values, counts = torch.unique_consecutive(knots, return_counts=True)
    return _array(Array1_double, values.tolist()), _array(Array1_int, counts.tolist())


def made(spline: Curve | Surface) -> Any:
    """The spline as OpenCASCADE has it."""
    net, weights = spline.control_points, spline.weights
    if isinstance(spline, Curve):
        poles = _array(Array1_gp_Pnt, [gp_Pnt(*point) for point in net.tolist()])
        degree = len(spline.knots) - len(net) - 1
        knots, counts = _knots(spline.knots)
        if weights is None:
            return Geom_BSplineCurve(poles, knots, counts, degree)
        return Geom_BSplineCurve(poles, _array(Array1_double, weights.tolist()), knots, counts, degree)
    poles = _grid(Array2_gp_Pnt, [[gp_Pnt(*point) for point in row] for row in net.tolist()])
    degrees = [len(t) - n - 1 for t, n in zip((spline.knots_u, spline.knots_v), net.shape, strict=False)]
    (knots_u, counts_u), (knots_v, counts_v) = _knots(spline.knots_u), _knots(spline.knots_v)
    rest = (knots_u, knots_v, counts_u, counts_v, *degrees)
    if weights is None:
        return Geom_BSplineSurface(poles, *rest)
    return Geom_BSplineSurface(poles, _grid(Array2_double, weights.tolist()), *rest)


def _triple(point: Any) -> list[float]:
    return [point.X(), point.Y(), point.Z()]


def points_of(spline: Any, *parameters: Tensor) -> Tensor:
    """OpenCASCADE's evaluation at all combinations of the parameters."""
    combinations = torch.cartesian_prod(*parameters).reshape(-1, len(parameters))
    found = [_triple(spline.Value(*place)) for place in combinations.tolist()]
    return torch.tensor(found, dtype=torch.float64).reshape(*map(len, parameters), 3)


def read(path: Path) -> tuple[list[Any], list[Any]]:
    """The curves of the edges that bound no face, and the surfaces of the faces, in the order of the file."""
    reader = STEPControl_Reader() if path.suffix == ".step" else IGESControl_Reader()
    Interface_Static.SetIVal_s("read.iges.bspline.continuity", 0)  # or it splits curves at their kinks
    status = reader.ReadFile(str(path))
    assert status.name == "IFSelect_RetDone", status
    roots = reader.NbRootsForTransfer()
    assert roots > 0
    assert reader.TransferRoots() == roots
    shape = reader.OneShape()
    faces = _explored(TopExp_Explorer(shape, TopAbs_FACE))
    edges = _explored(TopExp_Explorer(shape, TopAbs_EDGE, TopAbs_FACE))
    curves = [BRep_Tool.Curve_s(TopoDS.Edge(edge), 0.0, 0.0) for edge in edges]
    surfaces = [BRep_Tool.Surface_s(TopoDS.Face(face)) for face in faces]
    return (
        [curve for curve in curves if isinstance(curve, Geom_BSplineCurve)],
        [surface for surface in surfaces if isinstance(surface, Geom_BSplineSurface)],
    )


def _explored(explorer: Any) -> list[Any]:
    found = []
    while explorer.More():
        found.append(explorer.Current())
        explorer.Next()
    return found


def write(path: Path, splines: list[Any]) -> None:
    """Faces and edges, and a box, whose planes and lines are no B-splines."""
    compound, builder = TopoDS_Compound(), BRep_Builder()
    builder.MakeCompound(compound)
    for spline in splines:
        is_surface = isinstance(spline, Geom_BSplineSurface)
        maker = BRepBuilderAPI_MakeFace(spline, TOLERANCE) if is_surface else BRepBuilderAPI_MakeEdge(spline)
        builder.Add(compound, maker.Shape())
    builder.Add(compound, BRepPrimAPI_MakeBox(1.0, 2.0, 3.0).Shape())
    if path.suffix == ".step":
        writer = STEPControl_Writer()
        writer.Transfer(compound, STEPControl_AsIs)
    else:
        writer = IGESControl_Writer("MM", 0)
        assert writer.AddShape(compound)
        writer.ComputeModel()
    writer.Write(str(path))


def main() -> None:
    """Writes `data/opencascade.step` and `.iges`, and in `.json` points of what it reads there itself.

    It writes 12 decimals in STEP and 9 in IGES; so its own reading is what another reader has to find.
    """
    from cad_cases import cad_splines, parameters

    DATA.mkdir(exist_ok=True)
    splines = cad_splines()
    expected = {}
    for ending in ("step", "iges"):
        path = DATA / f"opencascade.{ending}"
        write(path, [made(spline) for spline in splines])
        curves, surfaces = read(path)
        expected[ending] = [
            points_of(other, *parameters(spline, GRID)).tolist()
            for spline, other in zip(splines, [*curves, *surfaces], strict=True)
        ]
    (DATA / "opencascade.json").write_text(json.dumps(expected) + "\n")


if __name__ == "__main__":
    main()
