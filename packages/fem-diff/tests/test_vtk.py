"""Files for ParaView, read back by VTK itself."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import vtk
from vtk.util.numpy_support import vtk_to_numpy

from fem_diff import BoxMesh, Field, LagrangeSpace, write_vtk

GRADED = BoxMesh.graded([0.0, 0.1, 1.0], [-1.0, 0.5, 2.0, 2.5])
CASES = [
    (".vti", BoxMesh((3,), ((1.0, 2.0),))),
    (".vti", BoxMesh((3, 2), ((1.0, 2.0), (-1.0, 3.0)))),
    (".vti", BoxMesh((2, 3, 1), periodic=(False, True, False))),
    (".vtr", GRADED),
    (".vtr", BoxMesh((2, 1, 3), periodic=(True, False, True))),
]


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize(("ending", "mesh"), CASES)
def test_vtk_reads_what_was_written(ending, mesh, dtype, generator, tmp_path):
    space = LagrangeSpace(mesh, 2)
    field = Field(space, torch.randn(space.node_shape, generator=generator, dtype=dtype))
    path = tmp_path / f"field{ending}"
    write_vtk(path, field, name="a & <b>")
    reader = vtk.vtkXMLImageDataReader() if ending == ".vti" else vtk.vtkXMLRectilinearGridReader()
    reader.SetFileName(str(path))
    reader.Update()
    grid = reader.GetOutput()
    found = vtk_to_numpy(grid.GetPointData().GetArray("a & <b>"))
    points = np.array([grid.GetPoint(k) for k in range(grid.GetNumberOfPoints())])[:, : mesh.ndim]
    # a periodic direction closes with the values of its beginning, which its end has too
    np.testing.assert_allclose(found, field.evaluate(torch.from_numpy(points).to(dtype)), atol=1e-5)
    corner = [ends[1] for ends in mesh.bounds]
    np.testing.assert_allclose(points[-1], corner)
    assert [entry.name for entry in tmp_path.iterdir()] == [path.name]


def test_what_cannot_be_written(tmp_path):
    space = LagrangeSpace(GRADED, 1)
    field = Field(space, torch.zeros(space.node_shape))
    with pytest.raises(
        ValueError, match=r"`path` must end in .vti or .vtr for a LagrangeSpace; got 'field.vtu'"
    ):
        write_vtk(tmp_path / "field.vtu", field)
    with pytest.raises(ValueError, match=r"holds equal cells; the mesh is graded. Use .vtr"):
        write_vtk(tmp_path / "field.vti", field)
    with pytest.raises(ValueError, match=r"takes one sample; `u` has batch axes \(2,\)"):
        write_vtk(tmp_path / "field.vtr", Field(space, torch.zeros(2, *space.node_shape)))
    assert not list(tmp_path.iterdir())
    (tmp_path / "taken.vtr").mkdir()
    with pytest.raises(OSError, match="taken"):
        write_vtk(tmp_path / "taken.vtr", field)
    assert [entry.name for entry in tmp_path.iterdir()] == ["taken.vtr"]
