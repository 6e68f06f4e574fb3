"""Pictures of shape from silhouette."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import jax
import numpy as np

from fuzzy_metaballs import Camera, look_at, render
from metaballs.rasterise import rasterise
from repro import scene

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from fuzzy_metaballs import Mesh, SilhouetteFit
    from repro.context import Context

_EYES = ((2.2, 1.0, 3.0), (3.6, 0.5, -0.6), (-2.0, 1.6, -2.6))
"""Where the shaded pictures are taken from."""

_LIGHT = np.array([-0.45, -0.65, -0.61])
"""Unit vector to the light in camera coordinates: from above and the left, behind the viewer."""


def draw_pictures(
    context: Context,
    *,
    fit: SilhouetteFit,
    blend: Literal["paper", "two_parameter"],
    truth: np.ndarray,
    alpha: np.ndarray,
    poses: np.ndarray,
    mesh: tuple[np.ndarray, np.ndarray],
    surface: Mesh,
) -> None:
    """Hands the four pictures to the runner.

    Args:
        context: of the run.
        fit: the reconstruction.
        blend: it was fitted with.
        truth: (V, H, W), the rabbit's masks in the views not fitted.
        alpha: (V, H, W), rendered there.
        poses: (V, 4, 4), of those views.
        mesh: the rabbit's vertices and faces.
        surface: the mesh extracted from the reconstruction.
    """
    close = Camera.from_fov(240, 240, fov=0.52)
    pairs = []
    for eye in _EYES:
        pose = look_at(eye)
        pairs.append(
            (
                shade(*mesh, vertex_normals(*mesh), close, np.asarray(pose)),
                shade(surface.vertices, surface.faces, surface.normals, close, np.asarray(pose)),
            )
        )

    def meshes(figure: Figure) -> None:
        axes = figure.subplots(2, len(pairs))
        for column, pair in enumerate(pairs):
            for row, picture in enumerate(pair):
                _image(axes[row, column], picture)
        axes[0, 0].set_title("the mesh behind the silhouettes", loc="left", fontsize="medium")
        axes[1, 0].set_title(
            f"reconstruction: {fit.shape.components} Gaussians, marching cubes", loc="left", fontsize="medium"
        )

    context.picture(
        "meshes",
        "The generated rabbit (above) and the surface extracted from the fitted Gaussians (below), from "
        "three sides. Hollows that no silhouette shows may stay open.",
        meshes,
        size=(8.0, 5.6),
    )
    context.scene(
        "meshes",
        "the rabbit and its reconstruction",
        [
            scene.mesh(
                f"reconstruction from {fit.shape.components} Gaussians", surface.vertices, surface.faces
            ),
            scene.mesh("the mesh behind the silhouettes", *mesh),
        ],
        picture="meshes",
        up="y",
    )

    chosen = np.linspace(0, len(truth) - 1, min(6, len(truth))).round().astype(int)

    def silhouettes(figure: Figure) -> None:
        axes = figure.subplots(3, len(chosen), squeeze=False)
        names = ("true mask", "rendered alpha", "alpha minus mask")
        for column, view in enumerate(chosen):
            _image(axes[0, column], truth[view], cmap="gray", vmin=0, vmax=1)
            _image(axes[1, column], alpha[view], cmap="gray", vmin=0, vmax=1)
            _image(axes[2, column], _signed(alpha[view] - truth[view]))
        for row, name in enumerate(names):
            axes[row, 0].set_title(name, loc="left", fontsize="medium")

    context.picture(
        "silhouettes",
        "Views that were not fitted: the rabbit's mask, the alpha rendered from the Gaussians, and their "
        "difference (red: missing, blue: too much).",
        silhouettes,
        size=(8.0, 4.6),
    )

    image = jax.tree.map(np.asarray, render(fit.shape, close, look_at(_EYES[0]), blend=blend))
    opacity = np.asarray(image.alpha)

    def view(figure: Figure) -> None:
        axes = figure.subplots(1, 3)
        drawn = _image(axes[0], np.where(opacity > 0.5, image.depth, np.nan), cmap="viridis_r")
        figure.colorbar(drawn, ax=axes, location="left", shrink=0.7, label="depth")
        _image(axes[1], opacity, cmap="gray", vmin=0, vmax=1)
        # x right, y up, z towards the viewer as red, green and blue: flat surfaces facing us are light blue.
        colours = (image.normals * [1, -1, -1] + 1) / 2
        _image(axes[2], np.dstack([colours, opacity]))
        for ax, name in zip(axes, ("depth", "alpha", "normals"), strict=True):
            ax.set_title(name, loc="left", fontsize="medium")

    context.picture(
        "view",
        "What the renderer returns for one camera: depth along the optical axis (where alpha exceeds 1/2), "
        "alpha, and normals (red: to the right, green: up, blue: towards the camera).",
        view,
        size=(8.0, 3.6),
    )

    def loss(figure: Figure) -> None:
        ax = figure.add_subplot()
        fit.plot(ax)
        for drop in np.flatnonzero(np.diff(fit.learning_rates)):
            ax.axvline(float(drop) + 1, color="C2", lw=0.8, ls=":")

    context.picture(
        "loss",
        "Cross-entropy of the batches of rays during the fit; dotted lines mark where the stopping rule "
        "lowers the learning rate.",
        loss,
        size=(8.0, 3.4),
    )


def vertex_normals(vertices: np.ndarray, faces: np.ndarray) -> np.ndarray:
    """Unit normals (M, 3), of the faces around each vertex weighted with their areas."""
    a, b, c = (vertices[faces[:, k]] for k in range(3))
    across = np.cross(b - a, c - a)
    normals = np.zeros_like(vertices)
    for k in range(3):
        np.add.at(normals, faces[:, k], across)
    return normals / np.linalg.norm(normals, axis=1, keepdims=True)


def shade(
    vertices: np.ndarray, faces: np.ndarray, normals: np.ndarray, camera: Camera, pose: np.ndarray
) -> np.ndarray:
    """A picture (H, W, 4) of a mesh under one light, transparent beside it."""
    intrinsics = np.asarray(camera.intrinsics, np.float64)
    raster = rasterise(vertices, faces, intrinsics, pose.astype(np.float64), camera.width, camera.height)
    normal = (normals[faces[raster.face]] * raster.weights[..., None]).sum(2)
    # Half-Lambert: no side is black.
    light = 0.25 + 0.75 * (0.5 + 0.5 * normal @ (pose[:3, :3] @ _LIGHT)) ** 2
    return np.dstack([light[..., None] * [0.86, 0.72, 0.56], raster.mask])


def _signed(difference: np.ndarray) -> np.ndarray:
    """A picture (H, W, 4): red where negative, blue where positive, transparent at 0."""
    red, blue = np.array([0.84, 0.19, 0.15]), np.array([0.27, 0.51, 0.86])
    colour = np.where(difference[..., None] < 0, red, blue)
    return np.dstack([colour, np.minimum(1.5 * np.abs(difference), 1)])


def _image(ax: Axes, values: np.ndarray, **options):
    ax.set_xticks([])
    ax.set_yticks([])
    ax.spines[:].set_visible(False)
    return ax.imshow(values, **options)
