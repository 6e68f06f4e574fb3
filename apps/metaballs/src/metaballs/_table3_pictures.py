"""The pictures of `metaballs.table3`: Figures 6, 7 and 8 of the paper."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from fuzzy_metaballs import Camera, look_at, render
from metaballs._reconstruct import BLEND, METHODS, STAGES
from metaballs._score import views_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from fuzzy_metaballs import FuzzyMetaballs
    from metaballs.models import Model
    from repro.context import Context

_EYE = (1.9, 1.0, 2.9)


def draw_pictures(
    context: Context,
    *,
    models: list[Model],
    shapes: list[FuzzyMetaballs],
    steps: list[FuzzyMetaballs],
    shown: dict[str, np.ndarray],
    errors: dict[tuple[str, str], list[float]],
    pose: np.ndarray,
) -> None:
    """Hands the pictures to the runner.

    Args:
        context: of the run.
        models: all.
        shapes: of each model, from clean masks.
        steps: of the first model.
        shown: of the first model: `masks` (noisy), `changed` views, `truth` of the unseen views, and every
            method's alpha there.
        errors: cross-entropy of each model by method and kind.
        pose: of the unseen views.
    """
    close, eye = Camera.from_fov(160, 160, fov=0.58), np.asarray(look_at(_EYE))
    pairs = [
        (_fuzzy(shape, close, eye), _mesh(model, close, eye))
        for shape, model in zip(shapes, models, strict=True)
    ]

    def reconstructions(figure: Figure) -> None:
        columns = min(len(pairs), 5)
        rows = -(-len(pairs) // columns)
        axes = figure.subplots(2 * rows, columns, squeeze=False)
        for ax in axes.flat:
            ax.set_axis_off()
        for k, pair in enumerate(pairs):
            row, column = divmod(k, columns)
            for which, depth in enumerate(pair):
                depth_image(axes[2 * row + which, column], depth, pair[1])
            axes[2 * row, column].set_title(models[k].name, loc="left", fontsize="medium")

    rows = -(-len(pairs) // 5)
    context.picture(
        "figure6",
        "Figure 6: each model reconstructed from clean silhouettes by fuzzy metaballs (above) and the model "
        "itself (below), coloured by depth; bright is near.",
        reconstructions,
        size=(max(4.0, 1.7 * min(len(pairs), 5)), 3.5 * rows),
    )

    images = [_fuzzy(shape, close, eye) for shape in steps]
    truth = _mesh(models[0], close, eye)

    def course(figure: Figure) -> None:
        axes = figure.subplots(1, len(images) + 1)
        for ax, image, name in zip(
            axes, [*images, truth], [*_course_names(len(images)), "the model"], strict=True
        ):
            depth_image(ax, image, truth)
            ax.set_title(name, loc="left", fontsize="medium")

    context.picture(
        "figure7",
        f"Figure 7: how {models[0].name} comes about, coloured by depth where alpha exceeds 1/2.",
        course,
        size=(8.5, 2.1),
    )

    changed = np.flatnonzero(shown["changed"])[:4]
    views = np.linspace(0, len(pose) - 1, 4).round().astype(int)
    names = [METHODS[method] for method in METHODS]

    def noisy(figure: Figure) -> None:
        axes = figure.subplots(2 + len(names), 4)
        for column, view in enumerate(changed):
            _gray(axes[0, column], shown["masks"][view])
        for column, view in enumerate(views):
            _gray(axes[1, column], shown["truth"][view])
            for row, method in enumerate(METHODS, 2):
                _gray(axes[row, column], shown[f"{method}-noisy"][view])
        for ax, name in zip(
            axes[:, 0], ["noisy masks it is fitted to", "true masks, other views", *names], strict=True
        ):
            ax.set_title(name, loc="left", fontsize="medium")

    context.picture(
        "figure8",
        f"Figure 8: {models[0].name} from silhouettes of which half lack a piece (first row), by every "
        "method, in views that were not fitted; the true masks of these views stand in the second row.",
        noisy,
        size=(5.6, 10.5),
    )

    def bars(figure: Figure) -> None:
        ax = figure.add_subplot()
        place = np.arange(len(METHODS))
        for k, kind in enumerate(("clean", "noisy")):
            values = [np.mean(errors[method, kind]) for method in METHODS]
            ax.bar(place + 0.36 * (k - 0.5), values, 0.34, color=f"C{k}", label=kind)
            for method, x in zip(METHODS, place, strict=True):
                points = errors[method, kind]
                ax.plot(np.full(len(points), x + 0.36 * (k - 0.5)), points, "o", color="C5", ms=3)
        ax.set(yscale="log", ylabel="cross-entropy, unseen views", xticks=place)
        ax.set_xticklabels([name.replace(" (", "\n(") for name in names])
        ax.legend()

    context.picture(
        "errors",
        "Cross-entropy of the silhouettes of unseen views: bars are means over models, dots single models.",
        bars,
        size=(8.0, 3.6),
    )


def _course_names(count: int) -> list[str]:
    names = [f"{epochs} epoch{'s' if epochs > 1 else ''}" for epochs in STAGES]
    return [*names[: count - 1], "the end"]


def _fuzzy(shape: FuzzyMetaballs, camera: Camera, pose: np.ndarray) -> np.ndarray:
    image = render(shape, camera, pose, blend=BLEND)
    return np.where(np.asarray(image.alpha) > 0.5, np.asarray(image.depth), np.nan)


def _mesh(model: Model, camera: Camera, pose: np.ndarray) -> np.ndarray:
    depth = views_of(model.vertices, model.faces, camera, pose[None])[0].depth
    return np.where(np.isfinite(depth), depth, np.nan)


def depth_image(ax: Axes, depth: np.ndarray, like: np.ndarray) -> None:
    """A depth map in the colours of another; what is NaN stays transparent."""
    _bare(ax)
    ax.imshow(depth, cmap="viridis_r", vmin=np.nanmin(like), vmax=np.nanmax(like))


def _gray(ax: Axes, image: np.ndarray) -> Any:
    _bare(ax)
    return ax.imshow(image, cmap="gray", vmin=0, vmax=1)


def _bare(ax: Axes) -> None:
    ax.set_xticks([])
    ax.set_yticks([])
    ax.spines[:].set_visible(False)
