"""The command `fuzzy-metaballs`, as it is called."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import jax
import numpy as np
import pytest
import trimesh
from PIL import Image

from fuzzy_metaballs import Camera, FuzzyMetaballs, __main__, look_at, sphere_views
from fuzzy_metaballs._command import fit as fit_command
from fuzzy_metaballs._command import inputs
from fuzzy_metaballs._command.main import main
from fuzzy_metaballs.files import read_model, write_model


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    shape = FuzzyMetaballs.sphere(4, key=jax.random.key(0))
    path = tmp_path_factory.mktemp("model") / "ball.npz"
    write_model(path, shape)
    return path


def ball_masks(folder: Path) -> None:
    """Six discs of a ball from around, with their cameras."""
    row, column = np.mgrid[-7.5:8, -7.5:8]
    for view in range(6):
        disc = (np.hypot(row, column) < 5).astype(np.uint8) * 255
        Image.fromarray(disc).save(folder / f"{view}.png")
    camera = Camera.from_fov(16, 16, fov=0.6)
    np.savez(folder / "cameras.npz", intrinsics=camera.intrinsics, poses=sphere_views(6, distance=4.0))


def test_a_mesh_is_fitted_and_drawn(tmp_path, capsys):
    trimesh.creation.box((1, 2, 3)).export(tmp_path / "box.stl")
    out, plot = tmp_path / "box.npz", tmp_path / "fit.svg"
    words = ["fit", str(tmp_path / "box.stl"), "--components", "2", "--points", "500"]
    assert main([*words, "--out", str(out), "--plot", str(plot)]) == 0
    shape = read_model(out)
    assert shape.components == 2
    np.testing.assert_allclose(shape.weights @ shape.means, 0, atol=0.1)
    said = capsys.readouterr().out
    assert "log-likelihood of a point" in said
    assert "FuzzyMetaballs(components=2" in said
    assert b"<svg" in plot.read_bytes()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["box.npz", "box.stl", "fit.svg"]


def test_a_fit_from_masks_goes_on_after_an_interrupt(tmp_path, monkeypatch, capsys):
    ball_masks(tmp_path)
    out = tmp_path / "ball.npz"
    words = ["fit", str(tmp_path), "--components", "3", "--epochs", "3", "--out", str(out)]
    real, begun = fit_command.shape_from_silhouette, []

    def quick(*positional, callback, **options):
        def stop(step, total, loss):
            callback(step, total, loss)
            begun.append(step)
            if len(begun) == 2 and step == 2:  # in the second epoch of one step
                raise KeyboardInterrupt

        return real(*positional, callback=stop, **options)

    monkeypatch.setattr(fit_command, "shape_from_silhouette", quick)
    assert main(words) == 130
    assert "Give the same line again to go on." in capsys.readouterr().err
    assert not out.exists()
    assert main(words) == 0
    assert begun == [1, 2, 2, 3]
    assert "SilhouetteFit(components=3, steps=3" in capsys.readouterr().out
    assert not (tmp_path / "ball.npz.resume").exists()
    assert read_model(out).components == 3


def test_a_model_is_rendered_and_meshed(model, tmp_path, capsys):
    picture, arrays, mesh = tmp_path / "view.png", tmp_path / "view.npz", tmp_path / "ball.ply"
    size = ["--size", "24x16", "--eye", "0,0,-4"]
    assert main(["render", str(model), "--out", str(picture), *size]) == 0
    assert main(["render", str(model), "--out", str(arrays), *size]) == 0
    with Image.open(picture) as image:
        assert image.width > 100
    stored = np.load(arrays)
    assert stored["depth"].shape == stored["alpha"].shape == (16, 24)
    assert stored["alpha"][8, 12] > 0.8 > 0.1 > stored["alpha"][0, 0]
    assert main(["mesh", str(model), str(mesh), "--resolution", "12"]) == 0
    assert trimesh.load(mesh).is_watertight
    assert "triangles with" in capsys.readouterr().out


def test_a_pose_is_found(model, tmp_path, capsys):
    shape = read_model(model)
    row, column = np.mgrid[-7.5:8, -7.5:8]
    np.save(tmp_path / "mask.npy", np.hypot(row, column) < 4)
    out = tmp_path / "pose.json"
    words = [
        "pose",
        str(model),
        str(tmp_path / "mask.npy"),
        "--out",
        str(out),
        "--starts",
        "1",
        "--fov",
        "34",
    ]
    assert main([*words, "--start", "0,0,-4"]) == 0
    found = json.loads(out.read_text())
    assert np.shape(found["covariance"]) == (6, 6)
    pose = np.array(found["pose"])
    np.testing.assert_allclose(pose[:3, :3].T @ pose[:3, :3], np.eye(3), atol=1e-4)
    assert "standard deviations" in capsys.readouterr().out
    start = np.asarray(look_at([0.0, 0.0, -4.0], shape.weights @ shape.means))
    np.testing.assert_allclose(inputs.read_start("0,0,-4", shape, Path("0,0,-4")), start)
    np.testing.assert_allclose(inputs.read_start("x", shape, out), pose)


def test_help_teaches(capsys):
    with pytest.raises(SystemExit) as end:
        main(["--help"])
    assert end.value.code == 0
    assert "from silhouettes and COLMAP's cameras" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["fit", "none.ply", "--out", "a.npz"], "none.ply: there is no such file or folder"),
        (["fit", "none.ply", "--out", "a.ply"], "--out a.ply: the name must end in one of .npz"),
        (["fit", "none.ply", "--out", "none/a.npz"], "there is no folder none"),
        (["fit", ".", "--out", "a.npz"], "at least 2 masks must be there"),
        (["render", "none.npz", "--out", "a.png"], "No such file or directory"),
        (["render", "broken.npz", "--out", "a.png"], "broken.npz: is no .npz file that can be read"),
        (["render", "other.npz", "--out", "a.png"], "other.npz: is no model"),
        (["render", "other.npz", "--out", "a.png", "--size", "12"], "--size 12: 2 numbers must stand there"),
        (
            ["render", "other.npz", "--out", "a.png", "--fov", "200"],
            "--fov 200: it must lie between 0 and 180",
        ),
        (["mesh", "other.npz", "a.step"], "must end in one of .ply, .stl, .obj, .glb"),
    ],
)
def test_what_cannot_be_done_is_refused(words, message, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "broken.npz").write_bytes(b"no archive")
    np.savez(tmp_path / "other.npz", x=1)
    assert main(words) == 2
    assert message in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["fit", "open.ply", "--out", "a.npz"], "The mesh must be watertight for its inside to be known"),
        (
            ["fit", "points.npy", "--out", "a.npz", "--components", "0"],
            "`components` must be at least 1; got 0",
        ),
        (["pose", "MODEL", "empty.npy", "--out", "a.json", "--start", "0,0,-4"], "`mask` is empty"),
        (
            ["pose", "MODEL", "disc.npy", "--depth", "small.npy", "--out", "a.json", "--start", "0,0,-4"],
            "`depth` must have the camera's height and width, (16, 16); got (8, 8)",
        ),
        (["pose", "MODEL", "disc.npy", "--out", "a.json", "--start", "nan.npy"], "must be finite"),
        (["pose", "MODEL", "disc.npy", "--out", "a.json", "--start", "nan,0,1"], "must be finite"),
    ],
)
def test_bad_data_are_refused(words, message, model, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    box = trimesh.creation.box((1, 2, 3))
    trimesh.Trimesh(box.vertices, box.faces[1:]).export("open.ply")
    np.save("points.npy", box.vertices)
    np.save("empty.npy", np.zeros((16, 16)))
    np.save("disc.npy", np.ones((16, 16)))
    np.save("small.npy", np.ones((8, 8)))
    np.save("nan.npy", np.full((4, 4), np.nan))
    assert main([str(model) if word == "MODEL" else word for word in words]) == 2
    assert message in capsys.readouterr().err
    assert not list(tmp_path.glob("a.*"))


def test_masks_that_do_not_fit_are_named(tmp_path):
    ball_masks(tmp_path)
    Image.fromarray(np.zeros((16, 16), np.uint8)).save(tmp_path / "3.png")
    with pytest.raises(ValueError, match=r"3\.png: the mask is empty. Leave it out, with its pose"):
        inputs.read_views(tmp_path, None)
    Image.fromarray(np.ones((8, 16), np.uint8)).save(tmp_path / "3.png")
    with pytest.raises(ValueError, match=r"3\.png: the mask must have the camera's 16 rows .* got 8 x 16"):
        inputs.read_views(tmp_path, None)
    (tmp_path / "3.png").unlink()
    with pytest.raises(ValueError, match="6 poses for 5 masks"):
        inputs.read_views(tmp_path, None)


def test_without_the_extra_it_says_so(monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "tyro", None)
    assert __main__.main() == 2
    assert 'pip install "fuzzy-metaballs[cli]"' in capsys.readouterr().err
