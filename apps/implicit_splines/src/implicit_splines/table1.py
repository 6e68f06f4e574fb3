"""Table 1: degree, resolution and depth of UNetImplicit."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from implicit_splines import _coins
from implicit_splines._protocol import PUBLISHED, SMOKE, Bench, Protocol, make_loss
from implicit_splines._scores import batch_scores
from implicit_splines.paper import CAUSE, DATA, PAPER
from repro import photographs
from repro.experiment import Experiment, Figure

if TYPE_CHECKING:
    from matplotlib.figure import Figure as Canvas

    from implicit_splines._networks import Network
    from repro.context import Context

DEGREES = (0, 1, 2)
METRICS = {"accuracy": "accuracy", "dice": "Dice", "jaccard": "Jaccard"}
_PUBLISHED = {  # of accuracy, Dice and Jaccard for degree 0, 1 and 2
    "half_shallow": ((0.9854, 0.8659, 0.7647), (0.9918, 0.9250, 0.8610), (0.9908, 0.9195, 0.8515)),
    "half": ((0.9860, 0.8741, 0.7778), (0.9916, 0.9238, 0.8591), (0.9914, 0.9242, 0.8597)),
    "full": ((0.9907, 0.9162, 0.8460), (0.9926, 0.9332, 0.8754), (0.9920, 0.9310, 0.8715)),
    "full_deep": ((0.9898, 0.9128, 0.8404), (0.9925, 0.9320, 0.8733), (0.9923, 0.9311, 0.8718)),
}
_NAMES = {
    "half_shallow": "half resolution, depth - 1",
    "half": "half resolution",
    "full": "full resolution",
    "full_deep": "full resolution, depth + 1",
}
_ROWS = {
    "half_shallow": "O = 64, d = 3",
    "half": "O = 64, d = 4",
    "full": "O = 128, d = 4",
    "full_deep": "O = 128, d = 5",
}
"""In the paper."""


@dataclass(frozen=True)
class Settings(Protocol):
    """Settings of `implicit_splines.table1`."""


def run(settings: Settings, context: Context) -> dict[str, float]:
    """Trains the twelve networks and scores them on the validation volumes."""
    bench = Bench(settings, context)
    volumes = bench.volumes.validation
    figures: dict[str, float] = {}
    for key, network in _networks(settings).items():
        for degree in DEGREES:
            model = bench.train(
                f"{key}, degree {degree}",
                replace(network, degree=degree),
                make_loss("Dice", settings.epsilon),
                context.seed,
            )
            scores = batch_scores(volumes, bench.masks(model, volumes), settings.batch_size)
            context.log(
                f"O = {network.bottleneck * 2**network.depth}, d = {network.depth}, p = {degree}: "
                + ", ".join(f"{metric} {value:.4f}" for metric, value in scores.items())
            )
            figures |= {f"{metric}_{key}_{degree}": scores[metric] for metric in METRICS}
    dice = np.array([[figures[f"dice_{key}_{p}"] for p in DEGREES] for key in _NAMES])
    figures["dice_1_less_2"] = float((dice[:, 1] - dice[:, 2]).mean())
    figures["dice_1_less_0"] = float((dice[:, 1] - dice[:, 0]).mean())
    figures["in_order"] = float(((dice[:, 1] > dice[:, 2]) & (dice[:, 2] > dice[:, 0])).sum())
    context.picture(
        "table1",
        "Table 1 as a picture: Dice of batches of held-out slices by degree of the spline (filled: ours; "
        "open: the paper's, on its own data).",
        lambda figure: _draw(figure, dice),
        size=(8.0, 3.0),
    )
    return figures


def _networks(settings: Protocol) -> dict[str, Network]:
    """The paper's four combinations about the best network, two with half its resolution."""
    best = settings.network
    return {
        "half_shallow": replace(best, depth=best.depth - 1),
        "half": replace(best, bottleneck=best.bottleneck // 2),
        "full": best,
        "full_deep": replace(best, depth=best.depth + 1, bottleneck=best.bottleneck // 2),
    }


def _draw(figure: Canvas, dice: np.ndarray) -> None:
    for number, (ax, key) in enumerate(zip(figure.subplots(1, 4, sharey=True), _NAMES, strict=True)):
        ax.plot(DEGREES, dice[number], "o-", color="C0")
        ax.plot(DEGREES, [row[1] for row in _PUBLISHED[key]], "o--", color="C1", mfc="none")
        ax.set_title(_NAMES[key].replace(", ", ",\n"), fontsize=9)
        ax.set(xlabel="degree", xticks=DEGREES)
        if number == 0:
            ax.set_ylabel("Dice")


def _all_figures() -> tuple[Figure, ...]:
    figures = [
        Figure(
            key=f"{metric}_{key}_{degree}",
            label=f"{METRICS[metric]}, {_NAMES[key]}, p = {degree}",
            published=_PUBLISHED[key][degree][column],
            source=f"Table 1, {_ROWS[key]}, p = {degree} (validation data)",
            comparable=False,
            cause=CAUSE,
        )
        for key in _NAMES
        for degree in DEGREES
        for column, metric in enumerate(METRICS)
    ]
    return (
        *sorted(figures, key=lambda figure: figure.key != "dice_full_1"),
        Figure(key="dice_1_less_2", label="Dice of degree 1 less that of degree 2, mean of the four"),
        Figure(key="dice_1_less_0", label="Dice of degree 1 less that of degree 0, mean of the four"),
        Figure(key="in_order", label="networks, of four, with the paper's order p = 1, 2, 0"),
    )


EXPERIMENT = Experiment(
    name="implicit_splines.table1",
    title="Table 1: degree, resolution and depth of UNetImplicit",
    about=(
        "Twelve networks: splines of degree 0, 1 and 2 with the coefficients of the best network "
        "(`bottleneck` * 2**`depth` in each direction) and with half as many, each by two depths, "
        "trained with the Dice loss. Scores are taken on batches of the validation volumes, as the "
        "paper's, at the size of the data. Where only slices of seven volumes are there, validation "
        "and test volumes are the same; nothing is chosen by them. " + DATA
    ),
    paper=PAPER,
    presets={
        "smoke": Settings(**SMOKE),
        "quick": Settings(),
        "paper": Settings(**PUBLISHED),
    },
    minutes={"smoke": 0.2, "quick": 5, "paper": 9000},
    figures=_all_figures(),
    run=run,
    data=lambda: photographs.checksums(_coins.PHOTOGRAPH),
    packages=("implicit-seg", "torch"),
)
