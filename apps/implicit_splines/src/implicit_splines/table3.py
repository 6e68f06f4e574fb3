"""Table 3: trained with each loss, measured by each."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, get_args

import numpy as np
import torch

from implicit_seg import mask_mae_loss, mask_mse_loss
from implicit_splines import _coins
from implicit_splines._protocol import PUBLISHED, SMOKE, Bench, LossName, Protocol, make_loss
from implicit_splines._scores import batch_scores
from implicit_splines.paper import CAUSE, DATA, PAPER
from repro import photographs
from repro.experiment import Experiment, Figure

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.figure import Figure as Canvas

    from implicit_splines._volumes import Volume
    from repro.context import Context

LOSSES: tuple[LossName, ...] = get_args(LossName)
MEASURES = ("mmse", "mmae", "accuracy", "dice", "jaccard")
_LABELS = ("1 - MMSE", "1 - MMAE", "accuracy", "Dice", "Jaccard")
_PUBLISHED: dict[LossName, tuple[float, ...]] = {
    "MMSE": (0.9744, 0.9685, 0.9919, 0.9275, 0.8654),
    "MMAE": (0.9734, 0.9743, 0.9916, 0.9234, 0.8583),
    "accuracy": (0.5506, 0.5701, 0.9921, 0.9297, 0.8691),
    "Dice": (-3.5035, -0.7471, 0.9926, 0.9336, 0.8761),
    "Jaccard": (-7.5589, -1.3616, 0.9927, 0.9341, 0.8768),
}


@dataclass(frozen=True)
class Settings(Protocol):
    """Settings of `implicit_splines.table3`."""


def run(settings: Settings, context: Context) -> dict[str, float]:
    """Trains a network with each of five losses."""
    bench = Bench(settings, context)
    volumes = bench.volumes.validation
    table = np.empty((len(LOSSES), len(MEASURES)))
    for row, name in enumerate(LOSSES):
        model = bench.train(f"loss {name}", settings.network, make_loss(name, settings.epsilon), context.seed)
        values = [bench.values(model, volume) for volume in volumes]
        table[row] = _measure(volumes, values, settings.batch_size)
        scores = ", ".join(f"{m} {v:.4f}" for m, v in zip(_LABELS, table[row], strict=True))
        context.log(f"trained with {name}: {scores}")
    context.picture(
        "table3",
        "Table 3 as a picture: rows are the losses trained with, columns what is measured on held-out "
        "slices; ours and, below, the paper's on its own data. Colours are by column of ours.",
        lambda figure: _draw(figure, table),
        size=(8.0, 4.2),
    )
    return {
        f"{measure}_by_{name}": float(table[row, column])
        for row, name in enumerate(LOSSES)
        for column, measure in enumerate(MEASURES)
    }


def _measure(volumes: Sequence[Volume], values: Sequence[np.ndarray], size: int) -> list[float]:
    """1 - MMSE and 1 - MMAE of all values; accuracy, Dice and Jaccard of their signs, by batches."""
    count = sum(found.size for found in values)
    errors = [
        sum(
            float(loss(torch.from_numpy(found), torch.from_numpy(volume.masks))) * found.size
            for volume, found in zip(volumes, values, strict=True)
        )
        / count
        for loss in (mask_mse_loss, mask_mae_loss)
    ]
    scores = batch_scores(volumes, [found > 0 for found in values], size)
    return [*(1 - error for error in errors), *scores.values()]


def _draw(figure: Canvas, table: np.ndarray) -> None:
    ax = figure.subplots()
    low, high = table.min(0), table.max(0)
    ax.imshow((table - low) / np.maximum(high - low, 1e-9), cmap="Blues", vmin=-0.2, vmax=2.5, aspect="auto")
    for row, name in enumerate(LOSSES):
        for column in range(len(MEASURES)):
            ours, theirs = table[row, column], _PUBLISHED[name][column]
            ax.text(column, row, f"{ours:.3f}\n({theirs:.3f})", ha="center", va="center", color="#22252a")
    ax.set(
        xticks=range(len(_LABELS)),
        xticklabels=_LABELS,
        yticks=range(len(LOSSES)),
        yticklabels=LOSSES,
        ylabel="trained with",
    )
    ax.grid(visible=False)


_FIGURES = tuple(
    Figure(
        key=f"{measure}_by_{name}",
        label=f"{label}, trained with {name}",
        published=_PUBLISHED[name][column],
        source="Table 3 (validation data)",
        comparable=False,
        cause=CAUSE,
    )
    for name in LOSSES
    for column, (measure, label) in enumerate(zip(MEASURES, _LABELS, strict=True))
)

EXPERIMENT = Experiment(
    name="implicit_splines.table3",
    title="Table 3: trained with each of five losses, measured by each",
    about=(
        "UNetImplicit of degree 1 trained with mask-MSE, mask-MAE, accuracy, Dice and Jaccard loss, "
        "each measured on the validation volumes by all five. Dice and its kin do not fix the scale "
        "of the spline, so that MMSE and MMAE then say nothing. " + DATA
    ),
    paper=PAPER,
    presets={
        "smoke": Settings(**SMOKE),
        "quick": Settings(),
        "paper": Settings(**PUBLISHED),
    },
    minutes={"smoke": 0.1, "quick": 3, "paper": 3900},
    figures=tuple(sorted(_FIGURES, key=lambda figure: figure.key != "dice_by_Dice")),
    run=run,
    data=lambda: photographs.checksums(_coins.PHOTOGRAPH),
    packages=("implicit-seg", "torch"),
)
