"""`fuzzy-metaballs fit`: a mesh, a cloud or masks in, a model out."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import jax
import numpy as np

from fuzzy_metaballs._command import inputs, outputs
from fuzzy_metaballs._fitting.mesh import fit_mesh
from fuzzy_metaballs._fitting.mixture import fit_points
from fuzzy_metaballs._fitting.silhouette import shape_from_silhouette
from fuzzy_metaballs.files import write_model

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from matplotlib.axes import Axes

    from fuzzy_metaballs._command.options import Fit
    from fuzzy_metaballs._shape import FuzzyMetaballs


def checkpoint_of(command: Fit) -> Path:
    """Where a fit from masks keeps its state until it is done."""
    return command.out.with_name(command.out.name + ".resume")


def fit(command: Fit) -> None:
    """Checks everything first; writes when all is done."""
    outputs.check("--out", command.out, (".npz",))
    outputs.check("--plot", command.plot, outputs.PICTURES)
    if not command.source.exists():
        raise ValueError(f"{command.source}: there is no such file or folder.")
    shape, said, draw = _from_masks(command) if command.source.is_dir() else _from_points(command)
    write_model(command.out, shape)
    if command.plot is not None:
        outputs.write_plot(command.plot, draw)
    checkpoint_of(command).unlink(missing_ok=True)
    outputs.say(said, f"{command.out}: {shape!r}")


def _from_masks(command: Fit) -> tuple[FuzzyMetaballs, str, Callable[[Axes], object]]:
    masks, camera, poses = inputs.read_views(command.source, command.cameras)
    with outputs.Bar("fit", "cross-entropy") as bar:
        found = shape_from_silhouette(
            masks,
            camera,
            poses,
            key=jax.random.key(command.seed),
            components=command.components,
            epochs=command.epochs,
            outliers=command.outliers,
            callback=bar,
            checkpoint=checkpoint_of(command),
        )
    return found.shape, repr(found), found.plot


def _from_points(command: Fit) -> tuple[FuzzyMetaballs, str, Callable[[Axes], object]]:
    vertices, faces = inputs.read_mesh(command.source)
    key, history = jax.random.key(command.seed), []
    with outputs.Bar("fit", "log-likelihood") as bar:

        def follow(step: int, total: int, value: float) -> None:
            history.append(value)
            bar(step, total, value)

        if len(faces):
            shape = fit_mesh(
                vertices,
                faces,
                components=command.components,
                key=key,
                kind=command.kind,
                points=command.points,
                callback=follow,
            )
        else:
            shape = fit_points(vertices, components=command.components, key=key, callback=follow)
    said = f"log-likelihood of a point {history[0]:.4g} -> {history[-1]:.4g} in {len(history)} steps"
    return shape, said, partial(_draw, history)


def _draw(history: list[float], axes: Axes) -> None:
    """The log-likelihood, step by step."""
    axes.plot(np.arange(1, len(history) + 1), history)
    axes.set(xlabel="step", ylabel="mean log-likelihood of a point")
