"""Camera files, written here byte by byte, and points projected as each format's own documentation says."""

from __future__ import annotations

import gzip
import json
import struct

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from fuzzy_metaballs import Camera, look_at, opengl_pose
from fuzzy_metaballs.files import read_co3d, read_colmap

WIDTH, HEIGHT = 7, 5
FOCAL, CENTER = (50.0, 60.0), (3.0, 2.25)  # in the formats' pixels, from the corner of the image


@pytest.fixture
def motion(rng) -> tuple[np.ndarray, np.ndarray]:
    """World to camera, x right, y down: rotation and translation."""
    return Rotation.random(rng=rng).as_matrix(), rng.normal(size=3) + np.array([0, 0, 5])


def points_on_rays(view) -> np.ndarray:
    """A point of the world on each pixel's ray, at depths between 1 and 3."""
    rays = np.asarray(view.camera.rays()).reshape(-1, 3)
    depths = np.linspace(1, 3, len(rays))[:, None]
    pose = np.asarray(view.pose)
    return rays * depths @ pose[:3, :3].T + pose[:3, 3]


def centers() -> np.ndarray:
    """The pixels' centres, counted from the corner of the image: (0.5, 0.5), (1.5, 0.5) and so on."""
    return np.stack(np.meshgrid(np.arange(WIDTH) + 0.5, np.arange(HEIGHT) + 0.5), axis=-1).reshape(-1, 2)


def as_text(folder, motion, model="PINHOLE", parameters=(*FOCAL, *CENTER), camera=3) -> None:
    rotation, translation = motion
    x, y, z, w = Rotation.from_matrix(rotation).as_quat()
    numbers = " ".join(repr(float(value)) for value in (w, x, y, z, *translation))
    (folder / "cameras.txt").write_text(
        f"# Camera list\n3 {model} {WIDTH} {HEIGHT} {' '.join(map(str, parameters))}\n"
    )
    (folder / "images.txt").write_text(
        f"# Image list\n# two lines\n1 {numbers} {camera} a b.png\n\n2 {numbers} {camera} c.png\n1 2 -1\n"
    )


def as_binary(folder, motion, model=1, parameters=(*FOCAL, *CENTER)) -> None:
    rotation, translation = motion
    x, y, z, w = Rotation.from_matrix(rotation).as_quat()
    (folder / "cameras.bin").write_bytes(
        struct.pack(f"<QiiQQ{len(parameters)}d", 1, 3, model, WIDTH, HEIGHT, *parameters)
    )
    pose = struct.pack("<7d", w, x, y, z, *translation)
    first = struct.pack("<i", 1) + pose + struct.pack("<i", 3) + b"a b.png\0"
    second = struct.pack("<i", 2) + pose + struct.pack("<i", 3) + b"c.png\0"
    points = struct.pack("<Q", 1) + struct.pack("<ddq", 1.0, 2.0, -1)
    (folder / "images.bin").write_bytes(struct.pack("<Q", 2) + first + struct.pack("<Q", 0) + second + points)


@pytest.mark.parametrize("write", [as_text, as_binary])
@pytest.mark.parametrize("simple", [False, True])
def test_colmap_projects_its_points_onto_our_pixel_centres(write, simple, motion, tmp_path, double):
    model = ("SIMPLE_PINHOLE" if simple else "PINHOLE") if write is as_text else int(not simple)
    focal = (FOCAL[0], FOCAL[0]) if simple else FOCAL
    write(tmp_path, motion, model, (*set(focal), *CENTER) if simple else (*focal, *CENTER))
    views = read_colmap(tmp_path)
    assert [view.name for view in views] == ["a b.png", "c.png"]
    inside = points_on_rays(views[1]) @ motion[0].T + motion[1]  # colmap.github.io/format.html: x' = R x + t
    pixels = inside[:, :2] / inside[:, 2:] * focal + CENTER
    np.testing.assert_allclose(pixels, centers(), rtol=0, atol=1e-11)


