"""The pictures of `pde_priors.cell`."""

from __future__ import annotations

from types import EllipsisType
from typing import TYPE_CHECKING

import matplotlib.patches

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from torch import nn

    from implicit_seg.training import History
    from pde_priors.cell import Scene
    from repro.context import Context

PREDICTED, TRUE = "#ff8143", "#69a6ff"
"""Orange and blue, bright in both schemes: what they are drawn over is a photograph."""

Window = tuple[EllipsisType, slice, slice]


def draw(
    context: Context,
    seen: Scene,
    coins: Scene,
    cell: Scene,
    windows: list[Window],
    models: dict[str, nn.Module],
    histories: dict[str, History],
) -> None:
    """Draws the predicted contours on both scenes, the crops trained on, and the learning curves."""

    def contours(figure: Figure, scene: Scene, rows: int, columns: int) -> None:
        panels = figure.subplots(rows, columns, squeeze=False).flat
        for axes, (label, model) in zip(panels, models.items(), strict=True):
            axes.imshow(scene.image[0].cpu().numpy(), cmap="gray", vmin=-3, vmax=4)
            axes.contour(scene.mask[0].cpu().numpy(), [0.5], colors=TRUE, linewidths=1.2)
            axes.contour(scene.predict(model), [0.0], colors=PREDICTED, linewidths=1.6)
            axes.set_title(
                f"{label}\nDice {scene.dice(model):.3f}, perimeter x {scene.perimeter_ratio(model):.2f}"
            )
            axes.set_axis_off()

    def trained_on(figure: Figure) -> None:
        axes = figure.subplots()
        axes.imshow(seen.image[0].cpu().numpy(), cmap="gray", vmin=-3, vmax=4)
        axes.contour(seen.mask[0].cpu().numpy(), [0.5], colors=TRUE, linewidths=1)
        for _, rows, columns in windows:
            axes.add_patch(
                matplotlib.patches.Rectangle(
                    (columns.start - 0.5, rows.start - 0.5),
                    columns.stop - columns.start,
                    rows.stop - rows.start,
                    fill=False,
                    edgecolor=PREDICTED,
                    linewidth=1.5,
                )
            )
        axes.set_axis_off()

    def learning(figure: Figure) -> None:
        panels = figure.subplots(1, 3)
        titles = {"loss": "loss", "dice_coins": "Dice, unseen coins", "dice_cell": "Dice, cell"}
        for axes, (key, title) in zip(panels, titles.items(), strict=True):
            for label, history in histories.items():
                axes.plot(range(1, len(history) + 1), history[key], label=label)
            axes.set(xlabel="epoch", title=title, ylim=(0.0, None) if key == "loss" else (0.8, 1.0))
        panels[1].legend(loc="lower right")

    context.picture(
        "coins",
        "Predicted (orange) and true (blue) boundaries on noisy coins that were not trained on.",
        lambda figure: contours(figure, coins, len(models), 1),
        size=(8.0, 11.0),
    )
    context.picture(
        "cell",
        "The same networks on a kind of object they have never seen: a noisy photograph of a cell.",
        lambda figure: contours(figure, cell, 1, len(models)),
        size=(10.0, 4.0),
    )
    context.picture(
        "trained_on",
        "All that the networks were trained on: the framed crops and the masks inside them.",
        trained_on,
        size=(8.0, 3.4),
    )
    context.picture(
        "learning", "Loss, and Dice on what is scored, after every epoch.", learning, size=(9.0, 3.4)
    )
