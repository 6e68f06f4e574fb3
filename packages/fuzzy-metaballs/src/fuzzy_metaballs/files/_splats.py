"""Shapes as the splats of 3-D Gaussian Splatting, and back."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import jax
import jax.numpy as jnp
import numpy as np

from fuzzy_metaballs._blend import BLENDS
from fuzzy_metaballs._check import choose
from fuzzy_metaballs._shape import FuzzyMetaballs
from fuzzy_metaballs.files._atomic import target, write_bytes
from fuzzy_metaballs.files._ply import ply_bytes, read_ply_vertices

if TYPE_CHECKING:
    import os

    from fuzzy_metaballs._render import BlendName

CENTER, SCALES, ROTATION = (
    ("x", "y", "z"),
    ("scale_0", "scale_1", "scale_2"),
    ("rot_0", "rot_1", "rot_2", "rot_3"),
)
COLOR = ("f_dc_0", "f_dc_1", "f_dc_2")
_HARMONIC = 0.28209479177387814  # the constant spherical harmonic, 1 / (2 sqrt(pi))


def write_splats(
    path: str | os.PathLike[str], shape: FuzzyMetaballs, *, blend: BlendName = "two_parameter"
) -> None:
    r"""Writes a shape as a PLY file that viewers of 3-D Gaussian Splatting read.

    Columns, in single precision: the centre; zero normals; the colour as `f_dc` = (colour - 1/2) / 0.2821;
    `opacity`, the logit of the component's alpha at its own centre; `scale`, the logarithms of the standard
    deviations along the axes; `rot`, the quaternion (w, x, y, z) of the axes.

    Args:
        path: ends in .ply.
        shape: the mixture; three features are taken as red, green and blue in [0, 1], and without features it
            is grey.
        blend: the one the shape was fitted with; sets the opacity. Those of "two_parameter",
            $1 - e^{-\lambda}$, are read back exactly.

    Raises:
        ValueError: the name has another ending or its folder is missing, features are other than three, or a
            value is not finite.

    Kerbl et al., "3D Gaussian Splatting for Real-Time Radiance Field Rendering" (2023).
    """
    path = target(path, [".ply"])
    choose("blend", blend, tuple(BLENDS))
    law = BLENDS[blend]
    if shape.features is not None and shape.features.shape[1] != 3:
        raise ValueError(
            f"`shape.features` must be colours, (N, 3); got {shape.features.shape}. Leave them out with "
            "`dataclasses.replace(shape, features=None)`."
        )
    colors = 0.5 if shape.features is None else np.asarray(shape.features, np.float64)
    # Precision L L^T = U S^2 U^T: U holds the axes, 1 / S the standard deviations.
    axes, inverse, _ = np.linalg.svd(np.asarray(shape.precision_cholesky, np.float64))
    axes[:, :, 0] *= np.sign(np.linalg.det(axes))[:, None]
    columns = {
        **dict(zip(CENTER, np.asarray(shape.means).T, strict=True)),
        **dict.fromkeys(("nx", "ny", "nz"), np.zeros(shape.components)),
        **dict(zip(COLOR, np.broadcast_to((colors - 0.5) / _HARMONIC, (shape.components, 3)).T, strict=True)),
        "opacity": np.asarray(law.alpha_logit(law.log_mass(shape))),
        **dict(zip(SCALES, -np.log(inverse).T, strict=True)),
        **dict(zip(ROTATION, _quaternions(axes).T, strict=True)),
    }
    table = np.empty(shape.components, [(name, "f4") for name in columns])
    for name, values in columns.items():
        if not np.isfinite(values).all():
            raise ValueError(f"`shape` must be finite; its {name} is not. {path} is not written.")
        table[name] = values
    write_bytes(path, ply_bytes(table))


def read_splats(path: str | os.PathLike[str]) -> FuzzyMetaballs:
    r"""Reads splats as a shape for `blend="two_parameter"`, whose $1 - e^{-\lambda}$ is the splat's opacity.

    Colours become features; what depends on the direction of view (`f_rest`) is left out. Eta is that of the
    mixture.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: it is no PLY, lacks a column, holds no splat, or a value is not finite; the message names
            the first.
    """
    path = Path(path)
    columns = read_ply_vertices(path)
    if missing := [name for name in (*CENTER, "opacity", *SCALES, *ROTATION) if name not in columns]:
        raise ValueError(f"{path}: these are no Gaussian splats; missing: {', '.join(missing)}.")
    for name, values in columns.items():
        if not np.isfinite(values).all():
            splat = int(np.argmin(np.isfinite(values)))
            raise ValueError(f"{path}: {name} of splat {splat} is {values[splat]}. Leave that splat out.")
    means, scales, rotations = (
        np.stack([columns[name] for name in names], axis=1) for names in (CENTER, SCALES, ROTATION)
    )
    lengths = np.linalg.norm(rotations, axis=1, keepdims=True)
    if not len(means) or not (lengths > 0).all():
        raise ValueError(f"{path}: needs at least one splat, each with a quaternion other than 0.")
    # Precision A A^T with A = U / scales; A^T = Q R gives its Cholesky factor R^T up to signs.
    roots = _rotations(rotations / lengths) * np.exp(-scales)[:, None, :]
    factors = np.swapaxes(np.linalg.qr(np.swapaxes(roots, 1, 2))[1], 1, 2)
    factors = np.tril(factors * np.sign(np.diagonal(factors, axis1=1, axis2=2))[:, None, :])
    weights = np.logaddexp(0, columns["opacity"])  # -log(1 - sigmoid(x))
    features = None
    if all(name in columns for name in COLOR):
        features = jnp.asarray(0.5 + _HARMONIC * np.stack([columns[name] for name in COLOR], axis=1), float)
    try:
        shape = FuzzyMetaballs.from_precision_cholesky(
            *(jnp.asarray(x, float) for x in (means, factors, weights)), features=features
        )
        if not all(bool(jnp.isfinite(leaf).all()) for leaf in jax.tree.leaves(shape)):
            raise ValueError("a splat is too large, too small or too faint for the precision of the numbers.")
        return shape
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from error


def _quaternions(rotations: np.ndarray) -> np.ndarray:
    """(w, x, y, z) with w >= 0: the first eigenvector of Bar-Itzhack's matrix, so no case is special."""
    (a, b, c), (d, e, f), (g, h, i) = np.moveaxis(rotations, 0, 2)
    k = np.array([
        [a + e + i, h - f, c - g, d - b],
        [h - f, a - e - i, b + d, c + g],
        [c - g, b + d, e - a - i, f + h],
        [d - b, c + g, f + h, i - a - e],
    ])  # fmt: skip
    quaternions = np.linalg.eigh(np.moveaxis(k, 2, 0))[1][:, :, -1]
    return quaternions * np.where(quaternions[:, :1] < 0, -1, 1)


def _rotations(quaternions: np.ndarray) -> np.ndarray:
    w, x, y, z = quaternions.T
    zero = np.zeros_like(w)
    cross = np.moveaxis(np.array([[zero, -z, y], [z, zero, -x], [-y, x, zero]]), 2, 0)
    return np.eye(3) + 2 * w[:, None, None] * cross + 2 * cross @ cross
