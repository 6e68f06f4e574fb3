"""The pictures of `implicit_splines.table2`."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

import numpy as np
import torch
from skimage.measure import find_contours

from implicit_seg import ImplicitSpline
from implicit_splines._scores import METRICS
from repro import scene

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from mpl_toolkits.mplot3d import Axes3D
    from torch import nn

    from implicit_seg import SplineNetwork
    from implicit_splines._protocol import Bench
    from implicit_splines._scores import Scores
    from implicit_splines._volumes import Volume
    from repro.context import Context

SPLINE, PLAIN, TRUE = "#ff8143", "#ffd773", "#69a6ff"
"""Orange, yellow and blue, bright in both schemes: what they are drawn over is an image."""
LABELS = {
    "spline": "UNetImplicit",
    "unet": "plain U-Net",
    "degree_0": "of degree 0",
    "degree_2": "of degree 2",
}
NAMES = {"accuracy": "accuracy", "dice": "Dice", "jaccard": "Jaccard", "hausdorff": "Hausdorff, px"}
SHOWN = 4
"""Slices in Figure 3."""
STACKED = 40
"""Slices of a volume that are drawn in space, at most."""


def draw(
    context: Context, bench: Bench, models: dict[str, nn.Module], scores: dict[str, list[Scores]]
) -> None:
    """Draws the scores of each volume, Figures 3 to 6, and the boundaries closely."""
    volumes = bench.volumes.test
    values = {key: [bench.values(model, volume) for volume in volumes] for key, model in models.items()}
    words = "slices" if context.data is not None else "tiles"
    dice = scores["spline"][0].volumes["dice"]
    best, worst = int(dice.argmax()), int(dice.argmin())  # of the first training
    generator = np.random.default_rng(context.seed)
    places = [(v, k) for v, volume in enumerate(volumes) for k in range(len(volume)) if volume.masks[k].any()]
    shown = [places[k] for k in sorted(generator.permutation(len(places))[:SHOWN])]

    def rows(figure: Figure) -> None:
        _rows(figure, volumes, scores)

    def predictions(figure: Figure) -> None:
        axes = figure.subplots(3, len(shown), squeeze=False)
        for column, (v, k) in zip(axes.T, shown, strict=True):
            for ax in column[[0, 2]]:
                ax.imshow(volumes[v].images[k], cmap="gray")
            column[1].imshow(volumes[v].masks[k], cmap="gray")
            for loop in _loops(bench, models["spline"], volumes[v], k):
                column[2].plot(loop[:, 1], loop[:, 0], color=SPLINE, linewidth=1.2)
            column[0].set_title(f"{volumes[v].name}, slice {volumes[v].positions[k]}", fontsize=9)
        for ax, name in zip(axes[:, 0], ("image", "mask", "prediction"), strict=True):
            ax.set_ylabel(name)
        for ax in axes.flat:
            ax.set(xticks=[], yticks=[])

    def closely(figure: Figure) -> None:
        for ax, (v, k) in zip(figure.subplots(1, 2), shown[:: max(1, len(shown) - 1)][:2], strict=True):
            _closely(ax, bench, models["spline"], volumes[v], k, values["unet"][v][k])

    def space(figure: Figure) -> None:
        for row, index in enumerate((best, worst)):
            for column, masks in enumerate((volumes[index].masks, values["spline"][index] > 0)):
                ax: Axes3D = figure.add_subplot(2, 2, 2 * row + column + 1, projection="3d")
                _stack(ax, volumes[index], masks, f"C{column}")
                ax.set_title(f"volume {volumes[index].name}, {('true', 'predicted')[column]}", fontsize=9)

    context.picture(
        "table2",
        "Table 2 as a picture: the score of each test volume in each training. "
        + ("" if bench.volumes.is_complete else f"A volume here means the {words} that there are of it."),
        rows,
        size=(9.0, 3.4),
    )
    context.picture(
        "figure3",
        f"Figure 3: {words} of the test volumes taken at random, the true masks, and the zero set of the "
        "spline, traced on the spline itself and not on pixels.",
        predictions,
        size=(8.0, 6.2),
    )
    side = volumes[0].images.shape[1]
    context.picture(
        "closely",
        f"Boundaries over the image at its full resolution, {side / bench.settings.size:.2g} times that of "
        "the images that the networks see: the spline's (orange), the plain U-Net's, interpolated (yellow, "
        "dashed), and the true one (blue, dotted).",
        closely,
        size=(8.0, 4.2),
    )
    context.picture(
        "figure4_5",
        f"Figures 4 and 5: the test volumes with the highest ({dice[best]:.3f}) and the lowest Dice "
        f"({dice[worst]:.3f}) in the first training. Outlines of {words}, stacked at their positions.",
        space,
        size=(8.0, 7.0),
    )
    for name, index in (("best", best), ("worst", worst)):
        volume = volumes[index]
        outlines = {"true": volume.masks, "predicted": values["spline"][index] > 0}
        parts = [_outlines(label, volume, masks) for label, masks in outlines.items() if masks.any()]
        if parts:  # there may be nothing to outline
            context.scene(name, f"volume {volume.name}", parts, picture="figure4_5")
    context.picture(
        "figure6",
        "Figure 6: box plots of the scores of "
        + ("the volumes" if len(volumes) > 4 else f"the {words}, as there are too few volumes")
        + ", with the minimum, the quartiles and the maximum; all trainings together. Where nothing was "
        "found, the diagonal stands for the Hausdorff distance.",
        lambda figure: _boxes(figure, scores, len(volumes) > 4),
        size=(8.0, 3.2),
    )


def _rows(figure: Figure, volumes: tuple[Volume, ...], scores: dict[str, list[Scores]]) -> None:
    places = np.arange(len(volumes))
    axes = figure.subplots(1, len(METRICS), sharey=True)
    for ax, metric in zip(axes, METRICS, strict=True):
        for number, (key, label) in enumerate(LABELS.items()):
            found = np.array([each.volumes[metric] for each in scores[key]])
            y = places + 0.15 * (number - 1.5)
            for k, row in enumerate(found):
                ax.plot(row, y, "o", color=f"C{number}", alpha=0.6, label=label if k == 0 else None)
        ax.set(xlabel=NAMES[metric], yticks=places, yticklabels=[f"volume {v.name}" for v in volumes])
        ax.margins(y=0.2)
    figure.legend(*axes[0].get_legend_handles_labels(), loc="outside upper center", ncols=4)
    axes[0].invert_yaxis()


def _boxes(figure: Figure, scores: dict[str, list[Scores]], by_volume: bool) -> None:
    for ax, metric in zip(figure.subplots(1, len(METRICS)), METRICS, strict=True):
        parts = [
            np.concatenate(
                [
                    each.volumes[metric] if by_volume else np.concatenate(each.slices[metric])
                    for each in repeats
                ]
            )
            for repeats in scores.values()
        ]
        boxes = ax.boxplot(parts, whis=(0, 100), patch_artist=True, widths=0.5)
        for name in ("whiskers", "caps", "medians"):
            for line in boxes[name]:
                line.set_color(ax.xaxis.label.get_color())
        for number, box in enumerate(boxes["boxes"]):
            box.set(facecolor=f"C{number}", edgecolor=ax.xaxis.label.get_color())
        ax.set_xticklabels([LABELS[key] for key in scores], rotation=45, ha="right", fontsize=8)
        ax.set_title(NAMES[metric], fontsize=10)


def _loops(bench: Bench, model: nn.Module, volume: Volume, k: int) -> list[np.ndarray]:
    """Loops of (row, column) in pixels of the image."""
    network = cast("SplineNetwork", model)
    with torch.no_grad():
        net = network.coefficients(bench.images(volume, slice(k, k + 1)))[0, 0]
    spline = ImplicitSpline(net, network.degree, size=volume.images.shape[1:])
    return [np.concatenate([loop.points, loop.points[:1]]) for loop in spline.contours()]


def _closely(ax: Axes, bench: Bench, model: nn.Module, volume: Volume, k: int, plain: np.ndarray) -> None:
    ax.imshow(volume.images[k], cmap="gray")
    ax.contour(volume.masks[k], [0.5], colors=TRUE, linewidths=1.2, linestyles="dotted")
    if (plain > 0).any():
        ax.contour(plain, [0.0], colors=PLAIN, linewidths=1.0, linestyles="dashed")
    for loop in _loops(bench, model, volume, k):
        ax.plot(loop[:, 1], loop[:, 0], color=SPLINE, linewidth=1.4)
    half = volume.images.shape[1] // 5
    middle = _near_the_middle(volume.masks[k])
    ax.set(
        xlim=(middle[1] - half, middle[1] + half),
        ylim=(middle[0] + half, middle[0] - half),
        title=f"{volume.name}, slice {volume.positions[k]}",
    )
    ax.set_axis_off()


def _near_the_middle(mask: np.ndarray) -> np.ndarray:
    """The point of the mask's boundary that is closest to its middle."""
    points = np.concatenate(find_contours(np.pad(mask, 1).astype(float), 0.5)) - 1
    middle = np.argwhere(mask).mean(0)
    return points[np.linalg.norm(points - middle, axis=1).argmin()]


