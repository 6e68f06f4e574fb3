"""What malformed files are told: each message names the file, the place and the remedy."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from nurbs_diff import Curve, Surface, TriangleMesh, uniform_knots
from nurbs_diff.files import read, read_points, write

KNOTS = uniform_knots(2, degree=1)
NET = torch.arange(12, dtype=torch.float64).reshape(2, 2, 3)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    folder = tmp_path_factory.mktemp("whole")
    surface = Surface(NET, KNOTS, KNOTS, torch.tensor([[1.0, 2], [3, 4]]))
    for ending in (".json", ".smesh", ".step", ".iges"):
        write(folder / f"a{ending}", surface)
    write(folder / "a.ply", TriangleMesh(NET[0], torch.tensor([[0, 1, 0]]), NET[0, :, :2]))
    np.save(folder / "a.npy", NET[0].numpy())
    return {path.suffix: path.read_bytes() for path in folder.iterdir()}


@pytest.mark.parametrize(
    ("ending", "old", "new", "message"),
    [
        (".json", b'"shape"', b'"form"', r"the file has no 'shape'. Is it geomdl's JSON"),
        (".json", b'"surface"', b'"solid"', r"shape.type must be one of curve, surface, volume; got 'solid'"),
        (".json", b'"count": 1', b'"count": 2', r"shape.count is 2, but there are 1 in data"),
        (".json", b"11.0", b"NaN", r"NaN stands in it, where a finite number must"),
        (
            ".json",
            b"11.0",
            b"1e999",
            r"shape.data\[0\].control_points.points\[3\]\[2\] must be a finite number; got inf",
        ),
        (".json", b"11.0", b"true", r"points\[3\]\[2\] must be a finite number; got True"),
        (
            ".json",
            b'"dimension": 3',
            b'"dimension": 2',
            r"shape.data\[0\].dimension is 2, but .*points\[0\] has 3 coord",
        ),
        (
            ".json",
            b'"degree_u": 1',
            b'"degree_u": 1.5',
            r"shape.data\[0\].degree_u must be a whole number; got 1.5",
        ),
        (
            ".json",
            b'"degree_u": 1',
            b'"degree_u": -1',
            r"shape.data\[0\]: the degree must be at least 1; got -1",
        ),
        (".json", b'"size_u": 2', b'"size_u": 3', r"3 control points of degree 1 need 5 `knots_u`; got 4"),
        (".json", b'"weights": [\n      1.0,', b'"weights": [', r"there are 3 weights for 4 control points"),
        (
            ".json",
            b'"weights": [\n      1.0,',
            b'"weights": [-1.0,',
            r"`weights` must be positive and finite; weights\[0, 0\]",
        ),
        (".json", b"}", b"", r"line \d+, column 1: this is no JSON \(.*\). It may end early; fetch it again"),
        (".json", b"{", b"[" * 100_000, r"its brackets are nested too deeply for a spline"),
        (".json", b'"spline"', b'"\xff"', r"byte \d+ is no UTF-8. Save the file as UTF-8 text"),
        (".smesh", b"3\n1 1", b"2\n1 1", r"line 1: the dimension must be 3; got '2'"),
        (".smesh", b"\n1 1\n", b"\n1\n", r"line 2: degrees: two whole numbers must stand there; got '1'"),
        (".smesh", b"\n2 2\n", b"\n2 -2\n", r"line 3: counts must be at least 1; got 2 and -2"),
        (
            ".smesh",
            b"\n0.0 0.0 1.0 1.0",
            b"\n0.0 1.0 0.0 1.0",
            r"`knots_v` must be non-decreasing; knots_v\[1\] = 1 > knots_v\[2\] = 0",
        ),
        (".smesh", b"11.0", b"inf", r"line 9: 'inf' is no finite number. Repair it"),
        (".smesh", b" 11.0", b"", r"line 9: x, y, z and the weight must stand there; got '9.0 10.0 4.0'"),
        (".step", b"ISO-10303-21;", b"ISO;", r"line 1: ISO-10303-21; must stand there. This is no STEP file"),
        (
            ".step",
            b"END-ISO-10303-21;",
            b"",
            r"END-ISO-10303-21; is missing: the file ends early. Fetch it again",
        ),
        (".step", b"ENDSEC;\nEND-ISO", b"END-ISO", r"the section DATA is not ended by ENDSEC;"),
        (".step", b"#3=", b"#2=", r"line 10, #2: the number was given before, in line 9"),
        (".step", b"(#2,#3)", b"(#2)", r"line 13, #6: the rows of control points have different lengths"),
        (".step", b"(#2,#3)", b"(#2,#1)", r"line 13, #6: the control point #1 is a complex instance"),
        (
            ".step",
            b"CARTESIAN_POINT('',(0.0",
            b"X" * 5000 + b"('',(0.0",
            r"the control point #2 is a 'X{36}\.\.\.\. Repair the file",
        ),
        (".step", b"(#2,#3)", b"(#2,3)", r"line 13, #6: a control point must be a reference #...; got 3"),
        (".step", b"(1.0,2.0)", b"(1.0)", r"line 13, #6: the weights must stand in 2 rows of 2"),
        (
            ".step",
            b"(2,2),(2,2)",
            b"(2,2),(2,3)",
            r"multiplicities must be positive and sum up to 4, .*; got 5. Periodic",
        ),
        (".step", b"(2,2),(2,2)", b"(2,2),(4)", r"there are 1 multiplicities for 2 knots"),
        (".step", b"11.0));", b"1.E999));", r"line 12, #5: '1.E999' is no finite number"),
        (".step", b"11.0));", b"11.0);", r"line 12, #5: a bracket \) is missing"),
        (".step", b"11.0));", b"11.0)));", r"line 12, #5: a bracket \) too many"),
        (
            ".step",
            b"CARTESIAN_POINT('',(0.0",
            b"CARTESIAN_POINT(',(0.0",
            r"line \d+, #\d+: cannot read|the string ' is not closed",
        ),
        (".step", b"SI_UNIT(.MILLI.", b"SI_UNIT(.SILLY.", r"line 8, #1: this unit of length cannot be read"),
        (
            ".iges",
            b"S      1",
            b"C      1",
            r"line 1: this is the compressed or binary form. Save it in the fixed ASCII",
        ),
        (
            ".iges",
            b"D      2",
            b"D      3",
            r"line 6: its number should be D2; got D      3. A line is missing or out of order",
        ),
        (
            ".iges",
            b"T      1",
            b"P      9",
            r"line \d+: its number should be P|the terminate section T is missing",
        ),
        (
            ".iges",
            b"S      1G      3D",
            b"S      1G      4D",
            r"the terminate section counts G      4; there are 3 lines G",
        ),
        (
            ".iges",
            b"1.,2,2HMM,",
            b"2.,2,2HMM,",
            r"the model space scale is 2; only 1 is read. Save it at full size",
        ),
        (
            ".iges",
            b"128,1,1,",
            b"126,1,1,",
            r"entity 128 at D1: its parameters must begin with 128 and end with ';'",
        ),
        (
            ".iges",
            b"128,1,1,",
            b"128,1,9,",
            r"entity 128 at D1: 2 x 10 control points need \d+ parameters; there are",
        ),
        (
            ".iges",
            b"128,1,1,",
            b"128,0,1,",
            r"entity 128 at D1: degree 1 does not go with 1 control points in a direction",
        ),
        (".iges", b"11.0", b"nan,", r"entity 128 at D1: parameter \d+: 'NAN' is no finite number"),
    ],
)
def test_splines(
    tmp_path: Path, whole: dict[str, bytes], ending: str, old: bytes, new: bytes, message: str
) -> None:
    path = tmp_path / f"a{ending}"
    head, found, rest = whole[ending].rpartition(old)
    if ending in (".step", ".iges", ".json") and old not in (b"}", b"11.0"):
        head, found, rest = whole[ending].partition(old)
    assert found
    path.write_bytes(head + new + rest)
    with pytest.raises(ValueError, match=message) as refused:
        read(path)
    assert str(refused.value).startswith(f"{path}: ")


@pytest.mark.parametrize(
    ("ending", "content", "message"),
    [
        (
            ".step",
            b"ISO-10303-21;DATA;#1=PLANE('',$);#2=LINE();#3=LINE();ENDSEC;END-ISO-10303-21;",
            r"there is no B-spline curve or surface in it. It holds LINE 2, PLANE 1",
        ),
        (".smesh", b"3\n", r"it ends after line 1; a surface mesh has five lines before its points"),
        (".docx", b"", r"must end in one of .json, .smesh, .dat, .step, .stp, .iges, .igs; got '.docx'"),
    ],
)
def test_files_without_splines(tmp_path: Path, ending: str, content: bytes, message: str) -> None:
    (tmp_path / f"a{ending}").write_bytes(content)
    with pytest.raises(ValueError, match=message):
        read(tmp_path / f"a{ending}")


def test_a_record_that_is_not_known_is_named(tmp_path: Path) -> None:
    write(tmp_path / "a.step", Curve(NET[0], KNOTS, torch.tensor([1.0, 2])))
    text = (
        (tmp_path / "a.step")
        .read_text()
        .replace("REPRESENTATION_ITEM('')", "REPRESENTATION_ITEM('')TWIST(3)")
    )
    (tmp_path / "a.step").write_text(text)
    assert read(tmp_path / "a.step").unread == {"TWIST": 1}


def test_units_that_differ(tmp_path: Path) -> None:
    write(tmp_path / "a.step", Curve(NET[0], KNOTS))
    text = (tmp_path / "a.step").read_text()
    more = """#91=(LENGTH_UNIT()NAMED_UNIT(*)SI_UNIT($,.METRE.));
