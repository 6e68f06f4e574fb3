"""Table 4: four networks, their scores, parameters and inference times."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch

from implicit_splines import _coins
from implicit_splines._protocol import PUBLISHED, SMOKE, Bench, Protocol, make_loss
from implicit_splines._scores import METRICS, Scores, score
from implicit_splines.paper import CAUSE, DATA, PAPER
from repro import photographs
from repro.experiment import Band, Experiment, Figure

if TYPE_CHECKING:
    from matplotlib.figure import Figure as Canvas
    from torch import nn

    from implicit_splines._networks import Kind
    from repro.context import Context

MODELS: dict[Kind, str] = {
    "UNetImplicit": "unet_implicit",
    "VGG-Implicit1": "vgg_implicit1",
    "VGG-Implicit2": "vgg_implicit2",
    "plain U-Net": "unet",
}
_PUBLISHED: dict[Kind, tuple[float, ...]] = {  # the four metrics, milliseconds, and parameters at 64 filters
    "VGG-Implicit1": (0.9902, 0.8949, 0.8112, 139.04, 1.14),
    "VGG-Implicit2": (0.9904, 0.8966, 0.8143, 130.40, 1.49),
    "UNetImplicit": (0.9920, 0.9178, 0.8502, 91.10, 5.56),
}
_COUNTS: dict[Kind, int] = {
    "UNetImplicit": 7_557,
    "VGG-Implicit1": 7_041,
    "VGG-Implicit2": 30_421,
    "plain U-Net": 7_557,
}
"""Parameters in the preset `smoke` (depth 2, 4 filters), counted by hand from the layers."""


@dataclass(frozen=True)
class Settings(Protocol):
    """Settings of `implicit_splines.table4`."""

    timed: int = 30
    """slices whose inference is timed, one by one"""


def run(settings: Settings, context: Context) -> dict[str, float]:
    """Trains the four networks and scores them on the test volumes."""
    bench = Bench(settings, context)
    volumes = bench.volumes.test
    figures: dict[str, float] = {}
    found: dict[Kind, Scores] = {}
    for kind, key in MODELS.items():
        network = settings.network.like(kind)
        model = bench.train(kind, network, make_loss("Dice", settings.epsilon), context.seed)
        found[kind] = score(volumes, bench.masks(model, volumes))
        figures |= {f"{metric}_{key}": found[kind].mean(metric) for metric in METRICS}
        figures[f"parameters_{key}"] = sum(p.numel() for p in model.parameters())
        times = _inference_times(model, bench, settings.timed)
        figures[f"milliseconds_{key}"] = float(np.median(times))
        context.log(
            f"{kind}: "
            + ", ".join(f"{metric} {found[kind].mean(metric):.4g}" for metric in METRICS)
            + f", {figures[f'parameters_{key}']:,.0f} parameters, "
            f"{np.mean(times):.2f} +- {np.std(times):.2f} ms a slice on {context.device} "
            f"({torch.get_num_threads()} threads)"
        )
    context.picture(
        "table4",
        "Table 4 as a picture: volumetric scores on the test volumes over the median inference time of one "
        "slice.",
        lambda figure: _draw(figure, found, figures),
        size=(8.0, 3.0),
    )
    return figures


def _inference_times(model: nn.Module, bench: Bench, count: int) -> np.ndarray:
    """Milliseconds from an image on the device to values at the size it was trained with, batches of one."""
    volume = bench.volumes.test[0]
    images = bench.images(volume)
    times = []
    with torch.no_grad():
        for k in range(count + 2):
            image = images[k % len(images)][None]
            started = time.perf_counter()
            float(model(image).sum())  # waits for the device
            times.append(1000 * (time.perf_counter() - started))
    return np.array(times[2:])  # the first calls allocate


def _draw(figure: Canvas, found: dict[Kind, Scores], figures: dict[str, float]) -> None:
    axes = figure.subplots(1, 3)
    for ax, metric in zip(axes, ("dice", "jaccard", "hausdorff"), strict=True):
        for number, (kind, scores) in enumerate(found.items()):
            ax.plot(
                figures[f"milliseconds_{MODELS[kind]}"],
                scores.mean(metric),
                "o",
                color=f"C{number}",
                label=kind,
            )
        ax.set(xlabel="ms a slice", ylabel=_names()[metric], xscale="log")
        ax.margins(0.2)
    figure.legend(*axes[0].get_legend_handles_labels(), loc="outside upper center", ncols=4)


def _names() -> dict[str, str]:
    return {
        "accuracy": "accuracy",
        "dice": "Dice",
        "jaccard": "Jaccard",
        "hausdorff": "Hausdorff distance, px",
    }


_COUNTED = "Counted by hand from the layers, for depth 2 and 4 filters."


def _all_figures() -> tuple[Figure, ...]:
    figures = []
    for kind, key in MODELS.items():
        published = _PUBLISHED.get(kind)
        for column, (metric, name) in enumerate(_names().items()):
            figures.append(
                Figure(
                    key=f"{metric}_{key}",
                    label=f"volumetric {name.removesuffix(', px')}, {kind}",
                    unit="px" if metric == "hausdorff" else "",
                    published=published[column] if published else None,
                    source="Table 4 (14 test volumes)" if published else "",
                    comparable=False,
                    cause=CAUSE,
                )
            )
        figures += [
            Figure(
                key=f"parameters_{key}",
                label=f"parameters, {kind}",
                smoke=Band(_COUNTS[kind] - 0.5, _COUNTS[kind] + 0.5, _COUNTED),
            ),
            Figure(
                key=f"milliseconds_{key}",
                label=f"inference of a slice, median, {kind}",
                unit="ms",
                published=published[4] if published else None,
                source="Table 4 (mean; GTX 1080 Ti, 512 x 512)" if published else "",
                comparable=False,
                cause="Another machine, smaller images and networks.",
            ),
        ]
    return tuple(sorted(figures, key=lambda figure: figure.key != "dice_unet_implicit"))


EXPERIMENT = Experiment(
    name="implicit_splines.table4",
    title="Table 4: VGG-Implicit1 and 2, UNetImplicit and a plain U-Net: scores, parameters, inference time",
    about=(
        "Four networks trained with the Dice loss for as many epochs. The VGGs have one coefficient "
        "for every 4 x 4 and 8 x 8 pixels of what they see, so that small images leave them few; all "
        "have `filters` filters in their first block. The paper's DenseVNet (Dice 0.9183, Hausdorff "
        "58.80) is another group's and is not run. The paper gives UNetImplicit the same averages "
        "here (100 epochs) as in Table 2 (320 epochs); one of the captions must be wrong. " + DATA
    ),
    paper=PAPER,
    presets={
        "smoke": Settings(**SMOKE, timed=3),
        "quick": Settings(),
        "paper": Settings(**PUBLISHED),
    },
    minutes={"smoke": 0.1, "quick": 4, "paper": 2500},
    figures=_all_figures(),
    run=run,
    data=lambda: photographs.checksums(_coins.PHOTOGRAPH),
    packages=("implicit-seg", "torch"),
)
