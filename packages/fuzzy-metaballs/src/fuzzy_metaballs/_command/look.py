"""`fuzzy-metaballs render` and `mesh`: a model out as a picture or as triangles."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import jax
import numpy as np

from fuzzy_metaballs._camera import Camera
from fuzzy_metaballs._command import inputs, outputs
from fuzzy_metaballs._mesh import to_mesh
from fuzzy_metaballs._pose import look_at
from fuzzy_metaballs._render import Image, render
from fuzzy_metaballs.files import read_model, write_image, write_mesh

if TYPE_CHECKING:
    from fuzzy_metaballs._command.options import Mesh, Render

_MESHES = (".ply", ".stl", ".obj", ".glb")


def render_model(command: Render) -> None:
    """Draws depth, alpha and normals, or writes them as arrays."""
    outputs.check("--out", command.out, (*outputs.PICTURES, ".npz"))
    width, height = (int(value) for value in inputs.numbers("--size", command.size, 2, between="x"))
    if not 0 < command.fov < 180:
        raise ValueError(f"--fov {command.fov:g}: it must lie between 0 and 180 degrees.")
    shape = read_model(command.model)
    middle = np.asarray(shape.weights @ shape.means)
    fov = math.radians(command.fov)
    if command.eye is None:
        # The ball about the middle that holds every Gaussian to two standard deviations fills the picture.
        widest = 1 / np.linalg.svd(shape.precision_cholesky, compute_uv=False)[:, -1]
        radius = float((np.linalg.norm(shape.means - middle, axis=1) + 2 * widest).max())
        narrower = min(1.0, width / height)
        distance = radius / math.sin(math.atan(math.tan(fov / 2) * narrower))
        eye = middle + distance * np.array([0.36, 0.48, 0.8])
    else:
        eye = inputs.numbers("--eye", command.eye, 3)
    camera = Camera.from_fov(width, height, fov=fov)
    image = render(
        shape, camera, look_at(eye, middle), intersection=command.intersection, blend=command.blend
    )
    if command.out.suffix.lower() == ".npz":
        write_image(command.out, image)
    else:
        _draw(image, command)
    outputs.say(f"{command.out}: {width} x {height}, seen from {', '.join(f'{x:.4g}' for x in eye)}")


def _draw(image: Image, command: Render) -> None:
    from matplotlib.figure import Figure

    image = jax.tree.map(np.asarray, image)
    opacity = np.asarray(image.alpha)
    height, width = opacity.shape
    figure = Figure(figsize=(9, 3 * height / width + 0.5), layout="constrained")
    axes = figure.subplots(1, 3)
    # x right, y up, z towards the viewer as red, green and blue: what faces us is light blue.
    colours = (np.asarray(image.normals) * [1, -1, -1] + 1) / 2
    pictures = {
        "depth": (np.where(opacity > 0.5, image.depth, np.nan), "viridis_r"),
        "alpha": (opacity, "gray"),
        "normals": (np.dstack([colours, opacity]), None),
    }
    for ax, (name, (values, colormap)) in zip(axes, pictures.items(), strict=True):
        drawn = ax.imshow(values, cmap=colormap)
        ax.set_title(name, loc="left", fontsize="medium")
        ax.set_axis_off()
        if name == "depth":
            figure.colorbar(drawn, ax=ax, location="left", shrink=0.7)
    outputs.write_figure(command.out, figure)


def mesh_model(command: Mesh) -> None:
    """Writes the triangles of marching cubes."""
    outputs.check("target", command.target, _MESHES)
    shape = read_model(command.model)
    mesh = to_mesh(shape, blend=command.blend, level=command.level, resolution=command.resolution)
    write_mesh(command.target, mesh)
    outputs.say(f"{command.target}: {len(mesh.faces)} triangles with {len(mesh.vertices)} vertices")
