"""What the command reads: meshes, points, masks, cameras, numbers in words."""

from __future__ import annotations

import io
import json
from typing import TYPE_CHECKING

import jax.numpy as jnp
import numpy as np

from fuzzy_metaballs._camera import Camera
from fuzzy_metaballs._pose import look_at
from fuzzy_metaballs.files import read_colmap
from fuzzy_metaballs.files._arrays import read_npy, read_npz, shown

if TYPE_CHECKING:
    from pathlib import Path

    from fuzzy_metaballs._shape import FuzzyMetaballs

POINTS = {".npy", ".xyz", ".txt", ".csv"}
MESHES = {".ply", ".obj", ".stl", ".glb", ".off"}
IMAGES = {".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff", ".webp"}


def read_mesh(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """Vertices (M, 3) and faces (K, 3); no faces for a cloud."""
    if not path.exists():
        raise ValueError(f"{path}: there is no such file.")
    suffix = path.suffix.lower()
    if suffix not in POINTS | MESHES:
        raise ValueError(f"{path}: the name must end in one of {', '.join(sorted(POINTS | MESHES))}.")
    if suffix in POINTS:
        vertices, faces = _points(path, suffix), np.zeros((0, 3), int)
        if vertices.ndim != 2 or vertices.shape[1] < 3:
            raise ValueError(f"{path}: points must have shape (P, 3); got {vertices.shape}.")
        vertices = vertices[:, :3]
    else:
        vertices, faces = _triangles(path, suffix)
    if not np.isfinite(vertices).all():
        row = int(np.argmin(np.isfinite(vertices).all(1)))
        raise ValueError(f"{path}: point {row} is {vertices[row].tolist()}; all must be finite. Drop it.")
    if faces.size and not (faces.min() >= 0 and faces.max() < len(vertices)):
        raise ValueError(f"{path}: a face names a vertex that is not there. Write the mesh again.")
    return vertices, faces


def _points(path: Path, suffix: str) -> np.ndarray:
    if suffix == ".npy":
        return read_npy(path)
    try:
        return np.loadtxt(path, delimiter="," if suffix == ".csv" else None, ndmin=2)
    except ValueError as error:
        raise ValueError(
            f"{path}: must hold a line of numbers for each point: {shown(str(error), 200)}."
        ) from error


def _triangles(path: Path, suffix: str) -> tuple[np.ndarray, np.ndarray]:
    try:
        import trimesh
    except ImportError as error:
        raise ImportError(f'{path} needs trimesh: pip install "fuzzy-metaballs[cli]"') from error
    try:
        # from memory and without materials: whatever other files it names are not opened
        loaded = trimesh.load(io.BytesIO(path.read_bytes()), file_type=suffix[1:], skip_materials=True)
        if isinstance(loaded, trimesh.Scene):
            loaded = loaded.to_mesh()
        faces = np.asarray(getattr(loaded, "faces", np.zeros((0, 3))), int).reshape(-1, 3)
        return np.asarray(getattr(loaded, "vertices", np.zeros((0, 3))), np.float64).reshape(-1, 3), faces
    except Exception as error:  # readers raise whatever they like about a damaged file
        reason = shown(str(error).partition("\n")[0], 200) or type(error).__name__
        raise ValueError(f"{path}: is no mesh that can be read ({reason}).") from error


def read_mask(path: Path) -> np.ndarray:
    """A mask in [0, 1], (H, W), of an image or array; the last channel of an image that has alpha."""
    if not path.exists():
        raise ValueError(f"{path}: there is no such file.")
    if path.suffix.lower() == ".npy":
        mask = read_npy(path)
        if mask.ndim != 2 or not np.isfinite(mask).all():
            raise ValueError(f"{path}: a mask must be finite, with rows and columns alone; got {mask.shape}.")
        return mask
    if path.suffix.lower() not in IMAGES:
        raise ValueError(f"{path}: a mask must end in one of .npy, {', '.join(sorted(IMAGES))}.")
    try:
        from PIL import Image
    except ImportError as error:
        raise ImportError(f'{path} needs Pillow: pip install "fuzzy-metaballs[cli]"') from error
    try:
        with Image.open(path) as image:
            channel = image.getchannel("A") if image.mode in {"LA", "RGBA"} else image.convert("L")
            return np.asarray(channel, np.float32) / 255
    except Exception as error:  # Pillow raises whatever it likes about a damaged file
        raise ValueError(f"{path}: is no picture that can be read ({shown(str(error), 200)}).") from error


def read_views(folder: Path, cameras: Path | None) -> tuple[np.ndarray, Camera, np.ndarray]:
    """Masks (V, H, W), their camera and poses (V, 4, 4)."""
    files = sorted(path for path in folder.iterdir() if path.suffix.lower() in IMAGES)
    if len(files) < 2:
        raise ValueError(f"{folder}: at least 2 masks must be there, one shows no depth; got {len(files)}.")
    source = folder / "cameras.npz" if cameras is None else cameras
    if source.is_dir():
        files, camera, poses = _of_colmap(files, source)
    else:
        poses, intrinsics = _calibration(source)
        if len(poses) != len(files):
            raise ValueError(f"{source}: {len(poses)} poses for {len(files)} masks in {folder}.")
        height, width = read_mask(files[0]).shape
        try:
            camera = Camera(jnp.asarray(intrinsics, float), width, height)
        except ValueError as error:
            raise ValueError(f"{source}: {error}") from error
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
    try:
        if path.suffix.lower() == ".npy":
            pose = read_npy(path)
        else:
            stored = json.loads(path.read_text(encoding="utf-8"))
            pose = np.array(stored["pose"] if isinstance(stored, dict) else stored, float)
        if pose.shape != (4, 4) or not np.isfinite(pose).all():
            raise ValueError(f"its shape is {pose.shape}, and all must be finite")
    except (ValueError, TypeError, KeyError, OverflowError, RecursionError) as error:
        reason = shown(str(error), 200)
        raise ValueError(
            f'--start {path}: a pose, (4, 4) or {{"pose": ...}}, must stand there: {reason}.'
        ) from error
    return pose


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


def _calibration(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """Poses (V, 4, 4) and intrinsics (4,)."""
    if not path.exists():
        raise ValueError(f"{path}: there is no such file.")
    stored = read_npz(path)
    for name, shape in (("intrinsics", (4,)), ("poses", (4, 4))):
        if name not in stored:
            raise ValueError(f"{path}: the array `{name}` is missing.")
        array = stored[name]
        if array.dtype.kind not in "iuf" or array.shape[name == "poses" :] != shape:
            raise ValueError(f"{path}: `{name}` has the shape {array.shape}; {shape} is expected of numbers.")
        if not (np.abs(array) < np.finfo(np.float32).max).all():
            raise ValueError(f"{path}: `{name}` must be finite.")
    return stored["poses"], stored["intrinsics"]
