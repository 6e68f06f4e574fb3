from __future__ import annotations

import hashlib
import io
import pickle
import zipfile
from pathlib import Path

import numpy as np
import pytest
import strangers
from hypothesis import given, settings
from hypothesis import strategies as st

from repro import scene, views
from repro._context import RunContext, scenes
from repro.display import Display

TRIANGLE = [[0.0, 0.0, 0.0], [1.0, 0.0, 0.0], [0.0, 1.0, 0.0]]


def draw(figure):
    figure.subplots().plot([0, 1])


@pytest.fixture
def context(tmp_path):
    made = RunContext(seed=0, device="cpu", run=tmp_path, data=None, display=Display())
    made.picture("line", "A line.", draw, size=(1.0, 1.0))
    return made


def test_a_grid_covers_its_squares_with_two_triangles_each():
    points = np.stack(np.meshgrid([0.0, 1, 2], [0.0, 1, 2, 3], indexing="ij"), -1)
    part = scene.grid("", np.concatenate([points, np.zeros((3, 4, 1))], -1))
    a, b, c = (part.vertices[part.cells[:, k]].astype(float) for k in range(3))
    areas = np.cross(b - a, c - a)[:, 2] / 2
    # the same side up, each half a unit square
    assert areas.tolist() == [areas[0]] * 12
    assert abs(areas[0]) == 0.5


def test_a_net_and_a_path_join_neighbours():
    assert scene.net("", np.zeros((2, 3, 3))).cells.tolist() == [
        [0, 1], [1, 2], [3, 4], [4, 5], [0, 3], [1, 4], [2, 5],
    ]  # fmt: skip
    assert scene.path("", np.zeros((3, 3))).cells.tolist() == [[0, 1], [1, 2]]
    both = scene.joined("both", [scene.path("", TRIANGLE), scene.path("", TRIANGLE)])
    assert both.cells.tolist() == [[0, 1], [1, 2], [3, 4], [4, 5]]


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (
            lambda: scene.mesh("", [[0, 0]], [[0, 0, 0]]),
            r"`vertices` must have shape \(n, 3\) with n > 0; got",
        ),
        (lambda: scene.points("", np.zeros((0, 3))), r"`vertices` must have shape \(n, 3\) with n > 0; got"),
        (
            lambda: scene.mesh("", TRIANGLE, [[0, 1]]),
            r"`faces` must have shape \(m, 3\) with m > 0; got \(1, 2\)",
        ),
        (lambda: scene.mesh("", TRIANGLE, [[0.0, 1, 2]]), "`faces` must hold whole numbers; got float64"),
        (
            lambda: scene.mesh("", TRIANGLE, [[0, 1, 2], [0, 1, 3]]),
            r"vertices 0 to 2; faces\[1\] = \[0, 1, 3\]",
        ),
        (lambda: scene.lines("", TRIANGLE, [[0, -1]]), r"vertices 0 to 2; edges\[0\] = \[0, -1\]"),
        (lambda: scene.points("", [[0, 0, np.nan]]), r"`vertices` must be finite; vertices\[0, 2\] = nan"),
        (lambda: scene.points("", [[0, 1e300, 0]]), r"`vertices` must be finite; vertices\[0, 1\] = 1e\+300"),
        (lambda: scene.points("", [["a", "b", "c"]]), "`vertices` must hold real numbers; got <U1"),
        (lambda: scene.mesh("", TRIANGLE, [[0, 1, 2]], [1.0]), "one number for each of the 3 vertices; got"),
        (
            lambda: scene.mesh("", TRIANGLE, [[0, 1, 2]], [1, 2, np.inf]),
            r"`values` must be finite; values\[2\]",
        ),
        (
            lambda: scene.grid("", np.zeros((1, 4, 3))),
            r"shape \(rows, columns, 3\) with 2 or more of each; got",
        ),
        (
            lambda: scene.net("", np.zeros((4, 3))),
            r"`points` must have shape \(rows, columns, 3\); got \(4, 3\)",
        ),
        (lambda: scene.joined("", []), "`parts` must be one or more of one kind"),
        (lambda: scene.check_size([]), "`parts` is empty"),
        (lambda: scene.check_size([scene.points("", np.zeros((200_001, 3)))]), "200,001 vertices .* coarser"),
    ],
)
def test_what_cannot_be_shown_is_refused(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_a_scene_is_read_as_it_was_kept(context, tmp_path):
    parts = [scene.mesh("É", TRIANGLE, [[0, 1, 2]], [1, 2, 3]), scene.points("dots", TRIANGLE)]
    context.scene("both", "a triangle", parts, picture="line", up="y")
    (kept,) = scenes(tmp_path)
    assert (kept.name, kept.caption, kept.picture, kept.up) == ("both", "a triangle", "line", "y")
    for part, read in zip(parts, scene.read(tmp_path / kept.file, kept.sha256), strict=True):
        assert read.label == part.label
        for name in ("vertices", "cells", "values"):
            np.testing.assert_array_equal(getattr(read, name), getattr(part, name))


def test_scenes_from_before_a_kill_are_kept_and_other_seeds_keep_none(context, tmp_path):
    context.scene("one", "1", [scene.points("", TRIANGLE)], picture="line")
    resumed = RunContext(seed=0, device="cpu", run=tmp_path, data=None, display=Display())
    resumed.picture("line", "A line.", draw, size=(1.0, 1.0))
    resumed.scene("two", "2", [scene.points("", TRIANGLE)], picture="line")
    other = RunContext(seed=1, device="cpu", run=tmp_path, data=None, display=Display())
    other.picture("line", "A line.", draw)
    other.scene("three", "3", [scene.points("", TRIANGLE)], picture="line")
    assert [kept.name for kept in scenes(tmp_path)] == ["one", "two"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"name": "a b"}, "`name` must be a file name"),
        ({"picture": "none"}, "`picture`: no picture 'none' has been drawn. Draw it before its scene."),
        ({"up": "w"}, "`up` must be x, y or z; got 'w'"),
        ({"parts": []}, "`parts` is empty"),
    ],
)
def test_a_scene_that_cannot_be_kept(context, arguments, message):
    given = {"name": "a", "caption": "", "parts": [scene.points("", TRIANGLE)], "picture": "line"} | arguments
    with pytest.raises(ValueError, match=message):
        context.scene(**given)
    if arguments.get("name") is None:
        with pytest.raises(ValueError, match="`name`: a scene 'a' is there already"):
            context.scene(**given)