def _outlines(label: str, volume: Volume, masks: np.ndarray) -> scene.Part:
    """The outlines of all slices, half as high as wide together, rows running away from the reader."""
    height, width = volume.images.shape[1:]
    step = -(-len(volume) // STACKED)
    span = max(1, volume.positions[-1] - volume.positions[0])
    paths = []
    for mask, position in zip(masks[::step], volume.positions[::step], strict=True):
        z = 0.5 * width * (position - volume.positions[0]) / span
        for loop in find_contours(np.pad(mask, 1).astype(float), 0.5):
            row, column = loop.T - 1
            paths.append(scene.path(label, np.stack([column, height - row, np.full(len(row), z)], axis=1)))
    return scene.joined(label, paths)


def _stack(ax: Axes3D, volume: Volume, masks: np.ndarray, color: str) -> None:
    step = -(-len(volume) // STACKED)
    for mask, position in zip(masks[::step], volume.positions[::step], strict=True):
        for loop in find_contours(np.pad(mask, 1).astype(float), 0.5):
            ax.plot(loop[:, 1] - 1, loop[:, 0] - 1, np.full(len(loop), position), color=color, linewidth=0.8)
    height, width = volume.images.shape[1:]
    ax.set(xlim=(0, width), ylim=(height, 0), xlabel="column", ylabel="row", zlabel="slice")
    ax.view_init(elev=25, azim=-60)
