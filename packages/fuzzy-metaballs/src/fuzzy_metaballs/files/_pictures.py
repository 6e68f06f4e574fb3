"""Rendered images as files: pictures to look at, and the numbers themselves."""

from __future__ import annotations

import io
import struct
import zlib
from importlib import import_module
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from fuzzy_metaballs._camera import Camera
from fuzzy_metaballs._check import choose
from fuzzy_metaballs._pose import orbit_views
from fuzzy_metaballs._render import Image, render
from fuzzy_metaballs.files._atomic import replacing, target, write_bytes

if TYPE_CHECKING:
    import os

    from fuzzy_metaballs._render import BlendName
    from fuzzy_metaballs._shape import FuzzyMetaballs

Show = Literal["depth", "alpha", "normals"]


def write_image(
    path: str | os.PathLike[str], image: Image, *, show: Show = "depth", depth_unit: float = 1e-3
) -> None:
    """Writes a rendered image: one of its parts as .png, or all the numbers as .npz.

    The PNG of depth has 16 bits: the depth in units of `depth_unit`, rounded, and 0 where alpha is below 1/2,
    as in RGB-D data sets (millimetres in a world of metres). That of alpha has 8 bits, 255 for 1. That of
    normals has 8 bits a channel, (n + 1) / 2 for n to the right, up and towards the viewer, black where alpha
    is below 1/2.

    Args:
        path: where to.
        image: of `render`, not batched.
        show: which part; .npz takes all: `depth`, `alpha_logit`, `alpha`, `normals`, `features` if there.
        depth_unit: world units per step.

    Raises:
        ValueError: the name has another ending or its folder is missing, `show` is unknown, the image is a
            batch, a value is not finite, or a depth does not fit into 65535 steps.
    """
    path = target(path, [".png", ".npz"])
    choose("show", show, ("depth", "alpha", "normals"))
    arrays: dict[str, Any] = {
        name: np.asarray(getattr(image, name))
        for name in ("depth", "alpha_logit", "alpha", "normals", "features")
        if getattr(image, name) is not None
    }
    for name, values in arrays.items():
        if not np.isfinite(values).all():
            raise ValueError(f"`image.{name}` must be finite; {path} is not written.")
    if path.suffix.lower() == ".npz":
        stream = io.BytesIO()
        np.savez(stream, **arrays)
        write_bytes(path, stream.getvalue())
        return
    if arrays["depth"].ndim != 2:
        raise ValueError(
            f"`image` must be one image; its depth has shape {arrays['depth'].shape}. Take image i."
        )
    write_bytes(path, _png(_pixels(arrays, show, depth_unit)))


def write_turntable(
    path: str | os.PathLike[str],
    shape: FuzzyMetaballs,
    *,
    frames: int = 36,
    size: int = 256,
    blend: BlendName = "paper",
    elevation: float = 0.4,
    seconds: float = 3.0,
) -> None:
    """Writes the shape's normals seen once around as .gif, or as .mp4.

    Args:
        path: where to.
        shape: the mixture; y is up, and all of it within three eta of its mean is in the picture.
        frames: how many pictures, at least 2.
        size: width and height in pixels, even for .mp4, at least 16.
        blend: as in `render`.
        elevation: of the camera, radians.
        seconds: for the whole turn.

    Raises:
        ValueError: the name has another ending, or `frames` or `size` is too small.
        ImportError: imageio is missing (`pip install "fuzzy-metaballs[video]"`).
    """
    path = target(path, [".gif", ".mp4"])
    if frames < 2:
        raise ValueError(f"`frames` must be at least 2; got {frames}.")
    if size < 16 or size % 2:
        raise ValueError(f"`size` must be even and at least 16; got {size}.")
    try:
        from imageio import v2 as imageio

        if path.suffix.lower() == ".mp4":
            import_module("imageio_ffmpeg")  # imageio's plugin: would be missed only when it writes
    except ImportError as error:
        raise ImportError(
            'Turntables need imageio, and imageio-ffmpeg for .mp4: pip install "fuzzy-metaballs[video]"'
        ) from error
    center = np.asarray(shape.weights @ shape.means)
    camera = Camera.from_fov(size, size, fov=0.7)
    distance = 3 * float(shape.eta) / np.sin(0.35)
    pictures = []
    for pose in orbit_views(frames, distance=distance, elevation=elevation, center=center):
        image = render(shape, camera, pose, blend=blend)
        # On white, by alpha: the edge is as soft as the silhouette.
        alpha = np.asarray(image.alpha)[..., None]
        picture = alpha * _shades(np.asarray(image.normals)) + (1 - alpha)
        pictures.append(np.round(255 * picture).astype(np.uint8))
    options: dict[str, Any] = (
        {"fps": frames / seconds}
        if path.suffix.lower() == ".mp4"
        else {"duration": 1000 * seconds / frames, "loop": 0}
    )
    with replacing(path) as temporary:
        imageio.mimwrite(temporary, pictures, **options)


def _shades(normals: np.ndarray) -> np.ndarray:
    """Colours in [0, 1] of normals in camera coordinates."""
    return (normals * np.array([1, -1, -1]) + 1) / 2


def _pixels(arrays: dict[str, np.ndarray], show: Show, depth_unit: float) -> np.ndarray:
    seen = arrays["alpha"] >= 0.5
    if show == "alpha":
        return np.round(255 * arrays["alpha"]).astype(np.uint8)
    if show == "normals":
        return np.round(255 * _shades(arrays["normals"]) * seen[..., None]).astype(np.uint8)
    steps = np.round(np.where(seen, arrays["depth"], 0) / depth_unit)
    if not depth_unit > 0 or steps.max() > 65535:
        raise ValueError(
            f"`depth_unit` = {depth_unit:g} must be positive and give at most 65535 steps; the largest depth "
            f"is {arrays['depth'][seen].max(initial=0):g}. Take a larger unit, or write .npz."
        )
    return steps.astype(np.uint16)


def _png(pixels: np.ndarray) -> bytes:
    """Grey or colour, 8 or 16 bits: the four chunks that a PNG needs."""
    height, width = pixels.shape[:2]
    rows = pixels.astype(pixels.dtype.newbyteorder(">")).reshape(height, -1)
    lines = b"".join(b"\0" + row.tobytes() for row in rows)  # 0: no filter
    header = struct.pack(
        ">IIBBBBB", width, height, 8 * pixels.dtype.itemsize, 2 * (pixels.ndim == 3), 0, 0, 0
    )

    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    parts = [chunk(b"IHDR", header), chunk(b"IDAT", zlib.compress(lines)), chunk(b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)
