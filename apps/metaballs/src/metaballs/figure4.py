"""Figure 4: perturbation sensitivity, the pose error of a search that starts at the truth."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import jax
import numpy as np

from fuzzy_metaballs import Camera, fit_mesh
from metaballs._device import on_device
from metaballs._open3d import decimate
from metaballs._pose import (
    by_icp,
    by_metaballs,
    by_soft_mesh,
    draw_trial,
    pose_error,
    surface_points,
    symmetries_of,
)
from metaballs.models import SEVEN, load
from metaballs.paper import PAPER
from repro.arrays import kept_arrays
from repro.experiment import Band, Experiment, Figure

if TYPE_CHECKING:
    from collections.abc import Callable

    from matplotlib.figure import Figure as Canvas

    from metaballs._pose import Trial
    from metaballs.models import Model
    from repro.context import Context

METHODS = {
    "points": ("points, ICP", (47, 470, 4700)),
    "mesh": ("faces, ICP", (34, 170, 850)),
    "soft": ("faces, descent", (34, 170, 850)),
    "fuzzy": ("Gaussians, descent", (20, 40, 80)),
}
"""Names for readers, and sizes: fewer than the paper's equal fidelity, it, more."""


@dataclass(frozen=True)
class Settings:
    """Settings of `metaballs.figure4`."""

    models: int = 3
    """how many; the paper takes its seven"""
    trials: int = 2
    """views of every model"""
    resolution: int = 64
    """cells of marching cubes for a generated model"""
    pixels: int = 64
    """along each side of the image"""
    points: tuple[int, ...] = METHODS["points"][1]
    """sizes of the clouds"""
    mesh: tuple[int, ...] = METHODS["mesh"][1]
    """faces of the decimated meshes"""
    fuzzy: tuple[int, ...] = METHODS["fuzzy"][1]
    """Gaussians"""
    samples: int = 20_000
    """points inside the model that Gaussians are fitted to"""
    dense: int = 10_000
    """points that stand for a mesh in ICP"""
    steps: int = 600
    """of the descent of Gaussians at most"""
    peer_steps: int = 100
    """of the descent of a soft mesh"""


