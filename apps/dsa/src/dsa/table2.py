"""Table 2: a U-Net for segmentation with and without the piecewise constant layer, and its Figure 1."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from dsa import _cells, _horses, _stand_ins
from dsa import _table2_pictures as pictures
from dsa._component_network import Space  # noqa: TC001  (the command reads the annotation)
from dsa._image_set import Part  # noqa: TC001  (likewise)
from dsa._table2_scores import paired_gain
from dsa._table2_training import METHODS, Layer, Protocol, compare
from dsa.paper import PAPER
from repro import photographs
from repro.experiment import Band, Experiment, Figure

if TYPE_CHECKING:
    from dsa._image_set import ImageSet
    from dsa._table2_scores import Gain
    from dsa._table2_training import Outcome
    from repro.context import Context

NAMES = {"horses": "Weizmann horses", "cells": "cells (BBBC)"}
LOADERS = {"horses": _horses, "cells": _cells}
STAND_INS = {"horses": _stand_ins.coins, "cells": _stand_ins.letters}
AGAINST = ("baseline", "after", "identity")
"""What the layer is compared with."""


@dataclass(frozen=True)
class Settings:
    """Settings of `dsa.table2`."""

    horse_size: int = 64
    """pixels on each side of the horses"""
    cell_size: int = 128
    """pixels on each side of the cells"""
    depth: int = 3
    """down-scalings of the U-Net"""
    filters: int = 8
    """of its first block"""
    warm_up: int = 15
    """epochs of the plain U-Net in front of all methods; 0 starts each from scratch"""
    epochs: int = 8
    """epochs of each method after that"""
    batch_size: int = 16
    """images of a step"""
    optimizer: Literal["sgd", "adam"] = "adam"
    """"sgd" has Nesterov momentum 0.9"""
    learning_rate: float = 3e-3
    """constant in the warm-up, then along half a cosine to zero"""
    levels: tuple[float, ...] = (0.5,)
    """probabilities that cut an image into regions"""
    horse_min_size: int = 100
    """least number of pixels of a region on a horse"""
    cell_min_size: int = 8
    """the same on cells"""
    mixing: float = 0.5
    """share of the region's mean in the output; the rest is the network's own"""
    ramp: float = 0.0
    """share of the steps after the warm-up over which the mixing rises"""
    space: Space = "probability"
    """what is averaged over a region"""
    score_on: Part = "test"
    """which images are scored; settings are chosen on "validation", a part of the images to train on"""


def run(settings: Settings, context: Context) -> dict[str, float]:
    """Trains and scores all methods on both sets."""
    protocol = Protocol(
        settings.depth,
        settings.filters,
        settings.warm_up,
        settings.epochs,
        settings.batch_size,
        settings.optimizer,
        settings.learning_rate,
        settings.score_on,
    )
    sizes = {"horses": settings.horse_min_size, "cells": settings.cell_min_size}
    values: dict[str, float] = {}
    outcomes: dict[str, Outcome] = {}
    gains: dict[str, dict[str, Gain]] = {}
    for key, data in image_sets(settings, context).items():
        layer = Layer(settings.levels, sizes[key], settings.mixing, settings.ramp, settings.space)
        outcome = outcomes[key] = compare(key, data, layer, protocol, context)
        gains[key] = {
            other: paired_gain(outcome.scores["weak"].jaccard, outcome.scores[other].jaccard, context.seed)
            for other in AGAINST
        }
        values |= _values(key, outcome, gains[key])
        for method, label in METHODS.items():
            context.log(
                f"{key}, {label}: Jaccard {values[f'jaccard_{method}_{key}']:.2f} %, components and holes "
                f"wrong by {values[f'betti_error_{method}_{key}']:.2f} an image"
            )
        for other, gain in gains[key].items():
            context.log(f"{key}, layer against {METHODS[other]}: {gain}")
    pictures.draw(context, outcomes, gains)
    return values


def image_sets(settings: Settings, context: Context) -> dict[str, ImageSet]:
    """Horses and cells from the user's folder, with coins or letters in the place of what it does not have.

    The folder is one set's, or that which `repro data` has fetched several sets into.

    Raises:
        ValueError: the folder has neither.
    """
    sizes = {"horses": settings.horse_size, "cells": settings.cell_size}
    found: dict[str, ImageSet] = {}
    if context.data is not None:
        for key, module in LOADERS.items():
            for folder in (context.data, *(context.data / name for name in module.SETS)):
                data = module.load(folder, sizes[key])
                if data is not None:
                    found.setdefault(key, data)
        if not found:
            looked_for = "; ".join(f"{key}: {module.LAYOUTS}" for key, module in LOADERS.items())
            raise ValueError(
                f"`--data`: {context.data} has neither horses nor cells. Looked for {looked_for}. Put one "
                "there, or leave `--data` out to train on photographs of coins and letters."
            )
        for key in sizes.keys() - found:
            context.log(f"{key}: none in {context.data} (looked for {LOADERS[key].LAYOUTS})")
    return {
        key: found.get(key) or STAND_INS[key](size)  # the log names the source of each
        for key, size in sizes.items()
    }


def _values(key: str, outcome: Outcome, gains: dict[str, Gain]) -> dict[str, float]:
    values = {}
    for method, scores in outcome.scores.items():
        values[f"jaccard_{method}_{key}"] = float(scores.jaccard.mean())
        wrong = np.abs(scores.topology - outcome.truth_topology)
        values[f"betti_error_{method}_{key}"] = float(wrong.sum(1).mean())
    topologies = {"truth": outcome.truth_topology} | {
        method: outcome.scores[method].topology for method in ("baseline", "weak")
    }
    for who, found in topologies.items():
        for name, mean in zip(("components", "holes"), found.mean(0), strict=True):
            values[f"{name}_{who}_{key}"] = float(mean)
    for other, gain in gains.items():
        values |= {
            f"gain_{other}_{key}": gain.mean,
            f"gain_{other}_low_{key}": gain.low,
            f"gain_{other}_high_{key}": gain.high,
        }
    return values


_PUBLISHED = {
    ("baseline", "horses"): (72.06, 0.60),
    ("weak", "horses"): (73.13, 0.31),
    ("baseline", "cells"): (79.34, 0.43),
    ("weak", "cells"): (81.56, 0.24),
}
_CAUSE = (
    "The paper prints neither resolution, network width, epochs, levels nor warm-up, and not which of BBBC's "
    "sets it took. Ours is a smaller U-Net on smaller images; without --data, on coins and letters."
)
_NOT_PRINTED = "Not in the paper."
_WHY = "Seeds 0 to 4 gave {} after a few epochs; at least that spread is left on both sides."
_BANDS = {
    ("baseline", "horses"): Band(60, 99, _WHY.format("74.9 to 90.1 (99: no network is perfect)")),
    ("weak", "horses"): Band(60, 99, _WHY.format("74.0 to 86.8")),
    ("baseline", "cells"): Band(53, 79, _WHY.format("62.0 to 70.1")),
    ("weak", "cells"): Band(48, 80, _WHY.format("59.2 to 69.4")),
}


def _figures(key: str) -> tuple[Figure, ...]:
    name = NAMES[key]

    def figure(figure_key: str, label: str, cause: str = _NOT_PRINTED, **more: Any) -> Figure:
        return Figure(
            key=f"{figure_key}_{key}", label=f"{name}: {label}", comparable=False, cause=cause, **more
        )

    found = []
    for method, label in METHODS.items():
        published, deviation = _PUBLISHED.get((method, key), (None, None))
        known = {"published": published, "deviation": deviation, "source": "Table 2", "cause": _CAUSE}
        found.append(
            figure(
                f"jaccard_{method}",
                f"Jaccard, {label}",
                unit="%",
                smoke=_BANDS.get((method, key)),
                **(known if published else {}),
            )
        )
    for other in AGAINST:
        for suffix, end in (("", ""), ("_low", ", lower end of 95 %"), ("_high", ", upper end of 95 %")):
            found.append(
                figure(f"gain_{other}{suffix}", f"gain of the layer against {METHODS[other]}{end}", unit="%")
            )
    for who, label in {"truth": "truth", "baseline": METHODS["baseline"], "weak": METHODS["weak"]}.items():
        found += [
            figure(f"{count}_{who}", f"{count} of an image, {label}") for count in ("components", "holes")
        ]
    for method, label in METHODS.items():
        found.append(figure(f"betti_error_{method}", f"components and holes, wrong by, {label}"))
    return tuple(found)


EXPERIMENT = Experiment(
    name="dsa.table2",
    title="Table 2: segmentation by a U-Net with and without the piecewise constant layer",
    about=(
        "A U-Net is trained with cross-entropy on Weizmann's horses and on cells, 85 % of the images; the "
        "others are scored at the threshold 0.5 (mean Jaccard of an image). After a warm-up that is common "
        "to all, it goes on without and with the layer, which replaces the probability, wholly or in part, "
        "by its mean on each connected component. Two ablations: the same forward with an identity gradient "
        "tests the Jacobian; the plain U-Net with the layer at test only tests what the training adds. "
        "Levels, mixing and least size were chosen on 15 % of the images to train on. Without "
        "--data, tiles of a photograph of coins and of a printed page stand in for the two sets."
    ),
    paper=PAPER,
    presets={
        "smoke": Settings(
            horse_size=32,
            cell_size=48,
            filters=4,
            warm_up=8,
            epochs=4,
            batch_size=4,
            horse_min_size=16,
            cell_min_size=4,
        ),
        "quick": Settings(),
        "paper": Settings(
            horse_size=128,
            cell_size=256,
            depth=4,
            filters=64,
            warm_up=50,
            epochs=50,
            horse_min_size=400,
            cell_min_size=32,
        ),
    },
    minutes={"smoke": 0.1, "quick": 4.5, "paper": 90},
    figures=tuple(figure for key in NAMES for figure in _figures(key)),
    run=run,
    data=lambda: photographs.checksums(_stand_ins.COINS, _stand_ins.PAGE),
    packages=("implicit-seg", "kspline-core", "torch", "numpy", "scikit-image"),
)
