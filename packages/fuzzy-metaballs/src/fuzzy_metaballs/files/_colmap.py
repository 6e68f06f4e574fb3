"""Cameras and poses of a COLMAP reconstruction, from its text or binary files."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import jax.numpy as jnp
import numpy as np

from fuzzy_metaballs._camera import Camera
from fuzzy_metaballs.files._arrays import shown
from fuzzy_metaballs.files._bytes import Bytes
from fuzzy_metaballs.files._view import View, pose_from_world_to_camera

if TYPE_CHECKING:
    import os
    from collections.abc import Iterator

# In the order of their numbers in the binary files, from COLMAP's `models.h`.
MODELS = (
    "SIMPLE_PINHOLE",
    "PINHOLE",
    "SIMPLE_RADIAL",
    "RADIAL",
    "OPENCV",
    "OPENCV_FISHEYE",
    "FULL_OPENCV",
    "FOV",
    "SIMPLE_RADIAL_FISHEYE",
    "RADIAL_FISHEYE",
    "THIN_PRISM_FISHEYE",
)
PARAMETERS = {"SIMPLE_PINHOLE": 3, "PINHOLE": 4}


class _Photograph(NamedTuple):
    """A line of `images.txt`, and where it stands."""

    quaternion: np.ndarray
    translation: np.ndarray
    camera: int
    name: str
    place: str


def read_colmap(folder: str | os.PathLike[str]) -> list[View]:
    """Reads the views of a COLMAP model: `cameras.txt` and `images.txt`, or the same two with `.bin`.

    COLMAP counts pixels from the corner of the image, so that the centre of the first pixel is (0.5, 0.5):
    the principal point moves by half a pixel to our convention. Its poses go from world to camera; they are
    inverted here.

    Args:
        folder: the model's, such as `sparse/0`. Binary files are taken where both forms are there, as COLMAP
            does.

    Returns:
        The registered images, in the order of the file.

    Raises:
        FileNotFoundError: a file is missing.
        ValueError: a camera has a model other than PINHOLE or SIMPLE_PINHOLE, a line or number is malformed,
            or an image names a camera that is not there; the message gives file and line.

    The format: https://colmap.github.io/format.html.
    """
    folder = Path(folder)
    binary = (folder / "cameras.bin").is_file() and (folder / "images.bin").is_file()
    suffix = ".bin" if binary else ".txt"
    paths = folder / f"cameras{suffix}", folder / f"images{suffix}"
    for path in paths:
        if not path.is_file():
            raise FileNotFoundError(
                f"{folder} holds no {path.name}. Name the folder of a COLMAP model, such as `sparse/0`: "
                "it has `cameras` and `images`, both with `.txt` or both with `.bin`."
            )
    read_cameras, read_photographs = (
        (_cameras_binary, _photographs_binary) if binary else (_cameras_text, _photographs_text)
    )
    cameras = dict(read_cameras(paths[0]))
    views = []
    for photograph in read_photographs(paths[1]):
        if photograph.camera not in cameras:
            raise ValueError(
                f"{photograph.place}: image {shown(photograph.name)!r} is of camera {photograph.camera}, "
                f"which {paths[0].name} does not have."
            )
        rotation = _rotation(photograph)
        try:
            pose = pose_from_world_to_camera(rotation, photograph.translation)
        except ValueError as error:
            raise ValueError(f"{photograph.place}: {error}") from error
        views.append(View(cameras[photograph.camera], pose, photograph.name))
    return views


def _camera(place: str, model: str, width: int, height: int, parameters: list[float]) -> Camera:
    if model not in PARAMETERS:
        raise ValueError(
            f"{place}: camera model {shown(model)} has distortion; only PINHOLE and SIMPLE_PINHOLE can be "
            "rendered. Undistort the images first: `colmap image_undistorter` writes a model with PINHOLE "
            "cameras."
        )
    if len(parameters) != PARAMETERS[model] or not np.isfinite(parameters).all():
        raise ValueError(
            f"{place}: {model} has {PARAMETERS[model]} finite parameters; got {shown(str(parameters))}. "
            "Export the model again with `colmap model_converter`."
        )
    focal, center = parameters[:-2], parameters[-2:]
    if max(map(abs, parameters)) > np.finfo(np.float32).max:
        raise ValueError(f"{place}: parameters beyond the range of single precision; got {parameters}.")
    intrinsics = [focal[0], focal[-1], center[0] - 0.5, center[1] - 0.5]
    try:
        return Camera(jnp.array(intrinsics, float), width, height)
    except ValueError as error:
        raise ValueError(f"{place}: {error}") from error


def _rotation(photograph: _Photograph) -> np.ndarray:
    """World to camera, from the quaternion (w, x, y, z)."""
    length = np.linalg.norm(photograph.quaternion)
    # Written with 15 digits; a length far from 1 is no rounding.
    if not abs(length - 1) < 1e-3 or not np.isfinite(photograph.translation).all():
        raise ValueError(
            f"{photograph.place}: image {shown(photograph.name)!r} needs a unit quaternion and a finite "
            f"translation; got {photograph.quaternion.tolist()} and {photograph.translation.tolist()}."
        )
    w, x, y, z = photograph.quaternion / length
    cross = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]])
    return np.eye(3) + 2 * w * cross + 2 * cross @ cross


def _lines(path: Path) -> Iterator[tuple[str, str]]:
    """The lines that are no comment, each with its place; blank ones too."""
    try:
        text = path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise ValueError(f"{path}: byte {error.start} is no UTF-8. Write the model again.") from error
    for number, line in enumerate(text.splitlines(), 1):
        if not line.startswith("#"):
            yield f"{path}:{number}", line.strip()


def _cameras_text(path: Path) -> Iterator[tuple[int, Camera]]:
    for place, line in _lines(path):
        if not line:
            continue
        try:
            number, model, width, height, *rest = line.split()
            given = int(number), model, int(width), int(height), [float(value) for value in rest]
        except ValueError as error:
            raise ValueError(
                f"{place}: expected CAMERA_ID MODEL WIDTH HEIGHT PARAMETERS; got {shown(line)!r}."
            ) from error
        yield given[0], _camera(place, *given[1:])


def _photographs_text(path: Path) -> Iterator[_Photograph]:
    lines = _lines(path)
    for place, line in lines:
        if not line:
            continue  # blank lines may stand between images; a list of points is taken below
        try:
            _, *numbers, camera, name = line.split(maxsplit=9)
            values = np.array([float(value) for value in numbers])
            photograph = _Photograph(values[:4], values[4:], int(camera), name, place)
        except ValueError as error:
            raise ValueError(
                f"{place}: expected IMAGE_ID QW QX QY QZ TX TY TZ CAMERA_ID NAME; got {shown(line)!r}."
            ) from error
        if len(values) != 7:
            raise ValueError(
                f"{place}: expected IMAGE_ID QW QX QY QZ TX TY TZ CAMERA_ID NAME; got {shown(line)!r}."
            )
        yield photograph
        next(lines, None)  # its points in the image, perhaps none


def _cameras_binary(path: Path) -> Iterator[tuple[int, Camera]]:
    data = Bytes(path)
    for _ in range(data.integer("<u8")):
        number, model = data.integer("<i4"), data.integer("<i4")
        width, height = data.integer("<u8"), data.integer("<u8")
        place = f"{path}, camera {number}"
        name = MODELS[model] if 0 <= model < len(MODELS) else f"number {model}"
        parameters = data.array("<f8", PARAMETERS.get(name, 0)).tolist()
        yield number, _camera(place, name, width, height, parameters)


def _photographs_binary(path: Path) -> Iterator[_Photograph]:
    data = Bytes(path)
    for _ in range(data.integer("<u8")):
        number = data.integer("<i4")
        quaternion, translation = data.array("<f8", 4), data.array("<f8", 3)
        camera = data.integer("<i4")
        name = data.text()
        data.skip(24 * data.integer("<u8"))  # points: column, row, number in the cloud
        yield _Photograph(quaternion, translation, camera, name, f"{path}, image {number}")
