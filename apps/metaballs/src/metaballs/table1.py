"""Table 1: run times of an image and of its gradient with respect to the pose."""

from __future__ import annotations

import time
from dataclasses import dataclass
from functools import partial
from textwrap import fill
from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp
import numpy as np

from fuzzy_metaballs import Camera, FuzzyMetaballs, look_at, render, se3_exp
from metaballs._device import on_device
from metaballs._open3d import decimate
from metaballs.baselines.published import published
from metaballs.baselines.soft_mesh import soft_mesh
from metaballs.baselines.splat import splat
from metaballs.models import load
from metaballs.paper import PAPER
from repro.experiment import Band, Experiment, Figure

if TYPE_CHECKING:
    from collections.abc import Callable

    from jaxtyping import Array
    from matplotlib.figure import Figure as Canvas

    from repro.context import Context

METHODS = {
    "points": "point splat",
    "mesh": "soft mesh",
    "published": "fuzzy metaballs as published",
    "fuzzy": "fuzzy metaballs",
    "native": "fuzzy metaballs, native kernel",
}
"""Names for readers."""


@dataclass(frozen=True)
class Settings:
    """Settings of `metaballs.table1`."""

    width: int = 80
    """columns; the paper's CPU figures are for 80 x 60, its CUDA figures for 160 x 120"""
    height: int = 60
    """rows"""
    components: int = 40
    """Gaussians"""
    points: int = 470
    """of the splat, the paper's equal fidelity"""
    faces: int = 170
    """of the soft mesh, the paper's equal fidelity"""
    rounds: int = 30
    """in each of which every method makes one image and one gradient; the fastest counts"""


@on_device
def run(settings: Settings, context: Context) -> dict[str, float]:
    """Times all methods in turn."""
    model = load(context.data, 1, resolution=48)[0]
    vertices, faces = decimate(model.vertices, model.faces, settings.faces)
    generator = np.random.default_rng(context.seed)
    chosen = generator.choice(
        len(model.vertices), settings.points, replace=len(model.vertices) < settings.points
    )
    shape = FuzzyMetaballs.sphere(settings.components, key=jax.random.key(context.seed), radius=0.6)
    camera = Camera.from_fov(settings.width, settings.height, fov=0.58)
    pose = look_at([0.4, 0.6, -3.6])
    context.log(
        f"{model.name}: {len(faces)} faces, {settings.points} points, {settings.components} Gaussians"
    )
    seen = (camera, pose)
    scenes: dict[str, tuple[Callable[..., tuple[Array, Array]], Any]] = {
        "points": (_points, (jnp.asarray(model.vertices[chosen], jnp.float32), *seen)),
        "mesh": (_mesh, ((jnp.asarray(vertices, jnp.float32), jnp.asarray(faces)), *seen)),
        "published": (_published, (shape, *seen)),
        "fuzzy": (_fuzzy, (shape, *seen)),
        "native": (_native, jax.device_put((shape, *seen), jax.devices("cpu")[0])),
    }
    best: dict[str, float] = {}
    images: dict[str, np.ndarray] = {}
    report = context.progress("rounds")
    for turn in range(settings.rounds + 1):  # the first compiles
        for method, (image, arguments) in scenes.items():
            for key, work in (("forward", _image), ("both", _gradient)):
                begin = time.perf_counter()
                out = jax.block_until_ready(work(image, *arguments))
                if turn:
                    name = f"{key}_{method}"
                    took = 1e3 * (time.perf_counter() - begin)
                    best[name] = min(best.get(name, np.inf), took)
                elif key == "forward":
                    images[method] = np.asarray(jax.nn.sigmoid(out[0]))
        report(turn + 1, settings.rounds + 1, best.get("both_fuzzy", 0.0))
    _draw(context, best, images)
    return best | {
        f"ratio_{key}_{peer}": best[f"{key}_{peer}"] / best[f"{key}_fuzzy"]
        for key in ("forward", "both")
        for peer in ("published", "mesh")
    }


def _points(points: Array, camera: Camera, pose: Array) -> tuple[Array, Array]:
    return splat(points, camera, pose)


def _mesh(mesh: tuple[Array, Array], camera: Camera, pose: Array) -> tuple[Array, Array]:
    return soft_mesh(*mesh, camera, pose)


def _published(shape: FuzzyMetaballs, camera: Camera, pose: Array) -> tuple[Array, Array]:
    return published(shape, camera, pose)


def _fuzzy(shape: FuzzyMetaballs, camera: Camera, pose: Array) -> tuple[Array, Array]:
    image = render(shape, camera, pose)
    return image.alpha_logit, image.depth


def _native(shape: FuzzyMetaballs, camera: Camera, pose: Array) -> tuple[Array, Array]:
    image = render(shape, camera, pose, backend="native")
    return image.alpha_logit, image.depth


@partial(jax.jit, static_argnums=0)
def _image(image: Callable[..., tuple[Array, Array]], scene: Any, camera: Camera, pose: Array):
    return image(scene, camera, pose)