@pytest.mark.parametrize("layout", ["ndc_norm_image_bounds", "ndc_isotropic", None])
@pytest.mark.parametrize("zipped", [False, True])
def test_co3d_projects_its_points_onto_our_pixel_centres(layout, zipped, motion, tmp_path, double):
    # PyTorch3D: x' = x R + T in rows, x left and y up; NDC grows to the left and up.
    rotation, translation = motion[0], motion[1]
    unit = np.array([WIDTH, HEIGHT]) / 2 if layout != "ndc_isotropic" else np.full(2, HEIGHT / 2)
    focal, principal = np.array([2.5, 3.0]), np.array([0.1, -0.2])
    viewpoint = {
        "R": rotation.tolist(),
        "T": translation.tolist(),
        "focal_length": focal.tolist(),
        "principal_point": principal.tolist(),
    }
    if layout:
        viewpoint["intrinsics_format"] = layout
    frame = {"image": {"path": "a.jpg", "size": [HEIGHT, WIDTH]}, "viewpoint": viewpoint, "mask": None}
    frames = [
        {"sequence_name": "other", **frame},
        {"sequence_name": "one", **frame, "mask": {"path": "a.png"}},
    ]
    path = tmp_path / "frame_annotations.jgz"
    data = json.dumps(frames).encode()
    path.write_bytes(gzip.compress(data) if zipped else data)
    (view,) = read_co3d(path, sequence="one")
    assert (view.name, view.mask) == ("a.jpg", "a.png")
    assert read_co3d(path)[0].mask is None
    inside = points_on_rays(view) @ rotation + translation
    assert (inside[:, 2] > 0).all()
    ndc = inside[:, :2] / inside[:, 2:] * focal + principal
    pixels = np.array([WIDTH, HEIGHT]) / 2 - ndc * unit  # from the corner of the image
    np.testing.assert_allclose(pixels, centers(), rtol=0, atol=1e-11)


def test_a_point_worked_by_hand(tmp_path):
    # The camera stands at (0, 0, -2) and looks along +z: (0.1, -0.2, 0) is seen at 50 * 0.05 + 3 = 5.5 and
    # 60 * -0.1 + 2.25 = -3.75 from the corner, half a pixel less from the first pixel's centre.
    as_text(tmp_path, (np.eye(3), np.array([0.0, 0.0, 2.0])))
    view = read_colmap(tmp_path)[0]
    np.testing.assert_array_equal(view.pose[:3, 3], [0, 0, -2])
    np.testing.assert_allclose(view.camera.project([[0.1, -0.2, 0.0]], view.pose), [[5.0, -4.25]], rtol=1e-6)


def test_opengl_axes(rng):
    pose = look_at([1.0, 2.0, 3.0])
    other = opengl_pose(pose)
    np.testing.assert_array_equal(other[:3, 1], -pose[:3, 1])  # y up
    np.testing.assert_array_equal(other[:, 3], pose[:, 3])
    np.testing.assert_array_equal(opengl_pose(other), pose)
    np.testing.assert_array_equal(opengl_pose(jnp.stack([pose, other]))[1], pose)
    camera = Camera.from_fov(WIDTH, HEIGHT, fov=0.5)
    world = camera.rays() @ pose[:3, :3].T  # the same rays in the world, through either camera's axes
    np.testing.assert_allclose(camera.rays(convention="opengl") @ other[:3, :3].T, world, rtol=0, atol=1e-6)


def test_projection_is_the_inverse_of_rays_with_the_gradient_of_a_calibration(double):
    camera = Camera(jnp.array([50.0, 60.0, 3.0, 2.5]), WIDTH, HEIGHT)
    pose = look_at([1.0, 2.0, -3.0])
    point = pose[:3, 3] + 2 * camera.rays()[2, 4] @ pose[:3, :3].T
    np.testing.assert_allclose(camera.project(point[None], pose), [[4, 2]], rtol=0, atol=1e-12)
    slopes = jax.jacobian(lambda lens: Camera(lens, WIDTH, HEIGHT).project(point[None], pose)[0])(
        camera.intrinsics
    )
    # x = fx X / Z + cx, and X / Z = (4 - 3) / 50.
    np.testing.assert_allclose(slopes, [[0.02, 0, 1, 0], [0, -0.5 / 60, 0, 1]], rtol=0, atol=1e-12)