@on_device
def run(settings: Settings, context: Context) -> dict[str, float]:
    """Searches from the true pose with every representation."""
    camera = Camera.from_fov(settings.pixels, settings.pixels, fov=np.radians(45))
    models = load(context.data, settings.models, resolution=settings.resolution, wanted=SEVEN)
    errors: dict[str, list[np.ndarray]] = {method: [] for method in METHODS}
    report = context.progress("models")
    for number, model in enumerate(models):
        path = context.folder / f"{model.name}-sensitivity.npz"
        kept = kept_arrays(path, partial(_errors_of, model, number, camera, settings, context.seed))
        for method in METHODS:
            errors[method].append(kept[method])
            context.log(f"{model.name}, {METHODS[method][0]}: {np.round(kept[method].mean(1), 3).tolist()}")
        report(number + 1, len(models), float(kept["fuzzy"].mean()))
    # (models, sizes, trials) to one mean for each size
    means = {method: np.array(found).mean((0, 2)) for method, found in errors.items()}
    _draw(context, settings, {method: np.array(found) for method, found in errors.items()})
    return {
        f"{method}_{place}": float(mean[index if place != "equal" else len(mean) // 2])
        for method, mean in means.items()
        for place, index in (("less", 0), ("equal", 0), ("more", -1))
    }


def _errors_of(
    model: Model, number: int, camera: Camera, settings: Settings, seed: int
) -> dict[str, np.ndarray]:
    """Errors by method, each (sizes, trials)."""
    generator = np.random.default_rng([seed, number])
    trials = [draw_trial(model, camera, generator, perturbed=False) for _ in range(settings.trials)]
    symmetries = symmetries_of(model)

    def scored(find: Callable[[Trial], np.ndarray]) -> list[float]:
        pairs = [pose_error(find(trial), trial.pose, model.extent, symmetries) for trial in trials]
        return [float(np.sqrt(rotation * translation)) for rotation, translation in pairs]

    found: dict[str, list[list[float]]] = {method: [] for method in METHODS}
    for size in settings.points:
        cloud, normals = surface_points(model.vertices, model.faces, size, generator)
        found["points"].append(
            scored(lambda t, c=cloud, n=normals: by_icp(t, camera, c, n, "plane", model.extent))
        )
    for size in settings.mesh:
        coarse = decimate(model.vertices, model.faces, size)
        cloud, normals = surface_points(*coarse, settings.dense, generator)
        found["mesh"].append(
            scored(lambda t, c=cloud, n=normals: by_icp(t, camera, c, n, "plane", model.extent))
        )
        found["soft"].append(
            scored(lambda t, m=coarse: by_soft_mesh(t, camera, m, model.extent, settings.peer_steps))
        )
    for size in settings.fuzzy:
        shape = fit_mesh(
            model.vertices, model.faces, components=size, key=jax.random.key(seed), points=settings.samples
        )
        found["fuzzy"].append(scored(lambda t, s=shape: by_metaballs(t, camera, s, steps=settings.steps)))
    return {method: np.array(values) for method, values in found.items()}


def _draw(context: Context, settings: Settings, errors: dict[str, np.ndarray]) -> None:
    from matplotlib.ticker import LogFormatter

    sizes = {
        "points": settings.points,
        "mesh": settings.mesh,
        "soft": settings.mesh,
        "fuzzy": settings.fuzzy,
    }
    # numbers a representation has: coordinates; half as many vertices as faces; mean, factor and weight
    parameters = {"points": 3.0, "mesh": 4.5, "soft": 4.5, "fuzzy": 10.0}

    def draw(figure: Canvas) -> None:
        ax = figure.add_subplot()
        for k, (method, (label, _)) in enumerate(METHODS.items()):
            x = np.array(sizes[method]) * parameters[method]
            ax.plot(x, errors[method].mean(2).T, ".", color=f"C{k}", ms=4, alpha=0.6)
            ax.plot(x, errors[method].mean((0, 2)), "o-", color=f"C{k}", label=label)
        ax.set(xscale="log", yscale="log", xlabel="parameters", ylabel="pose error from the true start")
        for axis in (ax.xaxis, ax.yaxis):  # plain numbers in place of powers
            axis.set_major_formatter(LogFormatter())
            axis.set_minor_formatter(LogFormatter())
        ax.legend(ncols=2, loc="lower center", bbox_to_anchor=(0.5, 1))

    context.picture(
        "sensitivity",
        "Pose error after a search that starts at the truth, over the number of parameters of each "
        "representation: lines are means, dots single models. The error is the geometric mean of degrees and "
        "percent of the model's scale.",
        draw,
        size=(7.0, 4.0),
    )


_OURS_FIRST = sorted(METHODS.items(), key=lambda item: item[0] != "fuzzy")
"""The report's overview shows an experiment's first figure."""

EXPERIMENT = Experiment(
    name="metaballs.figure4",
    title="Figure 4: perturbation sensitivity of points, meshes and Gaussians",
    about=(
        "A depth image of the whole mesh is registered with simpler representations, from the true pose: "
        "clouds and decimated meshes by Open3D's ICP to planes, decimated meshes by descent through our soft "
        "rasteriser, Gaussians by descent through ours, both on silhouette and depth. What the pose moves by "
        "measures the representation's fidelity. The paper finds 40 Gaussians equal to 470 points and 170 "
        "faces, which sets its sizes. The picture is the figure."
    ),
    paper=PAPER,
    presets={
        "smoke": Settings(
            models=1,
            trials=1,
            resolution=32,
            pixels=32,
            points=(100,),
            mesh=(80,),
            fuzzy=(12,),
            samples=1000,
            dense=1000,
            steps=150,
            peer_steps=10,
        ),
        "quick": Settings(),
        "paper": Settings(models=7, trials=50, resolution=96, steps=2000, peer_steps=500),
    },
    minutes={"smoke": 0.1, "quick": 4, "paper": 60},
    figures=tuple(
        Figure(
            key=f"{method}_{place}",
            label=f"pose error from the true start, {sizes[index]} {name}",
            cause="The paper draws a curve without figures.",
            smoke=Band(0.0, 30.0, "the search starts at 0; more means that it ran away"),
        )
        for method, (name, sizes) in _OURS_FIRST
        for index, place in enumerate(("less", "equal", "more"))
    ),
    run=run,
    packages=("fuzzy-metaballs", "jax", "numpy"),
)
