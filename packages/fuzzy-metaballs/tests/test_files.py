"""What is written, read by other programs or by hand as each format's documentation says."""

from __future__ import annotations

import json
import struct
from dataclasses import replace

import imageio.v3 as imageio
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scenes import random_scene
from scipy.spatial.transform import Rotation

from fuzzy_metaballs import Camera, FuzzyMetaballs, Image, Mesh, look_at, render
from fuzzy_metaballs.files import (
    read_model,
    read_splats,
    write_image,
    write_mesh,
    write_model,
    write_points,
    write_splats,
    write_turntable,
)

TRIANGLE = Mesh(
    np.array([[0.0, 0, 0], [1, 0, 0], [0, 2, 0]]), np.array([[0, 1, 2]]), np.tile([0.0, 0, 1], (3, 1))
)


@pytest.fixture
def shape(rng) -> FuzzyMetaballs:
    return replace(random_scene("ordinary", 0).shape, features=jnp.asarray(rng.uniform(size=(6, 3))))


@pytest.fixture
def image(shape) -> Image:
    camera = Camera.from_fov(9, 7, fov=0.7)
    return render(shape, camera, look_at([0.0, 0.0, -4.0]), blend="two_parameter")


def test_a_model_comes_back_to_the_bit(shape, tmp_path, double):
    path = tmp_path / "model.npz"
    for given in (shape, replace(shape, features=None), jax.tree.map(lambda x: x.astype(jnp.float64), shape)):
        write_model(path, given)
        read = read_model(path)
        assert jax.tree.structure(read) == jax.tree.structure(given)
        for got, want in zip(jax.tree.leaves(read), jax.tree.leaves(given), strict=True):
            assert got.dtype == want.dtype
            np.testing.assert_array_equal(got, want)
    assert list(tmp_path.iterdir()) == [path]


def test_files_that_are_no_models(shape, tmp_path):
    path = tmp_path / "model.npz"
    with pytest.raises(FileNotFoundError):
        read_model(path)
    path.write_bytes(b"PK")
    with pytest.raises(ValueError, match=r"model.npz: is no .npz file that can be read"):
        read_model(path)
    np.savez(path, means=np.zeros((1, 3)))
    with pytest.raises(ValueError, match=r"is no model: it has no `version`. Write one with `write_model`"):
        read_model(path)
    np.savez(path, version=2)
    with pytest.raises(ValueError, match=r"has version 2; this package reads up to 1. Update it"):
        read_model(path)
    np.savez(path, version=1, means=np.zeros((1, 3)))
    with pytest.raises(ValueError, match="lacks log_diagonal, shear, log_weights, log_eta"):
        read_model(path)
    write_model(path, shape)
    arrays = dict(np.load(path))
    np.savez(path, **{**arrays, "means": arrays["means"] * np.nan})
    with pytest.raises(ValueError, match=r"model.npz: `means` must be finite; means\[0, 0\] = nan"):
        read_model(path)
    np.savez(path, **{**arrays, "means": np.array([object()])})
    with pytest.raises(ValueError, match=r"is no .npz file that can be read: Object arrays"):
        read_model(path)
    diverged = jax.tree.map(lambda x: x * jnp.nan, shape)
    with pytest.raises(
        ValueError, match=r"`shape.means` must be finite; .* is not written. Did the fit diverge"
    ):
        write_model(tmp_path / "other.npz", diverged)
    with pytest.raises(ValueError, match=r"must end in one of .npz; got '.pkl'"):
        write_model(tmp_path / "model.pkl", shape)
    with pytest.raises(ValueError, match=r"there is no folder .*nowhere. Make it first"):
        write_model(tmp_path / "nowhere" / "model.npz", shape)


def test_splats_come_back_to_rounding(shape, tmp_path):
    path = tmp_path / "splats.ply"
    write_splats(path, shape)
    read = read_splats(path)
    eps = np.finfo(np.float32).eps
    np.testing.assert_array_equal(read.means, shape.means)
    # Scales are logarithms, so a relative error of |log| eps; the axes turn by eps, times a condition of 30.
    for name, tolerance in (("covariances", 100 * eps), ("features", 4 * eps)):
        want = np.asarray(getattr(shape, name))
        np.testing.assert_allclose(getattr(read, name), want, rtol=0, atol=tolerance * np.abs(want).max())
    np.testing.assert_allclose(read.log_weights, shape.log_weights, rtol=0, atol=16 * eps)
    write_splats(path, read)
    again = read_splats(path)
    for got, want in zip(jax.tree.leaves(again), jax.tree.leaves(read), strict=True):
        np.testing.assert_allclose(got, want, rtol=1e-4, atol=1e-5)


