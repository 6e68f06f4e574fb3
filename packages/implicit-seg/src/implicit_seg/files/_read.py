"""Images in: one array, whatever the format."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from implicit_seg.files._extra import named_extra

if TYPE_CHECKING:
    import os

    from jaxtyping import Shaped

IMAGES = (".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff")
ENDINGS = (*IMAGES, ".npz", ".npy", ".nii", ".nii.gz", ".nrrd", ".nhdr", ".dcm")


def read_image(path: str | os.PathLike[str]) -> Shaped[np.ndarray, "slices height width channels"]:
    """Reads an image, a stack or a volume, as the numbers that the file holds.

    PNG, JPEG, BMP and TIFF; NumPy (.npy, or .npz with one array or one called `image`, `mask` or `label`);
    NIfTI and NRRD (the third axis becomes the slices, the first the columns); DICOM (one file, rescaled to
    its units).

    Args:
        path: one of .png .jpg .jpeg .bmp .tif .tiff .npz .npy .nii .nii.gz .nrrd .nhdr .dcm.

    Returns:
        (slices, height, width, channels); one slice for an image, one channel for grey. An alpha channel is
        left out.

    Raises:
        ValueError: the file cannot be read, or has another number of dimensions.
        ImportError: the library for the format is missing; `pip install "implicit-seg[io]"`.
    """
    path = Path(path)
    name = path.name.lower()
    if not name.endswith(ENDINGS):
        raise ValueError(f"{path}: the name must end in one of {', '.join(ENDINGS)}.")
    try:
        with named_extra(path):
            if name.endswith((".npz", ".npy")):
                return _stack(_numpy(path), path)
            if name.endswith((".nii", ".nii.gz")):
                return _volume(_nifti(path), path)
            if name.endswith((".nrrd", ".nhdr")):
                return _volume(_nrrd(path), path)
            return _stack(_dicom(path) if name.endswith(".dcm") else _picture(path), path)
    except (ImportError, FileNotFoundError):
        raise
    except Exception as error:  # readers raise whatever they like about a damaged file
        words = str(error).splitlines()[0][:300] if str(error) else type(error).__name__
        if words.startswith(str(path)):
            raise ValueError(words) from error
        raise ValueError(f"{path}: cannot be read ({words}).") from error


def stem(path: Path) -> str:
    """The name without its ending, .nii.gz included."""
    return path.name[: -len(".nii.gz")] if path.name.lower().endswith(".nii.gz") else path.stem


def _picture(path: Path) -> np.ndarray:
    import imageio.v3 as imageio

    if path.suffix.lower() in (".tif", ".tiff"):
        import tifffile

        with tifffile.TiffFile(path) as file:
            len(file.pages)  # finds a chain of pages that comes back to itself; reading would never end
            return file.asarray()
    return imageio.imread(path)


def _dicom(path: Path) -> np.ndarray:
    import pydicom

    data = pydicom.dcmread(path)
    return data.pixel_array * float(data.get("RescaleSlope", 1)) + float(data.get("RescaleIntercept", 0))


def _nifti(path: Path) -> np.ndarray:
    import nibabel

    image = nibabel.load(path)
    return np.asanyarray(image.dataobj).T  # pyright: ignore[reportAttributeAccessIssue] (a spatial image has it)


def _nrrd(path: Path) -> np.ndarray:
    import nrrd

    return nrrd.read(str(path), index_order="C")[0]


def _volume(data: np.ndarray, path: Path) -> np.ndarray:
    if data.ndim not in (2, 3):
        raise ValueError(f"{path}: two or three dimensions are expected; got the shape {data.shape}.")
    return data[None, ..., None] if data.ndim == 2 else data[..., None]


def _numpy(path: Path) -> np.ndarray:
    stored = np.load(path, allow_pickle=False)
    if isinstance(stored, np.ndarray):
        return stored
    with stored:
        names = [name for name in ("image", "mask", "label") if name in stored.files]
        if len(stored.files) == 1:
            names = stored.files
        if not names:
            raise ValueError(
                f"{path}: holds {', '.join(stored.files)}; one array, or one called `image`, `mask` or "
                "`label`, is expected."
            )
        return stored[names[0]]


def _stack(array: np.ndarray, path: Path) -> np.ndarray:
    if array.ndim == 2:
        return array[None, ..., None]
    if array.ndim == 3 and array.shape[-1] in (1, 2, 3, 4):  # channels last
        return array[None, ..., : array.shape[-1] - (array.shape[-1] in (2, 4))]
    if array.ndim == 3:
        return array[..., None]
    raise ValueError(f"{path}: two or three dimensions are expected; got the shape {array.shape}.")
