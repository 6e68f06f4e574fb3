"""The pictures of `pde_priors.livecell`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from pde_priors._statistics import interval
from pde_priors._variants import SCORES, VARIANTS

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from pde_priors._results import Results
    from repro.context import Context

PREDICTED, TRUE = "#ff8143", "#69a6ff"
"""Orange and blue, bright in both schemes: what they are drawn over is a photograph."""

WINDOW = 128
"""Side of what is shown of a frame, in pixels."""


def draw(context: Context, results: Results) -> None:
    """Draws predictions, scores against the number of tiles, and learning curves."""
    direction, trained = next(iter(results.trained.items()))
    few, most = results.tiles[0], results.tiles[-1]
    numbers = list(dict.fromkeys((few, most)))

    def predictions(figure: Figure) -> None:
        window = tuple(
            slice(max((n - WINDOW) // 2, 0), max((n - WINDOW) // 2, 0) + WINDOW)
            for n in trained.frame.mask.shape
        )
        panels = figure.subplots(len(numbers), len(VARIANTS), squeeze=False)
        for row, tiles in zip(panels, numbers, strict=True):
            for axes, (variant, name) in zip(row, VARIANTS.items(), strict=True):
                network = trained.networks[tiles][variant][0]
                axes.imshow(trained.frame.image[window], cmap="gray", vmin=-3, vmax=4)
                for mask, colour in ((trained.frame.mask, TRUE), (network["predicted"], PREDICTED)):
                    if 0 < mask[window].mean() < 1:  # without a boundary there is nothing to draw
                        axes.contour(mask[window], [0.5], colors=colour, linewidths=1.3)
                score, boundary = (
                    network["scores"][0][list(SCORES).index(key)] for key in ("dice", "boundary_f")
                )
                axes.set_title(
                    f"{name}, {_count(tiles)}\nDice {score:.3f}, boundary F {boundary:.3f}", fontsize=9
                )
                axes.set_axis_off()

    def sizes(figure: Figure) -> None:
        panels = figure.subplots(2, 2, sharex=True)
        for (upper, lower), key in zip(panels.T, ("dice", "boundary_f"), strict=True):
            k = list(SCORES).index(key)
            _errors(upper, results, k, gains=False)
            _errors(lower, results, k, gains=True)
            upper.set(title=SCORES[key][0], ylabel="score")
            lower.set(ylabel="gain over no prior", xlabel="labelled tiles")
            lower.axhline(0, color="C5", linewidth=1)
        panels[0, 0].legend(loc="lower right")

    def learning(figure: Figure) -> None:
        panels = figure.subplots(1, 2)
        epochs = np.arange(1, len(trained.networks[few]["none"][0]["loss"]) + 1)
        for axes, (key, title) in zip(
            panels,
            {"loss": "loss, priors included", "seen": "Dice, other frames of the seen kinds"}.items(),
            strict=True,
        ):
            for variant, name in VARIANTS.items():
                curves = np.array([network[key] for network in trained.networks[few][variant]])
                (line,) = axes.plot(epochs, curves.mean(0), label=name)
                axes.fill_between(
                    epochs, curves.min(0), curves.max(0), color=line.get_color(), alpha=0.15, lw=0
                )
            axes.set(xlabel="epoch", title=title, xticks=epochs)
        panels[1].legend(loc="lower right")

    kinds = direction.replace("+", " and ").replace(">", " are seen, ") + " is not"
    context.picture(
        "predictions",
        f"Predicted (orange) and true (blue) boundaries in the middle of the first test frame ({kinds}), "
        "first network of each loss. Scores are those of the whole frame.",
        predictions,
        size=(10.0, 3.0 * len(numbers)),
    )
    context.picture(
        "sizes",
        "Scores on the unseen kinds, and their difference to those without a prior, against the number of "
        "labelled tiles; 95 % intervals by resampling networks and frames, for the differences in pairs.",
        sizes,
        size=(9.0, 6.0),
    )
    context.picture(
        "learning",
        f"Trained on {_count(few)}: mean over the networks, with their range, after every epoch ({kinds}).",
        learning,
        size=(9.0, 3.4),
    )


def _errors(axes: Axes, results: Results, score: int, *, gains: bool) -> None:
    for number, (variant, name) in enumerate(VARIANTS.items()):
        if gains and variant == "none":
            continue
        tables = results.gains if gains else results.scores
        found = [interval(tables(tiles, variant, score)) for tiles in results.tiles]
        means = np.array([one.mean for one in found])
        ends = np.abs(np.array([[one.low, one.high] for one in found]).T - means)
        x = np.arange(len(found)) + 0.1 * (number - 1.5)
        axes.errorbar(x, means, ends, fmt="o", color=f"C{number}", ms=4, capsize=3, label=name)
    axes.set_xticks(range(len(results.tiles)), [str(tiles or "all") for tiles in results.tiles])
    axes.set_xlim(-0.5, len(results.tiles) - 0.5)


def _count(tiles: int) -> str:
    return f"{tiles} tiles" if tiles else "all tiles"
