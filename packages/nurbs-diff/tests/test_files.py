"""Files of splines and meshes: what comes back, and what geomdl and trimesh's formats say."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from cad_cases import cad_splines
from geomdl import exchange
from hypothesis import given, settings
from hypothesis import strategies as st

from nurbs_diff import (
    Curve,
    NurbsCurve,
    NurbsSurface,
    NurbsVolume,
    Surface,
    TriangleMesh,
    Volume,
    evaluate_curve,
    evaluate_surface,
    uniform_knots,
)
from nurbs_diff.files import read, read_points, write
from nurbs_diff.files._contents import Spline

KNOTS = uniform_knots(4, degree=2)
CAD = [".step", ".stp", ".iges", ".igs"]
numbers = st.floats(allow_nan=False, allow_infinity=False)


def assert_same(found: Spline, wanted: Spline) -> None:
    assert type(found) is type(wanted)
    for x, y in zip(found, wanted, strict=True):
        assert (x is None) == (y is None)
        assert x is None or (x.dtype == torch.float64 and torch.equal(x, y.double()))


@st.composite
def splines(draw: st.DrawFn, directions: int, dim: int = 3, interior_repeats: bool = False) -> Spline:
    """Any finite numbers, clamped or not; interior knots up to degree (or degree + 1) times."""
    knots, counts = [], []
    for _ in range(directions):
        degree, spans = draw(st.integers(1, 4)), draw(st.integers(1, 3))
        steps = draw(st.lists(st.floats(1e-3, 1e3), min_size=spans, max_size=spans))
        breaks = draw(st.floats(-1e3, 1e3)) + np.concatenate([[0.0], np.cumsum(steps)])
        most = degree + int(interior_repeats)
        times = [draw(st.integers(1, most)) for _ in breaks[1:-1]]
        if draw(st.booleans()):
            t = np.repeat(breaks, [degree + 1, *times, degree + 1])
        else:
            before, after = breaks[0] - np.arange(degree, 0, -1), breaks[-1] + np.arange(1, degree + 1)
            t = np.concatenate([before, np.repeat(breaks, [1, *times, 1]), after])
        knots.append(torch.from_numpy(t))
        counts.append(len(t) - degree - 1)
    total = int(np.prod(counts))
    few = draw(st.lists(numbers, min_size=1, max_size=12))  # hypothesis draws little; the net repeats it
    net = torch.tensor(np.resize(few, total * dim), dtype=torch.float64).reshape(*counts, dim)
    weights = None
    if draw(st.booleans()):
        some = draw(st.lists(st.floats(1e-300, 1e300), min_size=1, max_size=8))
        weights = torch.tensor(np.resize(some, total), dtype=torch.float64).reshape(*counts)
    return (Curve, Surface, Volume)[directions - 1](net, *knots, weights)


@settings(max_examples=25)
@given(data=st.data(), directions=st.integers(1, 3), dim=st.integers(1, 4))
def test_json_comes_back_to_the_last_bit(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject, directions: int, dim: int
) -> None:
    spline = data.draw(splines(directions, dim, interior_repeats=True))
    path = tmp_path_factory.getbasetemp() / "a.json"
    write(path, spline, spline)
    found = read(path)
    assert (len(found.splines), found.unit, found.unread) == (2, None, {})
    for again in found.splines:
        assert_same(again, spline)


@settings(max_examples=25)
@given(
    data=st.data(),
    ending=st.sampled_from(CAD),
    unit=st.sampled_from(["mm", "cm", "m", "km", "um", "inch", "ft", "mile", "mil"]),
)
def test_step_and_iges_come_back_to_the_last_bit(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject, ending: str, unit: str
) -> None:
    curves = [data.draw(splines(1)) for _ in range(data.draw(st.integers(0, 2)))]
    surfaces = [data.draw(splines(2)) for _ in range(data.draw(st.integers(0 if curves else 1, 2)))]
    path = tmp_path_factory.getbasetemp() / f"a{ending}"
    write(path, *curves, *surfaces, unit=unit)
    found = read(path)
    assert (found.unit, found.unread) == (unit, {})
    assert len(found.splines) == len(curves) + len(surfaces)
    for again, wanted in zip(found.splines, [*curves, *surfaces], strict=True):
        assert_same(again, wanted)


@settings(max_examples=25)
@given(data=st.data())
def test_a_surface_mesh_comes_back_to_the_last_bit(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    surface = data.draw(splines(2, interior_repeats=True))
    path = tmp_path_factory.getbasetemp() / "a.smesh"
    write(path, surface)
    found = read(path).only()
    if surface[-1] is not None and bool((surface[-1] == 1).all()):
        surface = surface._replace(weights=None)
    assert_same(found, surface)


def test_geomdl_reads_and_writes_the_same(tmp_path: Path) -> None:
    curve, surface = cad_splines()[1], cad_splines()[-1]
    places = [[0.1], [0.9]], [[0.1, 0.7], [0.9, 0.2]]
    for spline, at in zip((curve, surface), places, strict=True):
        path = tmp_path / "a.json"
        write(path, spline)
        others = [*exchange.import_json(str(path), delta=0.5)]
        exchange.export_json(others[0], str(path))
        if isinstance(spline, Surface):
            write(tmp_path / "a.smesh", spline)
            others += exchange.import_smesh(str(tmp_path / "a.smesh"))
            others[1].delta = 0.5
            exchange.export_smesh(others[1], str(tmp_path / "a.smesh"))
            _assert_close(read(tmp_path / "a.smesh").only(), spline)
        for other in others:
            for place in at:
                u = torch.tensor(place, dtype=torch.float64)
                if isinstance(spline, Curve):
                    wanted = evaluate_curve(*spline[:2], u, weights=spline.weights)
                else:
                    wanted = evaluate_surface(*spline[:3], u[:1], u[1:], weights=spline.weights)
                found = other.evaluate_single(place if len(place) > 1 else place[0])
                np.testing.assert_allclose(found, wanted.flatten(), rtol=1e-13)
        _assert_close(read(path).only(), spline)


def _assert_close(found: Spline, wanted: Spline) -> None:
    """To four units in the last place: geomdl multiplies by the weights and divides again."""
    for x, y in zip(found, wanted, strict=True):
        torch.testing.assert_close(x, y, rtol=1e-15, atol=0)


def test_geomdl_has_volumes_in_the_same_order(tmp_path: Path, generator: torch.Generator) -> None:
    net = torch.rand(4, 3, 2, 3, generator=generator, dtype=torch.float64)
    write(tmp_path / "a.json", Volume(net, KNOTS, uniform_knots(3, 1), uniform_knots(2, 1)))
    (other,) = exchange.import_json(str(tmp_path / "a.json"))
    corners = [
        other.evaluate_single([float(u), float(v), float(w)]) for u in (0, 1) for v in (0, 1) for w in (0, 1)
    ]
    assert torch.equal(torch.tensor(corners, dtype=torch.float64), net[::3, ::2].reshape(-1, 3))


@pytest.mark.parametrize("ending", [".json", ".step", ".iges"])
def test_modules_and_float32_are_written_as_they_are(tmp_path: Path, ending: str) -> None:
    curve = NurbsCurve(torch.rand(4, 3), KNOTS.float(), learn_knots=True)
    surface = NurbsSurface(torch.rand(4, 4, 3), KNOTS, KNOTS, torch.rand(4, 4) + 1, learn_weights=True)
    for module, wanted in (
        (curve, Curve(curve.control_points, curve.knots, curve.weights)),
        (surface, Surface(surface.control_points, surface.knots_u, surface.knots_v, surface.weights)),
    ):
        write(tmp_path / f"a{ending}", module)
        assert_same(read(tmp_path / f"a{ending}").only(), wanted)


def test_volume_modules_are_written(tmp_path: Path) -> None:
    volume = NurbsVolume(torch.rand(4, 4, 4, 2), KNOTS, KNOTS.float(), KNOTS, torch.rand(4, 4, 4) + 1)
    write(tmp_path / "a.json", volume)
    knots = (volume.knots_u, volume.knots_v, volume.knots_w)
    assert_same(read(tmp_path / "a.json").only(), Volume(volume.control_points, *knots, volume.weights))


def test_knots_that_step_files_only_imply(tmp_path: Path) -> None:
    points = ",".join(f"#{i}" for i in range(1, 8))
    lines = [f"#{i}=CARTESIAN_POINT('',({i}.,0.,{i * i}.));" for i in range(1, 8)]
    rest = f"('',3,({points}),.UNSPECIFIED.,.F.,.F.)"
    base = f"B_SPLINE_CURVE(2,({points}),.UNSPECIFIED.,.F.,.F.)"
    weights = "RATIONAL_B_SPLINE_CURVE((1.,2.,1.,1.,1.,3.,1.))"
    lines += [
        f"#8=BEZIER_CURVE{rest};",
        f"#9=UNIFORM_CURVE{rest};",
        f"#10=QUASI_UNIFORM_CURVE{rest};",
        f"#11=(BOUNDED_CURVE(){base}QUASI_UNIFORM_CURVE(){weights}REPRESENTATION_ITEM(''));",
        "#12=PLANE('',#99);",
    ]
    text = (
        "ISO-10303-21;\nHEADER;\nENDSEC;\nDATA;\n/* two; lines\n'*/"
        + "\n".join(lines)
        + "\nENDSEC;\nEND-ISO-10303-21;\n"
    )
    (tmp_path / "a.step").write_text(text)
    found = read(tmp_path / "a.step")
    assert [curve.knots.tolist() for curve in found.curves] == [
        [0, 0, 0, 0, 1, 1, 1, 2, 2, 2, 2],
        [-3, -2, -1, 0, 1, 2, 3, 4, 5, 6, 7],
        [0, 0, 0, 0, 1, 2, 3, 4, 4, 4, 4],
        [0, 0, 0, 1, 2, 3, 4, 5, 5, 5],
    ]
    assert found.curves[3].weights is not None
    assert found.curves[3].weights.tolist() == [1, 2, 1, 1, 1, 3, 1]
    assert found.unread == {"PLANE": 1}
    assert repr(found) == "Contents(4 curves; not read: PLANE 1)"
    with pytest.raises(ValueError, match=r"the file holds 4 curves, not one spline. Choose from `curves`"):
        found.only()


def test_iges_matrices_move_what_they_belong_to(tmp_path: Path) -> None:
    """A quarter turn about z and a shift, by a matrix that is itself moved up; made from a file of ours."""
    curve = Curve(torch.tensor([[1.0, 2, 3], [4, 5, 6]], dtype=torch.float64), uniform_knots(2, 1))
    write(tmp_path / "a.iges", curve)
    lines = (tmp_path / "a.iges").read_text().splitlines()
    directory = [line for line in lines if line[72] == "D"]
    parameters = [line for line in lines if line[72] == "P"]
    directory[0] = directory[0][:48] + f"{3:>8}" + directory[0][56:]
    for sequence, outer, text in (
        (3, 5, "124,0.,-1.,0.,10.,1.,0.,0.,20.,0.,0.,1.,30.;"),
        (5, 0, "124,1.,,,,,1.,,,,,1.D0,100.;"),
    ):
        at = len(parameters) + 1
        directory.append("".join(f"{x:>8}" for x in (124, at, 0, 0, 0, 0, outer, 0, 0)) + f"D{sequence:>7}")
        directory.append("".join(f"{x:>8}" for x in (124, 0, 0, 1, 0, "", "", "", 0)) + f"D{sequence + 1:>7}")
        parameters.append(f"{text:<64}{sequence:>8}P{at:>7}")
    head = [line for line in lines if line[72] in "SG"]
    end = f"S      1G{len(head) - 1:>7}D{len(directory):>7}P{len(parameters):>7}".ljust(72) + "T      1"
    (tmp_path / "a.iges").write_text("\n".join([*head, *directory, *parameters, end]))
    assert read(tmp_path / "a.iges").only().control_points.tolist() == [[8, 21, 133], [5, 24, 136]]


def mesh(generator: torch.Generator) -> TriangleMesh:
    vertices = torch.rand(5, 3, generator=generator, dtype=torch.float64)
    faces = torch.tensor([[0, 1, 2], [2, 1, 3], [3, 4, 0]])
    return TriangleMesh(vertices, faces, torch.rand(5, 2, generator=generator, dtype=torch.float64))


def test_meshes_come_back(tmp_path: Path, generator: torch.Generator) -> None:
    given_mesh = mesh(generator)
    for ending in ("obj", "ply"):
        write(tmp_path / f"a.{ending}", given_mesh)
        assert torch.equal(read_points(tmp_path / f"a.{ending}"), given_mesh.vertices)
    faces = [
        line.split()[1:] for line in (tmp_path / "a.obj").read_text().splitlines() if line.startswith("f ")
    ]
    assert [[int(word.partition("/")[0]) - 1 for word in face] for face in faces] == given_mesh.faces.tolist()
    write(tmp_path / "a.stl", given_mesh)
    data = (tmp_path / "a.stl").read_bytes()
    rows = np.frombuffer(data, np.dtype([("n", "<f4", 3), ("p", "<f4", (3, 3)), ("a", "<u2")]), offset=84)
    assert np.frombuffer(data, "<u4", 1, 80)[0] == len(rows) == 3
    corners = given_mesh.vertices[given_mesh.faces].float()
    assert torch.equal(torch.from_numpy(rows["p"].copy()), corners)
    normals = torch.linalg.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    torch.testing.assert_close(
        torch.from_numpy(rows["n"].copy()), normals / normals.norm(dim=-1, keepdim=True)
    )


@pytest.mark.parametrize("order", ["ascii", "binary_little_endian", "binary_big_endian"])
def test_points_of_ply_files(tmp_path: Path, order: str) -> None:
    """An element before the vertices, properties among the coordinates, a list after them."""
    header = f"""ply