def test_splats_hold_what_the_format_says(shape, tmp_path):
    path = tmp_path / "splats.ply"
    write_splats(path, shape, blend="paper")
    data = path.read_bytes()
    header, body = (
        data[: data.index(b"end_header\n") + 11].decode().split("\n"),
        data.split(b"end_header\n")[1],
    )
    names = [line.split()[2] for line in header if line.startswith("property float")]
    assert header[1:3] == ["format binary_little_endian 1.0", "element vertex 6"]
    table = np.frombuffer(body, "<f4").reshape(6, len(names))
    columns = dict(zip(names, table.T, strict=True))
    quaternions = np.stack([columns[f"rot_{i}"] for i in range(4)], axis=1)  # w first
    axes = Rotation.from_quat(quaternions, scalar_first=True).as_matrix()
    scales = np.exp(np.stack([columns[f"scale_{i}"] for i in range(3)], axis=1))
    covariances = axes * scales[:, None] ** 2 @ axes.transpose(0, 2, 1)
    np.testing.assert_allclose(covariances, shape.covariances, rtol=0, atol=1e-5)
    weights = np.asarray(shape.weights)
    scale, offset = 2 * np.exp(6.369), -2 * np.exp(6.369 - 5.422)
    np.testing.assert_allclose(columns["opacity"], scale * weights + offset, rtol=1e-5)
    colors = 0.5 + columns["f_dc_1"] / np.sqrt(4 * np.pi)
    np.testing.assert_allclose(colors, shape.features[:, 1], rtol=0, atol=1e-6)


TEXT = """ply
format ascii 1.0
comment by hand
element vertex 1
property double x
property double y
property double z
property float opacity
property float scale_0
property float scale_1
property float scale_2
property float rot_0
property float rot_1
property float rot_2
property float rot_3
end_header
1 2 3 0 {scale} 0 0 {w} 0 0 0
"""


def test_splats_as_text_without_colour(tmp_path):
    path = tmp_path / "splats.ply"
    path.write_text(TEXT.format(scale=np.log(2), w=3))
    read = read_splats(path)
    assert read.features is None
    np.testing.assert_allclose(read.covariances[0], np.diag([4, 1, 1]), rtol=1e-6)
    np.testing.assert_allclose(read.log_weights, np.log(np.log(2)), rtol=1e-6)  # alpha 1/2 at the centre


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("solid", "is no PLY file"),
        (TEXT.format(scale="nan", w=1), "scale_0 of splat 0 is nan. Leave that splat out"),
        (TEXT.format(scale=0, w=0), "each with a quaternion other than 0"),
        (TEXT.replace("float opacity", "float alpha"), "these are no Gaussian splats; missing: opacity"),
        (TEXT.replace("ascii", "packed"), "the format must be one of .*; got packed"),
        (TEXT.replace("float opacity", "list uchar int opacity"), "a vertex must have numbers alone; got"),
        (TEXT.replace("element vertex", "element face"), "the first element must be `vertex`"),
        (TEXT.replace("element vertex 1", "element vertex 2"), "ends after 11 of 22 numbers"),
        (TEXT.replace("ascii", "binary_little_endian"), "ends after .* bytes, but 56 more are due"),
    ],
)
def test_files_that_are_no_splats(content, message, tmp_path):
    path = tmp_path / "splats.ply"
    path.write_text(content.replace("{scale}", "0").replace("{w}", "1"))
    with pytest.raises(ValueError, match=message):
        read_splats(path)


