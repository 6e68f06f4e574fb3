"""Masks out."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

import numpy as np

from implicit_seg.files import _atomic
from implicit_seg.files._extra import named_extra

if TYPE_CHECKING:
    import os
    from collections.abc import Sequence
    from pathlib import Path

    from jaxtyping import Bool

ENDINGS = (".png", ".tif", ".tiff", ".npz", ".nii", ".nii.gz", ".nrrd")


def write_mask(
    path: str | os.PathLike[str], mask: Bool[np.ndarray, "*size"], *, spacing: Sequence[float] | None = None
) -> None:
    """Writes a mask: 0 and 255 in images, 0 and 1 in NIfTI, NRRD and NPZ (array `mask`).

    Args:
        path: .png (in the plane), .tif, .tiff, .npz, .nii, .nii.gz or .nrrd.
        mask: (rows, columns), or (slices, rows, columns).
        spacing: distance between samples in each direction, kept by NIfTI and NRRD alone (whose axes are
            column, row, slice; NIfTI's affine and NRRD's directions are diag(spacing)).

    Raises:
        ValueError: another ending or dimension, or there is no such folder.
        ImportError: the library for the format is missing; `pip install "implicit-seg[io]"`.
    """
    target = _atomic.target(path, ENDINGS)
    name = target.name.lower()
    if mask.ndim not in (2, 3) or (mask.ndim == 3 and name.endswith(".png")):
        raise ValueError(
            f"{target}: a mask of shape {mask.shape} cannot be written so; 2-D, or 3-D and not .png."
        )
    if name.endswith((".nii", ".nii.gz")):
        _write_nifti(target, mask, _steps(mask, spacing))
        return
    if name.endswith(".nrrd"):
        _write_nrrd(target, mask, _steps(mask, spacing))
        return
    stream = io.BytesIO()
    if name.endswith(".npz"):
        np.savez_compressed(stream, mask=mask.astype(np.uint8))
    else:
        with named_extra(target):
            import imageio.v3 as imageio

            imageio.imwrite(stream, mask.astype(np.uint8) * np.uint8(255), extension=target.suffix)
    _atomic.write_bytes(target, stream.getvalue())


def _steps(mask: np.ndarray, spacing: Sequence[float] | None) -> tuple[float, ...]:
    """Along the axes of the file: columns first."""
    return (1.0,) * mask.ndim if spacing is None else tuple(map(float, spacing))[::-1]


def _write_nifti(target: Path, mask: np.ndarray, steps: tuple[float, ...]) -> None:
    with named_extra(target):
        import nibabel
        from nibabel.nifti1 import Nifti1Image
    affine = np.diag([*steps, *[1.0] * (4 - mask.ndim)])
    image = Nifti1Image(mask.astype(np.uint8).T, affine)
    with _atomic.replacing(target) as temporary:
        nibabel.save(image, temporary)


def _write_nrrd(target: Path, mask: np.ndarray, steps: tuple[float, ...]) -> None:
    with named_extra(target):
        import nrrd
    space = {"space": "right-anterior-superior"} if mask.ndim == 3 else {"space dimension": 2}
    header = {**space, "space directions": np.diag(steps), "space origin": np.zeros(mask.ndim)}
    with _atomic.replacing(target) as temporary:
        nrrd.write(str(temporary), mask.astype(np.uint8), header, index_order="C")
