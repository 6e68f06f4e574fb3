"""The pictures of `dsa.table2`: Figure 1, the differences with their intervals, the learning curves."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from dsa._table2_training import METHODS, TRAINED, WARM_UP

if TYPE_CHECKING:
    from collections.abc import Mapping

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from dsa._table2_scores import Gain
    from dsa._table2_training import Outcome
    from repro.context import Context

RANKS = {"a bad case": 0.1, "a middling case": 0.5, "a good case": 0.9}
"""Which scored images are shown: those at these quantiles of the baseline's Jaccard, not the layer's."""


def draw(
    context: Context,
    outcomes: Mapping[str, Outcome],
    gains: Mapping[str, Mapping[str, Gain]],
) -> None:
    """Draws Figure 1 for each set, all differences, every image's score, and the learning curves."""
    for key, outcome in outcomes.items():
        context.picture(
            f"figure1_{key}",
            f"Figure 1, {outcome.title}: a bad, a middling and a good case of the plain U-Net (10th, 50th "
            "and 90th percentile of its Jaccard). Under a mask its Jaccard in percent, its components and "
            "its holes. On the right the regions to which the layer gives one value each, in any colours.",
            lambda figure, outcome=outcome: _cases(figure, outcome),
            size=(10.0, 6.9),
        )
    context.picture(
        "gains",
        "Difference in mean Jaccard between the U-Net with the layer and three other methods: dot, and bar "
        "of 95 % from a bootstrap over the scored images, both methods on the same ones. Left of zero "
        "the layer loses.",
        lambda figure: _gains(figure, outcomes, gains),
        size=(8.0, 3.4),
    )
    context.picture(
        "images",
        "Every scored image: its Jaccard by the plain U-Net and with the layer. Above the diagonal the layer "
        "is better.",
        lambda figure: _images(figure, outcomes),
        size=(8.0, 4.2),
    )
    context.picture(
        "learning",
        "Cross-entropy of the images trained on, over the epochs: the warm-up, common to all, and what "
        "follows. The layer's is that of its own output.",
        lambda figure: _learning(figure, outcomes),
        size=(8.0, 3.6),
    )


def _cases(figure: Figure, outcome: Outcome) -> None:
    order = np.argsort(outcome.scores["baseline"].jaccard, kind="stable")
    axes = figure.subplots(len(RANKS), 5)
    titles = ("image", "truth", METHODS["baseline"], METHODS["weak"], "its partition")
    for column, title in zip(axes[0], titles, strict=True):
        column.set_title(title)
    for row, (label, rank) in zip(axes, RANKS.items(), strict=True):
        n = int(order[round(rank * (len(order) - 1))])
        image = outcome.images[n].transpose(1, 2, 0)
        row[0].imshow(image if image.shape[2] == 3 else image[..., 0], cmap="gray", vmin=0)
        row[0].set_xlabel(label)
        row[1].imshow(outcome.truth[n], cmap="gray", vmin=0, vmax=1)
        for place, key in ((2, "baseline"), (3, "weak")):
            scores = outcome.scores[key]
            row[place].imshow(scores.predicted[n], cmap="gray", vmin=0, vmax=1)
            components, holes = scores.topology[n]
            row[place].set_xlabel(f"{scores.jaccard[n]:.1f} %, {components} comp., {holes} holes", fontsize=9)
        components, holes = outcome.truth_topology[n]
        row[1].set_xlabel(f"{components} comp., {holes} holes", fontsize=9)
        row[4].imshow(_coloured(outcome.partition[n]))
        count = int(outcome.partition[n].max()) + 1
        row[4].set_xlabel(f"{count} region{'s' if count > 1 else ''}", fontsize=9)
        for column in row:
            _bare(column)


def _coloured(partition: np.ndarray) -> np.ndarray:
    """Colours that tell neighbouring regions apart, the same whenever it is drawn."""
    from matplotlib import colormaps

    count = int(partition.max()) + 1
    shades = colormaps["turbo"](np.linspace(0.05, 0.95, count))[..., :3]
    return shades[np.random.default_rng(1).permutation(count)][partition]


def _gains(figure: Figure, outcomes: Mapping[str, Outcome], gains: Mapping[str, Mapping[str, Gain]]) -> None:
    for axes, (key, found) in zip(figure.subplots(1, len(gains), sharey=True), gains.items(), strict=True):
        for row, gain in enumerate(found.values()):
            axes.plot([gain.low, gain.high], [row, row], color="C0", lw=3, solid_capstyle="butt")
            axes.plot(gain.mean, row, "o", color="C0", ms=8)
            axes.annotate(
                f"{gain.mean:+.2f}", (gain.mean, row), (0, 9), textcoords="offset points", ha="center"
            )
        axes.axvline(0, color="C5", lw=1)
        axes.set(title=outcomes[key].title, xlabel="difference in Jaccard, percentage points")
        axes.set(yticks=range(len(found)), yticklabels=[f"against\n{METHODS[other]}" for other in found])
        axes.set_ylim(len(found) - 0.4, -0.7)


def _images(figure: Figure, outcomes: Mapping[str, Outcome]) -> None:
    for axes, outcome in zip(figure.subplots(1, len(outcomes)), outcomes.values(), strict=True):
        baseline, weak = (outcome.scores[method].jaccard for method in ("baseline", "weak"))
        low = min(baseline.min(), weak.min())
        axes.plot([low, 100], [low, 100], color="C5", lw=1)
        axes.plot(baseline, weak, "o", ms=4, alpha=0.7)
        axes.set(
            title=outcome.title, xlabel=f"Jaccard, {METHODS['baseline']} [%]", ylabel=f"{METHODS['weak']} [%]"
        )
        axes.set_aspect("equal")


def _learning(figure: Figure, outcomes: Mapping[str, Outcome]) -> None:
    panels = figure.subplots(1, len(outcomes))
    for axes, outcome in zip(panels, outcomes.values(), strict=True):
        warm_up = len(outcome.histories[WARM_UP]) if WARM_UP in outcome.histories else 0
        colours = {WARM_UP: "C5"} | {label: f"C{k}" for k, label in enumerate(TRAINED.values())}
        for label, history in outcome.histories.items():
            begin = 0 if label == WARM_UP else warm_up
            epochs = np.arange(begin + 1, begin + len(history) + 1)
            axes.plot(epochs, history["loss"], label=label, color=colours[label])
        axes.set(title=outcome.title, xlabel="epoch", ylim=(0, None))
    panels[0].set_ylabel("cross-entropy")
    panels[-1].legend(fontsize=8)


def _bare(axes: Axes) -> None:
    axes.set(xticks=[], yticks=[])
    axes.spines[:].set_visible(False)
