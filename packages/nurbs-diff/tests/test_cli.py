"""The command `nurbs`, as it is called."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from cad_cases import cad_splines

from nurbs_diff import (
    Curve,
    TriangleMesh,
    __main__,
    fit_cloud,
    fit_surface,
    tessellate_surface,
    uniform_knots,
)
from nurbs_diff._command.main import main
from nurbs_diff.files import read, read_points, write

DATA = Path(__file__).parent / "data"


@pytest.fixture
def grid(tmp_path: Path) -> Path:
    x, y = np.meshgrid(np.linspace(-1, 1, 20), np.linspace(-1, 1, 16), indexing="ij")
    np.save(tmp_path / "grid.npy", np.stack([x, y, np.sin(2 * x) * y], -1))
    return tmp_path / "grid.npy"


def test_a_grid_is_fitted_and_written(grid: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = grid.with_name("surface.step")
    words = ["fit", str(grid), "--size", "6x5", "--degree", "2", "--unit", "inch"]
    assert main([*words, "--out", str(out)]) == 0
    contents = read(out)
    wanted = fit_surface(torch.from_numpy(np.load(grid)), 2, (6, 5))
    assert contents.unit == "inch"
    assert torch.equal(contents.surfaces[0].control_points, wanted.control_points)
    said = capsys.readouterr().out
    assert f"rms={wanted.rms:.4g}" in said
    assert "surface.step: 1 surface" in said
    assert sorted(p.name for p in grid.parent.iterdir()) == ["grid.npy", "surface.step"]
    free = grid.with_name("free.json")
    assert (
        main(["fit", str(grid), "--size", "3x2", "--degree", "1", "--knots", "free", "--out", str(free)]) == 0
    )
    uniform = fit_surface(torch.from_numpy(np.load(grid)), 1, (3, 2))
    assert not torch.equal(read(free).surfaces[0].knots_u, uniform.knots_u)


def test_contents_are_listed(tmp_path: Path, grid: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["info", str(DATA / "opencascade.iges")]) == 0
    said = capsys.readouterr().out
    assert "surfaces in mm; not read: 102 composite curve 6" in said
    assert "5 x 4" in said
    assert main(["info", str(grid)]) == 0
    assert "20 x 16 points from (-1, -1, " in capsys.readouterr().out


def test_splines_are_converted_with_their_unit(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    splines = cad_splines()
    write(tmp_path / "a.step", *splines, unit="inch")
    assert main(["convert", str(tmp_path / "a.step"), str(tmp_path / "a.iges")]) == 0
    assert "7 of 7 splines" in capsys.readouterr().out
    assert read(tmp_path / "a.iges").unit == "inch"
    words = ["convert", str(tmp_path / "a.iges"), str(tmp_path / "a.json")]
    assert main(words) == 2
    assert "one kind of spline a file; got curve, surface" in capsys.readouterr().err
    assert main([*words, "--keep", "surfaces"]) == 0
    for found, wanted in zip(read(tmp_path / "a.json").surfaces, splines[3:], strict=True):
        assert torch.equal(found.control_points, wanted.control_points)
    words = ["convert", str(DATA / "opencascade.step"), str(tmp_path / "b.igs"), "--keep", "surfaces"]
    assert main([*words, "--unit", "m"]) == 0
    said = capsys.readouterr().out
    assert "4 of 23 splines" in said
    assert "PLANE 6" in said
    assert read(tmp_path / "b.igs").unit == "m"


def test_a_cloud_becomes_a_cad_surface(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    generator = torch.Generator().manual_seed(3)
    xy = torch.rand(600, 2, generator=generator, dtype=torch.float64)
    cloud = torch.cat([xy, torch.sin(3 * xy[:, :1]) * xy[:, 1:]], 1)
    write(tmp_path / "cloud.ply", TriangleMesh(cloud, torch.zeros(0, 3, dtype=torch.int64), xy))
    words = ["fit", str(tmp_path / "cloud.ply"), "--size", "6x5", "--out", str(tmp_path / "surface.step")]
    assert main([*words, "--plot", str(tmp_path / "fit.png")]) == 0
    wanted = fit_cloud(cloud, 3, (6, 5))
    found = read(tmp_path / "surface.step").surfaces[0]
    assert torch.equal(found.control_points, wanted.control_points)
    assert f"rms={wanted.rms:.4g}" in capsys.readouterr().out
    assert (tmp_path / "fit.png").read_bytes().startswith(b"\x89PNG")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["cloud.ply", "fit.png", "surface.step"]
    assert main([*words, "--knots", "free"]) == 2
    assert "--knots free needs a grid, .npy of shape (r, s, 3). Leave it out" in capsys.readouterr().err


def test_surfaces_are_meshed_as_one(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    surfaces = cad_splines()[3:5]
    write(tmp_path / "a.iges", *cad_splines()[:5])
    words = ["mesh", str(tmp_path / "a.iges"), str(tmp_path / "a.ply"), "--tolerance", "2"]
    assert main(words) == 0
    meshes = [tessellate_surface(*s[:3], weights=s.weights, tolerance=2.0) for s in surfaces]
    count = sum(len(mesh.faces) for mesh in meshes)
    assert f"{count} triangles with " in capsys.readouterr().out
    wanted = torch.cat([mesh.vertices for mesh in meshes])
    assert torch.equal(read_points(tmp_path / "a.ply"), wanted)
    words[2] = str(tmp_path / "a.obj")
    assert main(words) == 0
    rows = [line.split()[1:] for line in (tmp_path / "a.obj").read_text().splitlines() if line[:2] == "f "]
    corners = wanted[torch.tensor([[int(word.partition("/")[0]) - 1 for word in row] for row in rows])]
    assert torch.equal(corners, torch.cat([mesh.vertices[mesh.faces] for mesh in meshes]))


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["info", "none.step"], "No such file"),
        (["info", "a.docx"], "must end in one of .json, .smesh"),
        (
            ["fit", "grid.npy", "--size", "6", "--out", "a.step"],
            "--size 6: two numbers of control points must",
        ),
        (["fit", "grid.npy", "--size", "60x6", "--out", "a.step"], "asks for n_u = 60 control points"),
        (
            ["fit", "grid.npy", "--size", "6x6", "--out", "a.stl"],
            "--out a.stl: the name must end in one of .json",
        ),
        (["fit", "grid.npy", "--size", "6x6", "--out", "none/a.step"], "there is no folder none"),
        (
            ["fit", "grid.npy", "--size", "6x6", "--out", "a.step", "--plot", "a.jpeg"],
            "--plot a.jpeg: the name",
        ),
        (
            ["fit", "grid.npy", "--size", "6x6", "--out", "a.json", "--unit", "mm"],
            "--unit: .json says nothing of",
        ),
        (
            ["fit", "plane.npy", "--size", "6x6", "--out", "a.step"],
            "points with 2 coordinates go into a .json alone",
        ),
        (
            ["convert", "curve.json", "a.step", "--keep", "surfaces"],
            "Contents(1 curve) has no surfaces. Leave",
        ),
        (["convert", "curve.json", "a.step"], "`control_points` has 2 coordinates. Append z = 0"),
    ],
)
def test_refusals_end_with_2_and_one_line(
    grid: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    words: list[str],
    message: str,
) -> None:
    monkeypatch.chdir(grid.parent)
    np.save("plane.npy", np.load(grid)[..., :2])
    write("curve.json", Curve(torch.rand(4, 2), uniform_knots(4, 3)))
    before = sorted(p.name for p in grid.parent.iterdir())
    assert main(words) == 2
    said = capsys.readouterr().err.strip()
    assert message in said
    assert said.startswith("nurbs: ")
    assert "\n" not in said
    assert sorted(p.name for p in grid.parent.iterdir()) == before


@pytest.mark.parametrize("missing", ["tyro", "rich"])
def test_what_is_missing_is_named(
    missing: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, missing, None)
    assert __main__.main() == 2
    wanted = f'nurbs: the command needs {missing}. Install it with: pip install "nurbs-diff[cli]"\n'
    assert capsys.readouterr().err == wanted


@pytest.mark.parametrize(
    ("words", "taught"),
    [
        (["--help"], "nurbs fit cloud.ply --size 12x12 --out surface.step --plot fit.png"),
        (["fit", "--help"], "Control points in each direction, such as 12x12"),
        (["convert", "--help"], "often the edges of its faces"),
    ],
)
def test_help_teaches(capsys: pytest.CaptureFixture[str], words: list[str], taught: str) -> None:
    with pytest.raises(SystemExit) as end:
        main(words)
    assert end.value.code == 0
    assert taught in " ".join(capsys.readouterr().out.replace("│", " ").split())
