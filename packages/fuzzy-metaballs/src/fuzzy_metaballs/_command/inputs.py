"""What the command reads: meshes, points, masks, cameras, numbers in words."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING
from zipfile import BadZipFile

import jax.numpy as jnp
import numpy as np

from fuzzy_metaballs._camera import Camera
from fuzzy_metaballs._pose import look_at
from fuzzy_metaballs.files import read_colmap

if TYPE_CHECKING:
    from pathlib import Path

    from fuzzy_metaballs._shape import FuzzyMetaballs

IMAGES = {".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff", ".webp"}


def read_mesh(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """Vertices (M, 3) and faces (K, 3); no faces for a cloud."""
    if not path.exists():
        raise ValueError(f"{path}: there is no such file.")
    suffix = path.suffix.lower()
    if suffix in {".npy", ".xyz", ".txt", ".csv"}:
        delimiter = "," if suffix == ".csv" else None
        points = np.load(path) if suffix == ".npy" else np.loadtxt(path, delimiter=delimiter)
        if points.ndim != 2 or points.shape[1] < 3:
            raise ValueError(f"{path}: points must have shape (P, 3); got {points.shape}.")
        return points[:, :3], np.zeros((0, 3), int)
    try:
        import trimesh
    except ImportError as error:
        raise ImportError(f'{path} needs trimesh: pip install "fuzzy-metaballs[cli]"') from error
    loaded = trimesh.load(path)
    if isinstance(loaded, trimesh.Scene):
        loaded = loaded.to_mesh()
    faces = np.asarray(getattr(loaded, "faces", np.zeros((0, 3), int)))
    return np.asarray(getattr(loaded, "vertices", np.zeros((0, 3))), np.float64), faces


def read_mask(path: Path) -> np.ndarray:
    """A mask in [0, 1], (H, W), of an image or array; the last channel of an image that has alpha."""
    if not path.exists():
        raise ValueError(f"{path}: there is no such file.")
    if path.suffix.lower() == ".npy":
        return np.load(path)
    if path.suffix.lower() not in IMAGES:
        raise ValueError(f"{path}: a mask must end in one of .npy, {', '.join(sorted(IMAGES))}.")
    try:
        from PIL import Image
    except ImportError as error:
        raise ImportError(f'{path} needs Pillow: pip install "fuzzy-metaballs[cli]"') from error
    with Image.open(path) as image:
        channel = image.getchannel("A") if image.mode in {"LA", "RGBA"} else image.convert("L")
        return np.asarray(channel, np.float32) / 255


def read_views(folder: Path, cameras: Path | None) -> tuple[np.ndarray, Camera, np.ndarray]:
    """Masks (V, H, W), their camera and poses (V, 4, 4)."""
    files = sorted(path for path in folder.iterdir() if path.suffix.lower() in IMAGES)
    if len(files) < 2:
        raise ValueError(f"{folder}: at least 2 masks must be there, one shows no depth; got {len(files)}.")
    source = folder / "cameras.npz" if cameras is None else cameras
    if source.is_dir():
        files, camera, poses = _of_colmap(files, source)
    else:
        stored = _npz(source)
        for name in ("intrinsics", "poses"):
            if name not in stored:
                raise ValueError(f"{source}: the array `{name}` is missing.")
        poses, intrinsics = stored["poses"], stored["intrinsics"]
        if len(poses) != len(files):
            raise ValueError(f"{source}: {len(poses)} poses for {len(files)} masks in {folder}.")
        height, width = read_mask(files[0]).shape
        camera = Camera(jnp.asarray(intrinsics, float), width, height)
    masks = [read_mask(path) for path in files]
    for path, mask in zip(files, masks, strict=True):
        if mask.shape != (camera.height, camera.width):
            raise ValueError(
                f"{path}: the mask must have the camera's {camera.height} rows and {camera.width} columns; "
                f"got {mask.shape[0]} x {mask.shape[1]}."
            )
        if not 0 < mask.mean() < 1:
            raise ValueError(
                f"{path}: the mask is {'full' if mask.mean() else 'empty'}. Leave it out, with its pose."
            )
    return np.stack(masks), camera, np.asarray(poses)


def _of_colmap(files: list[Path], folder: Path) -> tuple[list[Path], Camera, np.ndarray]:
    """The masks that COLMAP has a pose for, by name; all must share one camera."""
    stems = {path.stem: path for path in files}
    # A mask of a.jpg may be called a.png or a.jpg.png.
    views = [(stems.get(v.name) or stems.get(v.name.rsplit(".", 1)[0]), v) for v in read_colmap(folder)]
    found = [(path, view) for path, view in views if path is not None]
    if len(found) < 2:
        raise ValueError(f"{folder}: no two of its images have a mask of that name, such as {files[0].name}.")
    camera = found[0][1].camera
    for path, view in found:
        same = (view.camera.width, view.camera.height) == (camera.width, camera.height)
        if not same or not np.allclose(view.camera.intrinsics, camera.intrinsics):
            raise ValueError(f"{folder}: {path.name} has another camera; all masks must share one.")
    return [path for path, _ in found], camera, np.stack([np.asarray(view.pose) for _, view in found])


def read_start(word: str, shape: FuzzyMetaballs, path: Path) -> np.ndarray:
    """A pose: from an eye such as 0,1,3, or from a file."""
    if path.suffix.lower() not in {".npy", ".json"}:
        return np.asarray(look_at(numbers("--start", word, 3), shape.weights @ shape.means))
    if not path.exists():
        raise ValueError(f"--start {path}: there is no such file.")
    if path.suffix.lower() == ".npy":
        return np.load(path)
    stored = json.loads(path.read_text(encoding="utf-8"))
    return np.array(stored["pose"] if isinstance(stored, dict) else stored, float)


def numbers(option: str, word: str, count: int, *, between: str = ",") -> list[float]:
    """Numbers in a word such as 0,1,3."""
    try:
        values = [float(part) for part in word.split(between)]
    except ValueError:
        values = []
    if len(values) != count:
        example = between.join("120"[:count])
        raise ValueError(f"{option} {word}: {count} numbers must stand there, such as {example}.")
    return values


def _npz(path: Path) -> dict[str, np.ndarray]:
    if not path.exists():
        raise ValueError(f"{path}: there is no such file.")
    try:
        with np.load(path) as file:
            return dict(file)
    except (ValueError, OSError, EOFError, BadZipFile, TypeError) as error:
        raise ValueError(f"{path}: this is no .npz file that can be read.") from error
