"""The pictures of `implicit_splines.coins`."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

import numpy as np
import torch
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from torch import nn

from implicit_seg import evaluate_spline

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from implicit_seg import TensorProductSplineHead
    from implicit_seg.training import History
    from repro.context import Context

FINER = 4
"""The splines are drawn at this many times the resolution of the photograph."""
PREDICTED, TRUE = "#ff8143", "#69a6ff"
"""Orange and blue, bright in both schemes: what they are drawn over is a photograph."""
WINDOW = (14, 46, 78, 110)
"""Rows and columns of the unseen half in which one coin is shown closely."""


def draw(
    context: Context,
    photograph: np.ndarray,
    mask: np.ndarray,
    divide: int,
    tiles: list[tuple[int, int]],
    size: int,
    models: dict[str, nn.Module],
    images: torch.Tensor,
    histories: dict[str, History],
) -> None:
    """Draws the data, the contours, the implicit function, one coin closely, and the learning curves."""
    strip = photograph[divide:]
    values = {key: _values(model, images) for key, model in models.items()}

    def contours(figure: Figure) -> None:
        axes = figure.subplots()
        axes.imshow(strip, cmap="gray")
        _contours(axes, values["degree_1"], tiles, size, PREDICTED)
        _finish(axes, strip.shape, tiles, size)

    def implicit_function(figure: Figure) -> None:
        axes = figure.subplots()
        reach = float(np.quantile(np.abs(values["degree_1"]), 0.9))
        norm = Normalize(-reach, reach)
        for tile, function in zip(tiles, values["degree_1"], strict=True):
            axes.imshow(function, cmap="RdBu_r", norm=norm, extent=_extent(tile, size), origin="lower")
        _contours(axes, values["degree_1"], tiles, size, "black")  # on white, the middle of the colour map
        _finish(axes, strip.shape, tiles, size)
        figure.colorbar(ScalarMappable(norm, "RdBu_r"), ax=axes, label="spline: positive inside", shrink=0.8)

    def closely(figure: Figure) -> None:
        top, bottom, left, right = WINDOW
        near = [
            k
            for k, (i, j) in enumerate(tiles)
            if i < bottom and j < right and i + size > top and j + size > left
        ]
        names = {
            "degree_0": "degree 0",
            "degree_1": "degree 1",
            "degree_2": "degree 2",
            "unet": "plain U-Net",
        }
        for axes, (key, name) in zip(figure.subplots(1, 4), names.items(), strict=True):
            axes.imshow(strip, cmap="gray")
            axes.contour(mask[divide:], [0.5], colors=TRUE, linewidths=1.2, linestyles="dotted")
            _contours(axes, [values[key][k] for k in near], [tiles[k] for k in near], size, PREDICTED)
            axes.set(xlim=(left, right), ylim=(bottom, top), title=name)
            axes.set_axis_off()

    def data(figure: Figure) -> None:
        axes = figure.subplots()
        axes.imshow(photograph, cmap="gray")
        axes.contour(mask, [0.5], colors=TRUE, linewidths=1.2)
        axes.axhline(divide, color=PREDICTED, linestyle="dashed")
        axes.text(4, divide - 62, "trained on", color=PREDICTED)
        axes.text(4, divide + 76, "scored", color=PREDICTED)
        axes.set_axis_off()

    def learning(figure: Figure) -> None:
        left, right = figure.subplots(1, 2)
        for label, history in histories.items():
            epochs = range(1, len(history) + 1)
            left.plot(epochs, history["loss"], label=label)
            right.plot(epochs, history["dice"], label=label)
        left.set(xlabel="epoch", ylabel="Dice loss, trained on")
        right.set(xlabel="epoch", ylabel="Dice on the unseen half", ylim=(0.8, 1))
        right.legend(loc="lower right")

    context.picture(
        "contours",
        "The zero set of the spline of degree 1, drawn at four times the resolution of the photograph, on "
        "the half that was not trained on. Thin lines separate the crops that the network sees one by one.",
        contours,
        size=(8.0, 3.6),
    )
    context.picture(
        "implicit_function",
        "The implicit function itself: positive (red) inside, negative (blue) outside, zero on the boundary.",
        implicit_function,
        size=(8.0, 3.4),
    )
    context.picture(
        "degrees",
        "One unseen coin closely: the boundary that each network predicts, and the true mask (dotted, blue).",
        closely,
        size=(8.0, 2.5),
    )
    context.picture(
        "data",
        "The photograph and the masks found by the classical rule: the upper half is trained on, the lower "
        "half scored.",
        data,
        size=(8.0, 6.2),
    )
    context.picture(
        "learning", "Loss on the crops trained on, and Dice on the unseen half, after every epoch.", learning
    )


def _values(model: nn.Module, images: torch.Tensor) -> np.ndarray:
    """Returns the values of a network on crops: splines more finely than pixels, plain networks on pixels."""
    with torch.no_grad():
        if not isinstance(model, nn.Sequential):
            return model(images)[:, 0].cpu().numpy()
        network, head = model[0], cast("TensorProductSplineHead", model[1])
        size = [FINER * (n - 1) + 1 for n in head.size]
        return evaluate_spline(network(images), size, head.degree)[:, 0].cpu().numpy()


def _contours(
    axes: Axes, values: np.ndarray | list[np.ndarray], tiles: list[tuple[int, int]], size: int, color: str
) -> None:
    for (top, left), function in zip(tiles, values, strict=True):
        steps = np.linspace(0, size - 1, len(function))
        axes.contour(left + steps, top + steps, function, [0.0], colors=color, linewidths=1.4)


def _extent(tile: tuple[int, int], size: int) -> tuple[float, float, float, float]:
    return tile[1] - 0.5, tile[1] + size - 0.5, tile[0] - 0.5, tile[0] + size - 0.5


def _finish(axes: Axes, shape: tuple[int, ...], tiles: list[tuple[int, int]], size: int) -> None:
    for top, left in tiles:
        axes.axhline(top - 0.5, color="gray", linewidth=0.4)
        axes.axvline(left - 0.5, color="gray", linewidth=0.4)
    axes.set(
        xlim=(-0.5, max(j for _, j in tiles) + size - 0.5), ylim=(max(i for i, _ in tiles) + size - 0.5, -0.5)
    )
    axes.set_axis_off()