def test_splats_need_colours_for_features(shape, tmp_path):
    path = tmp_path / "splats.ply"
    with pytest.raises(ValueError, match=r"`shape.features` must be colours, \(N, 3\); got \(6, 2\)"):
        write_splats(path, replace(shape, features=shape.features[:, :2]))
    ill = jax.tree.unflatten(jax.tree.structure(shape), [shape.means * jnp.nan, *jax.tree.leaves(shape)[1:]])
    with pytest.raises(ValueError, match="`shape` must be finite; its x is not"):
        write_splats(path, ill)
    assert not path.exists()


def test_glb_as_its_specification_says(tmp_path):
    path = tmp_path / "mesh.glb"
    write_mesh(path, TRIANGLE)
    data = path.read_bytes()
    magic, version, length, json_length, kind = struct.unpack("<4sII I4s", data[:20])
    assert (magic, version, length, kind) == (b"glTF", 2, len(data), b"JSON")
    assert json_length % 4 == 0
    description = json.loads(data[20 : 20 + json_length])
    size, kind = struct.unpack_from("<I4s", data, 20 + json_length)
    buffer = data[28 + json_length :]
    assert (size, kind) == (len(buffer), b"BIN\0") == (description["buffers"][0]["byteLength"], b"BIN\0")
    (primitive,) = description["meshes"][0]["primitives"]

    def accessor(number):
        given = description["accessors"][number]
        view = description["bufferViews"][given["bufferView"]]
        part = buffer[view["byteOffset"] : view["byteOffset"] + view["byteLength"]]
        values = np.frombuffer(part, {5126: "<f4", 5125: "<u4"}[given["componentType"]])
        return values.reshape(given["count"], {"VEC3": 3, "SCALAR": 1}[given["type"]]), given

    vertices, given = accessor(primitive["attributes"]["POSITION"])
    np.testing.assert_array_equal(vertices, TRIANGLE.vertices)
    assert (given["min"], given["max"]) == ([0, 0, 0], [1, 2, 0])
    np.testing.assert_array_equal(accessor(primitive["attributes"]["NORMAL"])[0], TRIANGLE.normals)
    np.testing.assert_array_equal(accessor(primitive["indices"])[0].ravel(), [0, 1, 2])


def test_meshes_and_points_in_plain_formats(tmp_path):
    write_mesh(tmp_path / "mesh.obj", TRIANGLE)
    assert (tmp_path / "mesh.obj").read_text() == (
        "v 0 0 0\nv 1 0 0\nv 0 2 0\nvn 0 0 1\nvn 0 0 1\nvn 0 0 1\nf 1//1 2//2 3//3\n"
    )
    write_mesh(tmp_path / "mesh.stl", TRIANGLE)
    data = (tmp_path / "mesh.stl").read_bytes()
    assert struct.unpack_from("<I12fH", data, 80) == (1, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 2, 0, 0)
    assert len(data) == 134
    write_mesh(tmp_path / "mesh.ply", TRIANGLE)
    header, body = (tmp_path / "mesh.ply").read_bytes().split(b"end_header\n")
    assert header.decode().splitlines()[2:3] + header.decode().splitlines()[-2:] == [
        "element vertex 3", "element face 1", "property list uchar int vertex_indices",
    ]  # fmt: skip
    vertices = np.frombuffer(body[: 3 * 24], "<f4").reshape(3, 6)
    np.testing.assert_array_equal(vertices, np.hstack([TRIANGLE.vertices, TRIANGLE.normals]))
    assert struct.unpack("<B3i", body[3 * 24 :]) == (3, 0, 1, 2)
    write_points(tmp_path / "points.ply", jnp.arange(6.0).reshape(2, 3))
    assert (tmp_path / "points.ply").read_bytes().endswith(struct.pack("<6f", 0, 1, 2, 3, 4, 5))


def test_meshes_and_points_that_cannot_be_written(tmp_path):
    with pytest.raises(ValueError, match=r"must end in one of .ply, .glb, .obj, .stl; got '.fbx'"):
        write_mesh(tmp_path / "mesh.fbx", TRIANGLE)
    ill = TRIANGLE._replace(vertices=TRIANGLE.vertices + np.array([[0], [np.inf], [0]]))
    with pytest.raises(ValueError, match=r"`mesh.vertices` must be finite; vertices\[1\] = \[inf inf inf\]"):
        write_mesh(tmp_path / "mesh.ply", ill)
    unchecked = getattr(write_points, "__wrapped__", write_points)
    with pytest.raises(ValueError, match=r"`points` must be finite with shape \(M, 3\); got shape \(2, 2\)"):
        unchecked(tmp_path / "points.ply", np.zeros((2, 2)))
    assert not list(tmp_path.iterdir())


