"""Surface against volume mixtures of Gaussians (section 4.3), over the number of components."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Literal

import jax
import numpy as np

from fuzzy_metaballs import Camera, fit_mesh, sphere_views
from metaballs._device import on_device
from metaballs._fidelity import fidelity
from metaballs._score import views_of
from metaballs.models import TEN, load
from metaballs.paper import PAPER
from repro.arrays import kept_arrays
from repro.experiment import Band, Experiment, Figure

if TYPE_CHECKING:
    from matplotlib.figure import Figure as Canvas

    from metaballs.models import Model
    from repro.context import Context

SIZES = (10, 20, 40, 80)
"""Components."""

KINDS: tuple[Literal["surface", "volume"], ...] = ("surface", "volume")


@dataclass(frozen=True)
class Settings:
    """Settings of `metaballs.gmm`."""

    models: int = 7
    """how many"""
    resolution: int = 64
    """cells of marching cubes for a generated model"""
    views: int = 32
    """that a mixture is compared in"""
    pixels: int = 64
    """along each side of a view"""
    points: int = 20_000
    """a mixture is fitted to"""
    sizes: tuple[int, ...] = SIZES
    """components"""


@on_device
def run(settings: Settings, context: Context) -> dict[str, float]:
    """Fits both kinds of mixture to every model, at every size."""
    camera = Camera.from_fov(settings.pixels, settings.pixels, fov=0.58)
    poses = np.asarray(sphere_views(settings.views, distance=3.6))
    models = load(context.data, settings.models, resolution=settings.resolution, wanted=TEN)
    scores = np.zeros((len(models), len(KINDS), len(settings.sizes), 2))
    report = context.progress("models")
    for number, model in enumerate(models):
        path = context.folder / f"{model.name}-gmm.npz"
        kept = kept_arrays(path, partial(_scores_of, model, camera, poses, settings, context.seed))
        scores[number] = kept["scores"]
        context.log(f"{model.name}: cross-entropy {np.round(scores[number, :, :, 0], 4).tolist()}")
        report(number + 1, len(models), float(scores[number, 1, -1, 0]))
    _draw(context, settings.sizes, scores)
    means = scores.mean(0)
    size = len(settings.sizes) // 2
    return {
        f"{name}_{kind}_{place}": float(means[k, n, i])
        for k, kind in enumerate(KINDS)
        for place, n in (("least", 0), ("middle", size), ("most", -1))
        for i, name in enumerate(("mask", "depth"))
    }


def _scores_of(
    model: Model, camera: Camera, poses: np.ndarray, settings: Settings, seed: int
) -> dict[str, np.ndarray]:
    """Both errors of every mixture: `scores`, (kinds, sizes, 2)."""
    truth = views_of(model.vertices, model.faces, camera, poses)
    scores = np.zeros((len(KINDS), len(settings.sizes), 2))
    for k, kind in enumerate(KINDS):
        for n, components in enumerate(settings.sizes):
            shape = fit_mesh(
                model.vertices,
                model.faces,
                components=components,
                key=jax.random.key(seed),
                kind=kind,
                points=settings.points,
            )
            found = fidelity(shape, camera, poses, truth, blend="paper")
            scores[k, n] = found.mask, 100 * found.depth / model.extent
    return {"scores": scores}


def _draw(context: Context, sizes: tuple[int, ...], scores: np.ndarray) -> None:
    labels = ("cross-entropy of silhouettes", "error of depth, % of scale")

    def draw(figure: Canvas) -> None:
        axes = figure.subplots(1, 2)
        for i, (ax, label) in enumerate(zip(axes, labels, strict=True)):
            for k, kind in enumerate(KINDS):
                ax.plot(sizes, scores[:, k, :, i].T, color=f"C{k}", lw=0.6, alpha=0.5)
                ax.plot(sizes, scores[:, k, :, i].mean(0), "o-", color=f"C{k}", label=kind)
            ax.set(xscale="log", yscale="log", xlabel="Gaussians", title=label, xticks=sizes)
            ax.set_xticklabels([str(size) for size in sizes])
            ax.minorticks_off()
        axes[0].legend()

    context.picture(
        "fidelity",
        "Mixtures fitted to points of the surface and to points of the inside, drawn with the paper's "
        "constants and compared with the mesh: thin lines are models, thick ones means.",
        draw,
        size=(8.0, 3.6),
    )


EXPERIMENT = Experiment(
    name="metaballs.gmm",
    title="Surface against volume mixtures of Gaussians",
    about=(
        "A mixture is fitted to points drawn from a model's surface or from its inside, by expectation "
        "maximisation alone, and drawn with the paper's constants. The paper says that both work well and "
        "uses volumes; it prints no figures. The picture shows both errors over the number of Gaussians."
    ),
    paper=PAPER,
    presets={
        "smoke": Settings(models=1, resolution=32, views=4, pixels=32, points=1000, sizes=(8, 12)),
        "quick": Settings(),
        "paper": Settings(models=10, resolution=96),
    },
    minutes={"smoke": 0.1, "quick": 2, "paper": 5},
    figures=tuple(
        Figure(
            key=f"{name}_{kind}_{place}",
            label=f"{label}, {kind}, {count}",
            unit=unit,
            cause="The paper prints no figures.",
            smoke=Band(
                0.0,
                4.0,
                "8 and 12 Gaussians give 0.4 to 2.0; one in the wrong place costs up to 13.8 a pixel",
            )
            if name == "mask"
            else None,
        )
        for name, label, unit in (
            ("mask", "cross-entropy of silhouettes", ""),
            ("depth", "error of depth", "% of scale"),
        )
        for kind in KINDS
        for place, count in (
            ("least", "fewest Gaussians (10)"),
            ("middle", "40 Gaussians"),
            ("most", "most Gaussians (80)"),
        )
    ),
    run=run,
    packages=("fuzzy-metaballs", "jax", "numpy"),
)
