"""Toy experiments for the tests; run as a script, this file is the command `repro` over them."""

from __future__ import annotations

import json
import math
import random
import sys
import time
from dataclasses import dataclass
from importlib.metadata import EntryPoint
from typing import TYPE_CHECKING

from repro import atomic, cli, registry
from repro.experiment import Band, Experiment, Figure, Paper

if TYPE_CHECKING:
    from matplotlib import figure

    from repro import scene
    from repro.context import Context

PAPER = Paper(key="toy", authors="Euler & Co.", title="On <lines> & curves", venue="Basel 1744")
OTHER = Paper(key="other", authors="Noether", title="On symmetry", venue="Erlangen 1918")


@dataclass(frozen=True)
class Settings:
    """Of the toys."""

    epochs: int = 4
    """How often something is done."""
    pause: float = 0.0
    """Seconds that each epoch takes."""
    sizes: tuple[int, ...] = (1, 2)
    """A tuple, which becomes a list in JSON."""
    draws: bool = True
    """Whether there are pictures, which take their time."""


def hill() -> list[scene.Part]:
    """A surface coloured by its height, a second one, a net and dots."""
    from repro import scene

    u = [k / 20 for k in range(21)]
    grid = [[[x, y, 0.3 * math.sin(3 * x) * math.cos(3 * y)] for y in u] for x in u]
    flat = [[[x, y, 0.0] for y in u] for x in u]
    dots = [[x, x, 0.4] for x in u]
    heights = [[point[2] for point in row] for row in grid]
    return [
        scene.grid("hill </script><b>bold", grid, heights),
        scene.grid("plain", flat),
        scene.net("net", grid),
        scene.points("dots", dots),
    ]


def walk(settings: Settings, context: Context) -> dict[str, float]:
    """A random walk that keeps its place in a checkpoint after each epoch."""
    checkpoint = context.folder / "walk.json"
    places = json.loads(checkpoint.read_text()) if checkpoint.exists() else []
    report = context.progress("walk")
    for epoch in range(len(places), settings.epochs):
        time.sleep(settings.pause)
        places.append(random.Random(f"{context.seed} {epoch}").uniform(0.9, 1.1))
        atomic.write_json(checkpoint, places)
        context.log(f"epoch {epoch + 1} done")
        report(epoch + 1, settings.epochs, places[-1])

    def draw(figure: figure.Figure) -> None:
        axes = figure.subplots()
        for i in range(6):
            axes.plot([p + i / 10 for p in places], label=f"path {i}")
        axes.set(title="A walk", xlabel="epoch", ylabel="place")
        axes.legend()

    if settings.draws:
        context.picture("walk", 'Places <after> each "epoch" & more.', draw)
        context.picture("square", "The same in a square.", draw, size=(3.0, 3.0))
        context.scene("hill", "a hill </script> and its net", hill(), picture="walk")
    mean = sum(places) / len(places)
    return {"mean": mean, "large": 3e6 * mean, "elsewhere": 1234.5 * mean, "seconds": 0.25 * mean}


FIGURES = (
    Figure(
        key="mean",
        label="mean place",
        published=0.75,
        deviation=0.01,
        source="Table 1, row 1",
        cause="Our steps are drawn <otherwise>.",
        smoke=Band(0.9, 1.1, "the ends of the uniform distribution"),
    ),
    Figure(
        key="large", label="a large number with a long label", unit="m", published=2.5e-7, source="Table 1"
    ),
    Figure(key="elsewhere", label="place elsewhere", published=987.25, source="Table 2", comparable=False),
    Figure(key="seconds", label="time of a step", unit="s"),
)


def experiment(name: str, run=walk, *, paper: Paper = PAPER, band: Band | None = None, seeded: bool = True):
    figures = FIGURES if run is walk else (Figure(key="x", label="x", published=1.0, smoke=band),)
    return Experiment(
        name=name,
        title=f"The toy {name}",
        about="Walks <at random>. The pictures show where it went.",
        paper=paper,
        presets={"smoke": Settings(), "quick": Settings(epochs=6), "paper": Settings(epochs=8)},
        minutes={"smoke": 0.01, "quick": 2, "paper": 3000},
        figures=figures,
        run=run,
        data=lambda: {"a.png": "0" * 64},
        seeded=seeded,
        packages=("numpy",),
    )


def give_nan(settings: Settings, context: Context) -> dict[str, float]:
    return {"x": float("nan")}


def give_unknown(settings: Settings, context: Context) -> dict[str, float]:
    return {"x": 1.0, "y": 2.0}


def give_nothing(settings: Settings, context: Context) -> dict[str, float]:
    return {}


def give_text(settings: Settings, context: Context) -> dict[str, float]:
    return {"x": "many"}  # pyright: ignore[reportReturnType]  (the fault under test)


def give_two(settings: Settings, context: Context) -> dict[str, float]:
    return {"x": 2.0 + context.seed}


def fall(settings: Settings, context: Context) -> dict[str, float]:
    raise RuntimeError("it fell\nover")


WALK = experiment("toy.walk")
SINGLE = experiment("toy.single", give_two, seeded=False, band=Band(1.5, 2.5, "it is two"))
TWO = experiment("toy.two", give_two, band=Band(1.5, 2.5, "it is two for the first seed"))
NAN = experiment("bad.nan", give_nan)
UNKNOWN = experiment("bad.unknown", give_unknown)
NOTHING = experiment("bad.nothing", give_nothing)
TEXT = experiment("bad.text", give_text)
FALL = experiment("bad.fall", fall)
ELSEWHERE = experiment("other.walk", paper=OTHER)

OBJECTS = {
    "bad.fall": "FALL",
    "bad.missing": "MISSING",
    "bad.nan": "NAN",
    "bad.nothing": "NOTHING",
    "bad.text": "TEXT",
    "bad.unknown": "UNKNOWN",
    "other.walk": "ELSEWHERE",
    "toy.single": "SINGLE",
    "toy.two": "TWO",
    "toy.walk": "WALK",
}


def entry_points() -> dict[str, EntryPoint]:
    """Stands in for `repro.registry.entry_points`."""
    return {name: EntryPoint(name, f"toys:{value}", registry.GROUP) for name, value in OBJECTS.items()}


if __name__ == "__main__":
    sys.modules["toys"] = sys.modules["__main__"]
    registry.entry_points = entry_points
    sys.exit(cli.main())