FRAME = {
    "sequence_name": "one",
    "image": {"path": "a.jpg", "size": [HEIGHT, WIDTH]},
    "viewpoint": {"R": np.eye(3).tolist(), "T": [0, 0, 1], "focal_length": [1, 1], "principal_point": [0, 0]},
}


def with_viewpoint(**changes) -> list:
    return [{**FRAME, "viewpoint": {**FRAME["viewpoint"], **changes}}]


@pytest.mark.parametrize(
    ("frames", "message"),
    [
        ("{", "is neither JSON nor gzipped JSON"),
        ({}, r"must hold a list of frames; got dict.*Name a category's `frame_annotations.jgz`"),
        ([FRAME], r"has no frame of `sequence` = 'two'; it has 1: 'one'"),
        ([{"sequence_name": "two"}], "frame 0 has no entry 'viewpoint'"),
        (with_viewpoint(R=np.diag([1, 1, -1]).tolist()), "frame 0: viewpoint R must be a rotation"),
        (with_viewpoint(T=[0, 0, float("nan")]), r"viewpoint T must be finite with shape \(3,\); got .*nan"),
        (with_viewpoint(focal_length=[1, -1]), "frame 0: .*positive focal lengths"),
        (with_viewpoint(intrinsics_format="screen"), "`intrinsics_format` must be one of .*; got 'screen'"),
    ],
)
def test_bad_annotations(frames, message, tmp_path):
    path = tmp_path / "frames.json"
    path.write_text(frames if isinstance(frames, str) else json.dumps(frames))
    with pytest.raises(ValueError, match=message):
        read_co3d(path, sequence="two" if "two" in message or "viewpoint'" in message else "one")


IDENTITY = (np.eye(3), np.zeros(3))


@pytest.mark.parametrize(
    ("write", "message"),
    [
        (
            lambda folder: as_text(folder, IDENTITY, "OPENCV", (1,) * 8),
            r"cameras.txt:2: camera model OPENCV has distortion.*`colmap image_undistorter`",
        ),
        (
            lambda folder: as_binary(folder, IDENTITY, 2, (1.0,) * 4),
            "camera 3: camera model SIMPLE_RADIAL has distortion",
        ),
        (lambda folder: as_binary(folder, IDENTITY, 99), "camera model number 99 has distortion"),
        (
            lambda folder: as_text(folder, IDENTITY, "PINHOLE", (1, 2, 3)),
            r"PINHOLE has 4 finite parameters; got \[1.0, 2.0, 3.0\]",
        ),
        (
            lambda folder: as_text(folder, IDENTITY, "PINHOLE", (0, 1, 2, 3)),
            "cameras.txt:2: .*positive focal",
        ),
        (lambda folder: as_text(folder, IDENTITY, "PINHOLE", ("x",)), "expected CAMERA_ID MODEL"),
        (lambda folder: as_text(folder, IDENTITY, camera=4), "'a b.png' is of camera 4, which cameras.txt"),
        (lambda folder: as_text(folder, IDENTITY, camera="x"), "images.txt:3: expected IMAGE_ID QW"),
        (
            lambda folder: as_text(folder, (np.eye(3), np.array([0, 0, np.nan]))),
            "'a b.png' needs a unit quaternion and a finite translation",
        ),
    ],
)
def test_bad_models(write, message, tmp_path):
    write(tmp_path)
    with pytest.raises(ValueError, match=message):
        read_colmap(tmp_path)


def test_models_that_are_cut_short_or_missing(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"holds no cameras.txt. Name the folder of a COLMAP model"):
        read_colmap(tmp_path)
    as_binary(tmp_path, IDENTITY)
    path = tmp_path / "images.bin"
    path.write_bytes(path.read_bytes()[:-8])
    with pytest.raises(ValueError, match=r"images.bin: ends after .* It is cut short"):
        read_colmap(tmp_path)
    path.write_bytes(path.read_bytes()[:78])
    with pytest.raises(ValueError, match="a name at byte 72 has no end"):
        read_colmap(tmp_path)


def test_rays_in_an_unknown_convention():
    unchecked = getattr(Camera.rays, "__wrapped__", Camera.rays)
    with pytest.raises(ValueError, match="`convention` must be one of 'opencv', 'opengl'; got 'blender'"):
        unchecked(Camera.from_fov(4, 4, fov=1.0), convention="blender")
