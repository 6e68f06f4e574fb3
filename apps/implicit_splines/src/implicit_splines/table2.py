"""Table 2 and Figures 3 to 6: a spline network and a plain U-Net, volume by volume."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from implicit_splines import _coins
from implicit_splines import _table2_pictures as pictures
from implicit_splines._protocol import PUBLISHED, SMOKE, Bench, Protocol, make_loss
from implicit_splines._scores import METRICS, Scores, cleaned, paired_interval, score
from implicit_splines.paper import CAUSE, DATA, PAPER
from repro import photographs
from repro.experiment import Experiment, Figure

if TYPE_CHECKING:
    from torch import nn

    from implicit_splines._networks import Kind
    from repro.context import Context

MODELS: dict[str, tuple[Kind, int, str]] = {
    "spline": ("UNetImplicit", 1, "UNetImplicit"),
    "unet": ("plain U-Net", 1, "plain U-Net"),
    "degree_0": ("UNetImplicit", 0, "UNetImplicit of degree 0"),
    "degree_2": ("UNetImplicit", 2, "UNetImplicit of degree 2"),
}
"""Kind, degree (which a plain U-Net has not) and label; all have the same layers and as many parameters."""
OTHERS = {"unet": ("dice", "jaccard", "hausdorff"), "degree_0": ("dice",), "degree_2": ("dice",)}
"""What the spline of degree 1 is compared with, slice by slice, and by which metrics."""
ENDS = {"mean": "", "low": ": lower end of the 95 % interval", "high": ": upper end"}


@dataclass(frozen=True)
class Settings(Protocol):
    """Settings of `implicit_splines.table2`."""

    repeats: int = 3
    """trainings of each network, from different weights and in another order"""


def run(settings: Settings, context: Context) -> dict[str, float]:
    """Trains both networks and scores them on the test volumes, as predicted and without small components."""
    bench = Bench(settings, context)
    volumes = bench.volumes.test
    raw: dict[str, list[Scores]] = {key: [] for key in MODELS}
    clean: dict[str, list[Scores]] = {key: [] for key in ("spline", "unet")}
    first: dict[str, nn.Module] = {}
    for repeat in range(settings.repeats):
        for key, (kind, degree, label) in MODELS.items():
            model = bench.train(
                f"{label}, training {repeat + 1}",
                settings.network.like(kind, degree),
                make_loss("Dice", settings.epsilon),
                settings.repeats * context.seed + repeat,
            )
            first.setdefault(key, model)
            masks = bench.masks(model, volumes)
            raw[key].append(score(volumes, masks))
            if key in clean:
                complete = bench.volumes.is_complete
                masks = [cleaned(mask, settings.smallest, is_complete=complete) for mask in masks]
                clean[key].append(score(volumes, masks))
            for index, volume in enumerate(volumes):
                row = ", ".join(f"{m} {raw[key][-1].volumes[m][index]:.4g}" for m in METRICS)
                context.log(f"{label}, training {repeat + 1}, volume {volume.name}: {row}")
    pictures.draw(context, bench, first, raw)
    return _figures(raw, clean)


def _figures(raw: dict[str, list[Scores]], clean: dict[str, list[Scores]]) -> dict[str, float]:
    figures = {}
    for key in MODELS:
        for metric in METRICS if key in ("spline", "unet") else ("dice", "hausdorff"):
            figures[f"{metric}_{key}"] = float(np.mean([scores.mean(metric) for scores in raw[key]]))
        figures[f"spread_{key}"] = float(np.ptp([scores.mean("dice") for scores in raw[key]]))
    for key, repeats in clean.items():
        for metric in ("dice", "hausdorff"):
            figures[f"{metric}_{key}_cleaned"] = float(np.mean([scores.mean(metric) for scores in repeats]))
    for other, metrics in OTHERS.items():
        for metric in metrics:
            ours, theirs = (
                [np.stack(parts) for parts in zip(*(each.slices[metric] for each in raw[key]), strict=True)]
                for key in ("spline", other)
            )
            differences = [a - b for a, b in zip(ours, theirs, strict=True)]
            for part, value in zip(ENDS, paired_interval(differences), strict=True):
                figures[f"{metric}_less_{other}_{part}"] = value
    return figures


_NAMES = {"accuracy": "accuracy", "dice": "Dice", "jaccard": "Jaccard", "hausdorff": "Hausdorff distance"}
_PUBLISHED = {
    "accuracy": (0.9920, 0.0042),
    "dice": (0.9178, 0.0370),
    "jaccard": (0.8502, 0.0609),
    "hausdorff": (91.1, 49.7),
}
_SOURCE = "Table 2, average over 14 test volumes (320 epochs)"


def _unit(metric: str) -> str:
    return "px" if metric == "hausdorff" else ""


def _all_figures() -> tuple[Figure, ...]:
    figures = [
        Figure(
            key=f"{metric}_spline",
            label=f"volumetric {_NAMES[metric]}, UNetImplicit",
            unit=_unit(metric),
            published=published,
            deviation=deviation,
            source=_SOURCE,
            comparable=False,
            cause=CAUSE,
        )
        for metric, (published, deviation) in _PUBLISHED.items()
    ]
    figures += [
        Figure(
            key=f"{metric}_{key}",
            label=f"volumetric {_NAMES[metric]}, {MODELS[key][2]}",
            unit=_unit(metric),
            comparable=False,
            cause="The paper has no such network in Table 2.",
        )
        for key in OTHERS
        for metric in (METRICS if key == "unet" else ("dice", "hausdorff"))
    ]
    figures += [
        Figure(
            key=f"{metric}_less_{other}_{part}",
            label=f"{_NAMES[metric]} of a slice, UNetImplicit less {MODELS[other][2]}{words}",
            unit=_unit(metric),
        )
        for other, metrics in OTHERS.items()
        for metric in metrics
        for part, words in ENDS.items()
    ]
    for key in ("spline", "unet"):
        figures += [
            Figure(
                key=f"{metric}_{key}_cleaned",
                label=f"volumetric {_NAMES[metric]} without small components, {MODELS[key][2]}",
                unit=_unit(metric),
            )
            for metric in ("dice", "hausdorff")
        ]
    figures += [
        Figure(key=f"spread_{key}", label=f"range of Dice over the trainings, {label}")
        for key, (_, _, label) in MODELS.items()
    ]
    return tuple(figures)


EXPERIMENT = Experiment(
    name="implicit_splines.table2",
    title="Table 2 and Figures 3 to 6: UNetImplicit and a plain U-Net, volume by volume",
    about=(
        "UNetImplicit of degree 1 and a plain U-Net with the same layers, parameters, loss (Dice) "
        "and epochs. Both see images of one size and are scored at the size of the data: the spline "
        "is evaluated there, the U-Net's values are interpolated. Differences are paired by slice; "
        "their interval is a bootstrap over trainings and over slices within the test volumes (from "
        "eight volumes on, over volumes), so with two test volumes it says nothing of other "
        "patients. Figure 3: predictions; 4 and 5: the best and the worst volume in space; 6: box "
        "plots. " + DATA
    ),
    paper=PAPER,
    presets={
        "smoke": Settings(**SMOKE, repeats=2),
        "quick": Settings(),
        "paper": Settings(**{**PUBLISHED, "epochs": 320}, repeats=1),
    },
    minutes={"smoke": 0.2, "quick": 5, "paper": 3000},
    figures=_all_figures(),
    run=run,
    data=lambda: photographs.checksums(_coins.PHOTOGRAPH),
    packages=("implicit-seg", "torch"),
)