format {order} 1.0
comment a comment
element camera 1
property double focus
element vertex 2
property float y
property uchar red
property double x
property short z
element face 1
property list uchar int vertex_indices
end_header
"""
    if order == "ascii":
        body = b"7.5\n2 255 1 -3\n5 0 4 6\n3 0 1 0\n"
    else:
        end = "<" if order == "binary_little_endian" else ">"
        row = np.dtype([("y", f"{end}f4"), ("red", "u1"), ("x", f"{end}f8"), ("z", f"{end}i2")])
        body = (
            np.array(7.5, f"{end}f8").tobytes()
            + np.array([(2, 255, 1, -3), (5, 0, 4, 6)], row).tobytes()
            + b"\3"
        )
    (tmp_path / "a.ply").write_bytes(header.encode() + body)
    assert read_points(tmp_path / "a.ply").tolist() == [[1, 2, -3], [4, 5, 6]]


def test_points_of_text_and_arrays(tmp_path: Path, generator: torch.Generator) -> None:
    points = torch.randn(6, 4, 3, generator=generator, dtype=torch.float64)
    np.save(tmp_path / "grid.npy", points.numpy())
    assert torch.equal(read_points(tmp_path / "grid.npy"), points)
    for name, separator, head in (
        ("a.xyz", " ", "# made by hand\n\n"),
        ("a.csv", ", ", "x,y,z,label\n"),
        ("a.txt", "\t", ""),
    ):
        rows = points.reshape(-1, 3).tolist()
        (tmp_path / name).write_text(
            head + "".join(separator.join(map(repr, [*row, 7])) + "\n" for row in rows)
        )
        assert torch.equal(read_points(tmp_path / name), points.reshape(-1, 3))


def test_a_failure_leaves_the_old_file_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a.json"
    write(path, Curve(torch.rand(4, 2), KNOTS))
    before = path.read_bytes()

    def full(self: Path, target: Path) -> Path:
        raise OSError("No space left on device")

    monkeypatch.setattr(Path, "replace", full)
    with pytest.raises(OSError, match="No space left"):
        write(path, Curve(torch.rand(4, 3), KNOTS))
    assert path.read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == ["a.json"]


def test_trims_and_free_forms_of_geomdl_are_named(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    write(path, Surface(torch.rand(4, 4, 3), KNOTS, KNOTS))
    content = json.loads(path.read_text())
    content["shape"]["data"][0] |= {"trims": {"count": 0, "data": []}, "name": "wing", "delta": 0.1}
    content["shape"]["data"].append({"type": "freeform", "points": []})
    content["shape"]["count"] = 2
    path.write_text(json.dumps(content))
    assert read(path).unread == {"trims": 1, "freeform": 1}


GRID = torch.rand(4, 4, 3)


@pytest.mark.usefixtures("unchecked")
@pytest.mark.parametrize(
    ("name", "shapes", "options", "message"),
    [
        ("a.3dm", [Surface(GRID, KNOTS, KNOTS)], {}, r"a.3dm: the name must end in one of .json, .smesh"),
        ("none/a.json", [Surface(GRID, KNOTS, KNOTS)], {}, r"there is no folder .*none. Make it first"),
        ("a.step", [], {}, r"a.step: there is nothing to write"),
        (
            "a.step",
            [Surface(GRID, KNOTS, KNOTS)],
            {"unit": "parsec"},
            r"`unit` must be one of 'mm', .*got 'parsec'",
        ),
        (
            "a.json",
            [Surface(GRID, KNOTS, KNOTS)],
            {"unit": "mm"},
            r"JSON says nothing of units. Leave `unit` out",
        ),
        ("a.step", [Curve(GRID[0, :, :2], KNOTS)], {}, r"`control_points` has 2 coordinates. Append z = 0"),
        (
            "a.iges",
            [Volume(GRID[None].expand(4, 4, 4, 3), KNOTS, KNOTS, KNOTS)],
            {},
            r"know no spline volumes",
        ),
        (
            "a.json",
            [Curve(GRID[0], KNOTS[None])],
            {},
            r"`knots` to be written must have one dimension; got shape",
        ),
        (
            "a.json",
            [Surface(GRID[None], KNOTS, KNOTS)],
            {},
            r"of a Surface to be written must have 3 dim.*one by one",
        ),
        (
            "a.json",
            [Curve(GRID[0], KNOTS), Surface(GRID, KNOTS, KNOTS)],
            {},
            r"one kind of spline a file; got curve, surf",
        ),
        (
            "a.json",
            [Curve(GRID[0] / 0, KNOTS)],
            {},
            r"`control_points` must be finite; control_points\[0, 0\] = inf",
        ),
        ("a.json", [Curve(GRID[0], KNOTS.flip(0))], {}, r"`knots` must be non-decreasing"),
        (
            "a.json",
            [Curve(GRID[0], torch.arange(5.0))],
            {},
            r"`knots` implies degree 0, which no file format knows",
        ),
        ("a.json", [Curve(GRID[0], KNOTS, -GRID[0, :, 0])], {}, r"`weights` must be positive and finite"),
        (
            "a.step",
            [Curve(GRID[0], torch.tensor([0.0, 0, 1, 1, 2, 2]))],
            {},
            r"`knots` repeats 1 degree \+ 1 = 2 times, a jump that STEP and IGES do not allow. Split",
        ),
        ("a.smesh", [Curve(GRID[0], KNOTS)], {}, r"holds one surface in space"),
        ("a.obj", [Curve(GRID[0], KNOTS)], {}, r".obj holds one mesh. Make it with `tessellate_surface`"),
        (
            "a.step",
            [TriangleMesh(GRID[0], torch.tensor([[0, 1, 2]]), GRID[0, :, :2])],
            {},
            r"a mesh is written as .obj, .ply, .stl",
        ),
        (
            "a.ply",
            [TriangleMesh(GRID[0], torch.tensor([[0, 1, 4]]), GRID[0, :, :2])],
            {},
            r"must name vertices 0 to 3; got 0 to 4",
        ),
        (
            "a.stl",
            [TriangleMesh(GRID[0, :, :2], torch.tensor([[0, 1, 2]]), GRID[0, :, :2])],
            {},
            r"shape \(v, 3\); got \(4, 2\)",
        ),
    ],
)
def test_what_cannot_be_written(
    tmp_path: Path, name: str, shapes: list[Spline], options: dict[str, str], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        write(tmp_path / name, *shapes, **options)
    assert not list(tmp_path.iterdir())


@pytest.mark.usefixtures("unchecked")
def test_only_shapes_are_written(tmp_path: Path) -> None:
    with pytest.raises(
        TypeError, match=r"NurbsVolume or TriangleMesh can be written; got Tensor. Make one: Surface\("
    ):
        write(tmp_path / "a.json", GRID)  # type: ignore[arg-type]