def test_pictures_hold_the_numbers(image, tmp_path):
    seen = np.asarray(image.alpha) >= 0.5
    assert 0 < seen.sum() < seen.size
    write_image(tmp_path / "depth.png", image)
    depth = imageio.imread(tmp_path / "depth.png")
    assert depth.dtype == np.uint16
    np.testing.assert_allclose(depth[seen] / 1000, np.asarray(image.depth)[seen], rtol=0, atol=0.5001e-3)
    assert not depth[~seen].any()
    write_image(tmp_path / "alpha.png", image, show="alpha")
    np.testing.assert_allclose(
        imageio.imread(tmp_path / "alpha.png") / 255, image.alpha, rtol=0, atol=0.5001 / 255
    )
    write_image(tmp_path / "normals.png", image, show="normals")
    normals = imageio.imread(tmp_path / "normals.png") / 255 * 2 - 1
    want = np.asarray(image.normals) * [1, -1, -1]
    np.testing.assert_allclose(normals[seen], want[seen], rtol=0, atol=1.0001 / 255)
    write_image(tmp_path / "all.npz", image)
    stored = dict(np.load(tmp_path / "all.npz"))
    assert sorted(stored) == ["alpha", "alpha_logit", "depth", "features", "normals"]
    for name, values in stored.items():
        np.testing.assert_array_equal(values, getattr(image, name))


def test_pictures_that_cannot_be_written(image, tmp_path):
    path = tmp_path / "image.png"
    with pytest.raises(
        ValueError, match="`depth_unit` = 1e-06 must be positive and give at most 65535 steps"
    ):
        write_image(path, image, depth_unit=1e-6)
    with pytest.raises(ValueError, match=r"must end in one of .png, .npz; got '.exr'"):
        write_image(tmp_path / "image.exr", image)
    with pytest.raises(ValueError, match=r"`image.depth` must be finite"):
        write_image(path, jax.tree.map(lambda x: x * jnp.nan, image))
    batch = jax.tree.unflatten(jax.tree.structure(image), [x[None] for x in jax.tree.leaves(image)])
    with pytest.raises(ValueError, match=r"must be one image; its depth has shape \(1, 7, 9\). Take image i"):
        write_image(path, batch)
    unchecked = getattr(write_image, "__wrapped__", write_image)
    with pytest.raises(ValueError, match="`show` must be one of 'depth', 'alpha', 'normals'; got 'colour'"):
        unchecked(path, image, show="colour")
    assert not path.exists()


@pytest.mark.parametrize("ending", [".gif", ".mp4"])
def test_turntables_have_all_their_frames(ending, shape, tmp_path):
    path = tmp_path / f"turn{ending}"
    write_turntable(path, shape, frames=4, size=32, seconds=1.0, blend="two_parameter")
    assert list(tmp_path.iterdir()) == [path]
    frames = np.stack([frame[..., :3] for frame in imageio.imiter(path)])
    assert frames.shape == (4, 32, 32, 3)
    assert (frames[:, 0, 0] > 240).all()  # white around
    assert np.abs(frames[0].astype(int) - frames[1]).max() > 50  # and it turns


def test_turntables_that_cannot_be_written(shape, tmp_path, monkeypatch):
    with pytest.raises(ValueError, match=r"must end in one of .gif, .mp4; got '.avi'"):
        write_turntable(tmp_path / "turn.avi", shape)
    with pytest.raises(ValueError, match="`frames` must be at least 2; got 1"):
        write_turntable(tmp_path / "turn.gif", shape, frames=1)
    with pytest.raises(ValueError, match="`size` must be even and at least 16; got 17"):
        write_turntable(tmp_path / "turn.gif", shape, size=17)
    monkeypatch.setitem(__import__("sys").modules, "imageio", None)
    with pytest.raises(ImportError, match=r'pip install "fuzzy-metaballs\[video\]"'):
        write_turntable(tmp_path / "turn.gif", shape)
