"""Cameras and poses of CO3D's frame annotations."""

from __future__ import annotations

import gzip
import json
import zlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

import jax.numpy as jnp
import numpy as np

from fuzzy_metaballs._camera import Camera
from fuzzy_metaballs.files._arrays import shown
from fuzzy_metaballs.files._view import View, pose_from_world_to_camera

if TYPE_CHECKING:
    import os


def read_co3d(path: str | os.PathLike[str], *, sequence: str | None = None) -> list[View]:
    r"""Reads the views of CO3D's `frame_annotations.jgz` (or the same as plain JSON).

    The file follows PyTorch3D: $x_{camera} = x_{world} R + T$ with rows for vectors, x to the left, y up, z
    forward. Its image coordinates grow to the left and up too; the image's edges are at -1 and 1 along its
    shorter side (`ndc_isotropic`) or along both sides (`ndc_norm_image_bounds`, taken where the file does not
    say). Each sequence has a world of its own.

    Args:
        path: of the annotations.
        sequence: the `sequence_name` to read; all by default.

    Returns:
        Views in the order of the file, `name` and `mask` as the file has them, relative to the data's root.

    Raises:
        ValueError: the file is no such list, a frame lacks an entry or has an unknown format, or there is no
            such sequence; the message gives the frame.

    Reizenstein et al., "Common Objects in 3D" (ICCV 2021); the file's types are PyTorch3D's
    `implicitron.dataset.types`.
    """
    path = Path(path)
    data = path.read_bytes()
    try:
        frames = json.loads(gzip.decompress(data) if data[:2] == b"\x1f\x8b" else data)
    except (OSError, EOFError, ValueError, zlib.error, RecursionError, MemoryError) as error:
        raise ValueError(f"{path}: is neither JSON nor gzipped JSON ({error}). Fetch it again.") from error
    if not isinstance(frames, list):
        raise ValueError(
            f"{path}: must hold a list of frames; got {type(frames).__name__}. "
            "Name a category's `frame_annotations.jgz`."
        )
    views, names = [], set()
    for number, frame in enumerate(frames):
        try:
            name = frame["sequence_name"]
            names.add(name)
            if sequence is None or name == sequence:
                views.append(_view(frame))
        except KeyError as error:
            raise ValueError(f"{path}: frame {number} has no entry {error}.") from error
        except (TypeError, ValueError, AttributeError, OverflowError) as error:
            raise ValueError(f"{path}: frame {number}: {shown(str(error), 400)}") from error
    if not views:
        some = ", ".join(repr(name) for name in sorted(names)[:5])
        raise ValueError(f"{path}: has no frame of `sequence` = {sequence!r}; it has {len(names)}: {some}.")
    return views


def _view(frame: dict[str, Any]) -> View:
    viewpoint, (height, width) = frame["viewpoint"], frame["image"]["size"]
    rotation, translation, focal, center = (
        _numbers(key, viewpoint[key], shape)
        for key, shape in (("R", (3, 3)), ("T", (3,)), ("focal_length", (2,)), ("principal_point", (2,)))
    )
    if np.abs(rotation @ rotation.T - np.eye(3)).max() > 1e-3 or np.linalg.det(rotation) < 0:
        raise ValueError(f"viewpoint R must be a rotation; got {rotation.tolist()}.")
    layout = viewpoint.get("intrinsics_format", "ndc_norm_image_bounds")
    half = np.array([width, height]) / 2
    if layout == "ndc_norm_image_bounds":
        unit = half
    elif layout == "ndc_isotropic":
        unit = half.min()
    else:
        raise ValueError(
            "`intrinsics_format` must be one of 'ndc_norm_image_bounds', 'ndc_isotropic'; "
            f"got {layout!r}. Convert the intrinsics with PyTorch3D first."
        )
    # Half a pixel from the corner of the image to the centre of its first pixel.
    intrinsics = jnp.asarray(np.concatenate([focal * unit, half - center * unit - 0.5]), float)
    if not bool(jnp.isfinite(intrinsics).all()):
        raise ValueError(
            f"focal length {focal.tolist()} and principal point {center.tolist()} are too large."
        )
    turned = np.diag([-1.0, -1.0, 1.0])  # x to the right, y down
    pose = pose_from_world_to_camera(turned @ rotation.T, turned @ translation)
    name, mask = frame["image"]["path"], (frame.get("mask") or {}).get("path")
    if not isinstance(name, str) or not isinstance(mask, str | None):
        raise ValueError(f"the paths of image and mask must be text; got {name!r} and {mask!r}.")
    return View(Camera(intrinsics, int(width), int(height)), pose, name, mask)


def _numbers(name: str, value: Any, shape: tuple[int, ...]) -> np.ndarray:
    array = np.asarray(value, np.float64)
    if array.shape != shape or not np.isfinite(array).all():
        raise ValueError(f"viewpoint {name} must be finite with shape {shape}; got {shown(str(value))}.")
    return array