#92=(GLOBAL_UNIT_ASSIGNED_CONTEXT((#91))REPRESENTATION_CONTEXT('',''));
ENDSEC;
END"""
    (tmp_path / "a.step").write_text(text.replace("ENDSEC;\nEND", more))
    with pytest.raises(
        ValueError, match=r"its shapes have different units: mm \(line \d+, #\d+\), m \(line \d+, #92\). Save"
    ):
        read(tmp_path / "a.step")


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.docx", b"", r"must end in one of .ply, .obj, .xyz, .csv, .txt, .npy; got '.docx'"),
        ("a.xyz", b"", r"there are no points in it"),
        ("a.xyz", b"1 2\n", r"line 1: three coordinates must stand there; got 2"),
        ("a.csv", b"x,y,z\n1,2,3\n1,two,3\n", r"line 3: 'two' is no finite number. Repair it"),
        ("a.obj", b"v 1 2 nan\n", r"line 1: 'nan' is no finite number"),
        ("a.npy", b"\x93NUMPY", r"it is no whole NPY file \(.*\). Write it with numpy.save"),
        (
            "a.npy",
            b"\x93NUMPY\x01\x00\x20\x4e" + b" " * 20000,
            r"\(Header info length .* securely\.\)\. Write",
        ),
        ("a.ply", b"plx", r"it must begin with ply and have a line end_header"),
        ("a.ply", b"ply\nformat ascii 1.0\nend_header\n", r"its header names no element vertex"),
        (
            "a.ply",
            b"ply\nelement vertex 1\nproperty int x\nproperty int y\nproperty int z\nend_header\n",
            r"header must name a format",
        ),
        (
            "a.ply",
            b"ply\nformat ascii 1.0\nelement vertex 1\nproperty int x\nend_header\n",
            r"must have properties x, y and z, each once; got 'x'",
        ),
        (
            "a.ply",
            b"ply\nformat ascii 1.0\nelement vertex -1\nend_header\n",
            r"line 3: a count must not be negative; got -1",
        ),
        (
            "a.ply",
            b"ply\nformat ascii 1.0\nvertex 1\nend_header\n",
            r"line 3: 'vertex 1' is no line of a PLY header",
        ),
    ],
)
def test_points(tmp_path: Path, name: str, content: bytes, message: str) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(ValueError, match=message) as refused:
        read_points(tmp_path / name)
    assert str(refused.value).startswith(f"{tmp_path / name}: ")


def test_points_that_are_not_finite(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", np.array([[0.0, 1, 2], [3, np.nan, 5]]))
    with pytest.raises(ValueError, match=r"point \[1\] has coordinate nan. Drop its row"):
        read_points(tmp_path / "a.npy")
    np.save(tmp_path / "a.npy", np.zeros(3))
    with pytest.raises(
        ValueError, match=r"shape \(n, dim\) or \(r, s, dim\); got float64 \(3,\). Save one point a row"
    ):
        read_points(tmp_path / "a.npy")