@partial(jax.jit, static_argnums=0)
def _gradient(image: Callable[..., tuple[Array, Array]], scene: Any, camera: Camera, pose: Array):
    def loss(twist: Array) -> Array:
        alpha_logit, depth = image(scene, camera, pose @ se3_exp(twist))
        return jax.nn.softplus(alpha_logit).mean() + depth.mean()

    return jax.value_and_grad(loss)(jnp.zeros(6))


def _draw(context: Context, best: dict[str, float], images: dict[str, np.ndarray]) -> None:
    def draw(figure: Canvas) -> None:
        axes = figure.subplot_mosaic([["bars"] * len(METHODS), list(METHODS)], height_ratios=[2.2, 1])
        bars = axes.pop("bars")
        for k, (key, label) in enumerate((("forward", "image"), ("both", "image and its gradient"))):
            values = [best[f"{key}_{method}"] for method in METHODS]
            drawn = bars.bar(
                np.arange(len(METHODS)) + 0.36 * (k - 0.5), values, 0.34, color=f"C{k}", label=label
            )
            bars.bar_label(
                drawn, [f"{value:.0f}" if value >= 100 else f"{value:.3g}" for value in values], fontsize=8
            )
        bars.set(yscale="log", ylabel="ms", xticks=range(len(METHODS)))
        bars.set_xticklabels([fill(name, 16) for name in METHODS.values()])
        bars.legend(ncols=2, loc="lower right", bbox_to_anchor=(1, 1))
        for method, ax in axes.items():
            ax.imshow(images[method], cmap="gray", vmin=0, vmax=1)
            ax.set_axis_off()

    context.picture(
        "times",
        "Fastest of all rounds for an image and an image with its gradient with respect to the pose; "
        "below, what was drawn (the Gaussians are a blobby sphere: their values do not matter here).",
        draw,
        size=(8.0, 4.8),
    )


_PUBLISHED = {"points": (18.0, 23.8), "mesh": (21.5, 384.7), "fuzzy": (3.0, 13.2), "native": (3.0, 13.2)}
"""Milliseconds forward and backwards, CPU."""

_CAUSES = {
    "points": "A splat in JAX stands for PyTorch3D's, on another machine.",
    "mesh": "A soft rasteriser in JAX stands for PyTorch3D's, on another machine.",
    "published": "The paper's own row is that of fuzzy metaballs.",
    "fuzzy": "Another machine; our backward pass recomputes in chunks, and our image has normals too.",
    "native": "Another machine; a kernel in C++, always on the CPU.",
}

_OURS_FIRST = sorted(METHODS.items(), key=lambda item: item[0] != "fuzzy")
"""The report's overview shows an experiment's first figure."""

EXPERIMENT = Experiment(
    name="metaballs.table1",
    title="Table 1: run times of an image and of its gradient",
    about=(
        "Every method draws depth and silhouette at 80 x 60 and differentiates them with respect to the "
        "pose, at the paper's sizes of equal fidelity: 470 points, 170 faces, 40 Gaussians. All methods "
        "take turns, compiled, and the fastest round counts; the ratios are what travels to other "
        "machines. The splat and the soft rasteriser stand for PyTorch3D's; there is no Pulsar here. The "
        "paper's CPU is an i5-7287U, and its gradient is the sum of its two columns. The picture shows "
        "times and images."
    ),
    paper=PAPER,
    presets={
        "smoke": Settings(width=40, height=30, components=20, points=100, faces=80, rounds=3),
        "quick": Settings(),
        "paper": Settings(rounds=200),
    },
    minutes={"smoke": 0.1, "quick": 0.5, "paper": 2},
    figures=(
        *(
            Figure(
                key=f"{key}_{method}",
                label=f"{label}: {title}",
                unit="ms",
                published=None
                if method not in _PUBLISHED
                else sum(_PUBLISHED[method][: 1 + (key == "both")]),
                source="Table 1, CPU" + (", forward plus backwards" if key == "both" else ""),
                comparable=False,
                cause=_CAUSES[method],
            )
            for key, label in (("forward", "image"), ("both", "image and gradient"))
            for method, title in _OURS_FIRST
        ),
        *(
            Figure(
                key=f"ratio_{key}_{peer}",
                label=f"time of {METHODS[peer]} over ours, {label}",
                published=None if peer == "published" else published,
                source="Table 1, CPU",
                comparable=False,
                cause="Another machine, and a rasteriser in JAX for PyTorch3D's.",
                smoke=Band(
                    0.02, 1e3, "either may win on small images; only a broken clock leaves this interval"
                ),
            )
            for key, label, published in (
                ("forward", "image", round(21.5 / 3.0, 2)),
                ("both", "image and gradient", round((21.5 + 384.7) / 16.2, 1)),
            )
            for peer in ("published", "mesh")
        ),
    ),
    run=run,
    packages=("fuzzy-metaballs", "jax", "numpy"),
)