def sealed(tmp_path, content):
    """Reads content with the checksum that it has, as a stranger would hand both on."""
    file = tmp_path / "scene.npz"
    file.write_bytes(content)
    return scene.read(file, hashlib.sha256(content).hexdigest())


def arrays(**named):
    buffer = io.BytesIO()
    np.savez(buffer, allow_pickle=True, **named)  # pyright: ignore[reportArgumentType]
    return buffer.getvalue()


class Trap:
    def __reduce__(self):
        return Path.write_text, (Path("reached"), "")


def test_a_scene_of_a_stranger_runs_no_code(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    named = {"label-0": np.array("a"), "cells-0": np.array([[0]])}
    trap = arrays(**named, **{"vertices-0": np.array([Trap()], object)})
    pickle.loads(pickle.dumps(Trap()))
    assert Path("reached").exists()  # the trap works where it is unpickled
    Path("reached").unlink()
    with pytest.raises(ValueError, match="Object arrays cannot be loaded"):
        sealed(tmp_path, trap)
    assert not Path("reached").exists()


def test_a_scene_that_unpacks_to_more_than_there_is_room_for(tmp_path):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("label-0.npy", bytes(scene.BYTES + 1))
    assert len(buffer.getvalue()) < 100_000
    with pytest.raises(ValueError, match="it unpacks to 67,108,865 bytes, more than 67,108,864"):
        sealed(tmp_path, buffer.getvalue())


@given(st.data())
@settings(max_examples=40, deadline=None)
def test_a_damaged_scene_is_a_clear_error_or_a_whole_scene(tmp_path_factory, data):
    whole = scene.pack([scene.mesh("a", TRIANGLE, [[0, 1, 2]], [1, 2, 3])])
    place = data.draw(st.integers(0, len(whole) - 1))
    damaged = bytearray(whole)
    damaged[place] ^= data.draw(st.integers(1, 255))
    if data.draw(st.booleans()):
        damaged = damaged[:place]
    try:
        parts = sealed(tmp_path_factory.getbasetemp(), bytes(damaged))
    except ValueError:
        return
    for part in parts:
        assert np.isfinite(part.vertices).all()
        assert part.cells.max() < len(part.vertices)


def test_a_damaged_foreign_or_missing_scene_is_named_with_the_remedy(repro, run_of):
    repro("run", "toy.walk", "--settings.epochs", 1)
    folder = run_of("toy.walk")
    file = folder / "seed-0" / "scenes" / "hill.npz"
    whole = file.read_bytes()

    def refused(message):
        ended = repro("report")
        assert ended.code == 2
        assert message in ended.err
        assert "away and run again" in ended.err
        assert not Path("report.html").exists()

    file.write_bytes(whole[:-1])
    refused(f"{file} is no scene that can be shown: its checksum is not the one that result.json holds")
    file.unlink()
    refused("its scene seed-0/scenes/hill.npz is missing")
    strangers.change(folder, lambda r: r["scenes"][0].update(file="../../../etc/hostname"))
    refused("its scene ../../../etc/hostname lies outside its folder")


def test_what_the_page_carries_is_the_scene_to_sixteen_bits(context, tmp_path, toys):
    import base64
    import gzip

    context.scene("hill", "", toys.hill(), picture="line")
    (kept,) = scenes(tmp_path)
    packed = views.packed(tmp_path, kept)
    content = gzip.decompress(base64.b64decode(packed["data"]))
    at = 0
    for part, told in zip(toys.hill(), packed["parts"], strict=True):
        assert (told["vertices"], told["cells"], told["corners"]) == (len(part.vertices), *part.cells.shape)
        cells = np.frombuffer(content, "<u4", part.cells.size, at)
        at += cells.nbytes
        np.testing.assert_array_equal(cells.reshape(part.cells.shape), part.cells)
        if told["coloured"]:
            np.testing.assert_array_equal(np.frombuffer(content, "<f4", told["vertices"], at), part.values)
            at += 4 * told["vertices"]
        steps = np.frombuffer(content, "<u2", 3 * told["vertices"], at)
        at += -(-steps.nbytes // 4) * 4
        places = packed["low"] + packed["size"] * steps.reshape(-1, 3)
        # half a step, and the rounding of float32
        assert np.abs(places - part.vertices).max() <= 0.5001 * packed["size"]
    assert at == len(content)
    assert packed["range"] == [float(toys.hill()[0].values.min()), float(toys.hill()[0].values.max())]
