"""The options of the command's parts, with their help."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path  # noqa: TC003  # tyro reads the annotations
from typing import Literal

import tyro  # noqa: TC002  # likewise

Blend = Literal["two_parameter", "paper"]
Intersection = Literal["linear", "quadratic", "cubic"]


@dataclass(frozen=True, kw_only=True)
class Fit:
    """Fits a shape to a mesh, a cloud of points or a folder of masks, and writes it."""

    source: tyro.conf.Positional[Path]
    """A mesh or cloud (.ply .obj .stl .glb .off), points (.npy .xyz .csv), or a folder of masks."""
    out: Path
    """Writes the model: .npz."""
    components: int = 40
    """Gaussians of the shape."""
    kind: Literal["volume", "surface"] = "volume"
    """Of meshes: fills their inside, or covers their surface (which is better for poses)."""
    points: int = 20000
    """Of meshes: how many points are drawn from them."""
    cameras: Path | None = None
    """Of masks: a folder of COLMAP's (sparse/0), or .npz with `intrinsics` (4,) and `poses` (V, 4, 4), camera
    to world, x right, y down, for the masks in the order of their names. None: cameras.npz beside the
    masks."""
    epochs: int = 10
    """Of masks: passes over all pixels at most."""
    outliers: float = 0.05
    """Of masks: share of their pixels that may be wrong."""
    seed: int = 0
    """Of all that is drawn."""
    plot: Path | None = None
    """Draws how the fit went: .png, .svg or .pdf."""


@dataclass(frozen=True, kw_only=True)
class Render:
    """Draws a model: depth, alpha and normals side by side."""

    model: tyro.conf.Positional[Path]
    """A model, .npz."""
    out: Path
    """The picture (.png, .svg, .pdf), or .npz with the arrays `depth`, `alpha` and `normals`."""
    size: str = "320x240"
    """Columns x rows."""
    fov: float = 40.0
    """Vertical field of view, degrees."""
    eye: str | None = None
    """Where the camera stands, such as 0,1,3; it looks at the model's middle. None: from above the front."""
    blend: Blend = "two_parameter"
    """How the Gaussians blend."""
    intersection: Intersection = "linear"
    """Where a ray meets a Gaussian."""


@dataclass(frozen=True, kw_only=True)
class Pose:
    """Finds where the camera stood that took a mask (and a depth image) of a model."""

    model: tyro.conf.Positional[Path]
    """A model, .npz."""
    mask: tyro.conf.Positional[Path]
    """The object's mask: an image, or .npy in [0, 1]."""
    out: Path
    """Writes the pose, camera to world, its covariance and the loss: .json."""
    start: str
    """Where the search starts: an eye such as 0,1,3 that looks at the model's middle, or a file (.npy or
    .json) with a pose."""
    fov: float = 40.0
    """Vertical field of view, degrees."""
    depth: Path | None = None
    """Depth along the optical axis, .npy, of the mask's size; NaN or 0 where unknown."""
    starts: int = 12
    """Poses around the start that are tried."""
    angle: float = 60.0
    """How far they are turned at most, degrees."""
    blend: Blend = "two_parameter"
    """How the Gaussians blend."""
    intersection: Intersection = "linear"
    """Where a ray meets a Gaussian."""
    outliers: float = 0.0
    """Share of the mask's pixels that may be wrong."""
    seed: int = 0
    """Of the starts."""
    plot: Path | None = None
    """Draws the loss: .png, .svg or .pdf."""


@dataclass(frozen=True, kw_only=True)
class Mesh:
    """Writes a closed triangle mesh of a model."""

    model: tyro.conf.Positional[Path]
    """A model, .npz."""
    target: tyro.conf.Positional[Path]
    """The triangles: .ply, .stl, .obj or .glb."""
    level: float | None = None
    """Of the density. None: where the silhouette is half opaque."""
    resolution: int = 96
    """Cells along the longest side."""
    blend: Blend = "two_parameter"
    """How the Gaussians blend."""
