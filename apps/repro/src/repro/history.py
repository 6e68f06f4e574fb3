"""How each figure went over all finished runs of an experiment: small plots, laid out for the template."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from repro import numbers

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from repro.result import Measured, Result

WIDTH, HEIGHT = 320, 150  # of a plot, in CSS pixels where the page is wide enough
LEFT, RIGHT, TOP, BOTTOM = 62.0, 312.0, 10.0, 126.0  # of the area inside its axes
LOGARITHMIC = 30  # largest over smallest value from which on the scale is logarithmic
HINTED = 60  # runs with a text for each value at the pointer; beyond, the page would grow heavy
TABLED = 12  # runs whose values stand in a table too


@dataclass(frozen=True)
class Series:
    """The runs of a plot that may be compared with each other, joined by a line.

    Attributes:
        preset: which decides shape and colour of the marks.
        changed: whether settings differ from the preset's; the marks are then hollow.
        line: path through the means.
        bars: path of the deviations.
        marks: path of the marks.
    """

    preset: str
    changed: bool
    line: str
    bars: str
    marks: str


@dataclass(frozen=True)
class Hint:
    """A text for the pointer: `text` over the column from `x` on, `width` wide."""

    x: float
    width: float
    text: str


@dataclass(frozen=True)
class Plot:
    """One figure over the runs.

    Attributes:
        figure: the newest.
        series: each with a line of its own.
        paper: height of the paper's value, None where there is none to compare with.
        band: its top and height, from the paper's deviation.
        ticks: height and text of each.
        logarithmic: whether the scale is.
        shown: place of the run that the page shows, None where this plot does not have it.
        hints: for the pointer.
        summary: in words.
    """

    figure: Measured
    series: tuple[Series, ...]
    paper: float | None
    band: tuple[float, float] | None
    ticks: tuple[tuple[float, str], ...]
    logarithmic: bool
    shown: tuple[float, float] | None
    hints: tuple[Hint, ...]
    summary: str


@dataclass(frozen=True)
class History:
    """All finished runs of an experiment, oldest first, and the plots of its figures."""

    runs: tuple[tuple[Path, Result], ...]
    plots: tuple[Plot, ...]


def trace(runs: Sequence[tuple[Path, Result]], shown: Path) -> History:
    """Lays out the history of an experiment's figures.

    A plot holds one figure in one unit, measured on the paper's data or on other data, never both. Within it
    a line joins runs of the same preset, settings, data and device only.

    Args:
        runs: all finished runs of one experiment.
        shown: folder of the one that the page shows.
    """
    ordered = tuple(sorted(runs, key=lambda run: (run[1].finished, str(run[0]))))
    found: dict[tuple[str, str, bool], list[tuple[int, Measured]]] = {}
    for place, (_, run) in enumerate(ordered):
        for figure in run.figures:
            found.setdefault((figure.key, figure.unit, figure.comparable), []).append((place, figure))
    plots = tuple(_plot(values, ordered, shown) for values in found.values()) if len(ordered) > 1 else ()
    return History(ordered, plots)


def described(run: Result) -> str:
    """Says in a line what a run is: time, preset, changed settings, seeds, device, commit."""
    identity, environment = run.identity, run.environment
    parts = [run.finished[:16].replace("T", " "), f"preset {identity.preset}"]
    parts += [f"{name} = {identity.settings.get(name)}" for name in run.changed]
    parts += ["1 seed" if identity.seeds == 1 else f"{identity.seeds} seeds", identity.device]
    if environment.commit:
        parts.append(f"commit {environment.commit[:8]}{' (modified)' if environment.modified else ''}")
    return ", ".join(parts)


def _plot(values: list[tuple[int, Measured]], runs: tuple[tuple[Path, Result], ...], shown: Path) -> Plot:
    newest = values[-1][1]
    paper = newest.paper if newest.comparable else None
    ends = [end for _, figure in values for end in (figure.mean, *_ends(figure.mean, figure.deviation))]
    if paper:
        ends += [paper.value, *_ends(paper.value, paper.deviation)]
    axis = Axis.over(ends, [figure.mean for _, figure in values] + ([paper.value] if paper else []))
    step = (RIGHT - LEFT) / len(runs)
    x = {place: LEFT + (place + 0.5) * step for place, _ in values}
    groups: dict[str, list[tuple[int, Measured]]] = {}
    for place, figure in values:
        groups.setdefault(_kind(runs[place][1]), []).append((place, figure))
    series = []
    for group in groups.values():
        run = runs[group[0][0]][1]
        dots = [(x[place], axis.height(figure.mean)) for place, figure in group]
        bars = [
            f"M{x[place]:.1f} {axis.height(low):.1f}V{axis.height(high):.1f}"
            for place, figure in group
            for low, high in [_ends(figure.mean, figure.deviation)]
            if figure.deviation
        ]
        line = "M" + "L".join(f"{a:.1f} {b:.1f}" for a, b in dots) if len(dots) > 1 else ""
        radius = 4.0 if step > 8 else 2.4
        marks = "".join(_mark(run.identity.preset, a, b, radius) for a, b in dots)
        series.append(Series(run.identity.preset, bool(run.changed), line, "".join(bars), marks))
    chosen = next(((x[place], axis.height(f.mean)) for place, f in values if runs[place][0] == shown), None)
    hints = ()
    if len(runs) <= HINTED:
        hints = tuple(
            Hint(
                x[place] - step / 2,
                step,
                f"{numbers.ours(figure)}; run {place + 1}, {described(runs[place][1])}",
            )
            for place, figure in values
        )
    band = None
    if paper and paper.deviation:
        low, high = _ends(paper.value, paper.deviation)
        band = (axis.height(high), axis.height(low) - axis.height(high))
    means = [figure.mean for _, figure in values]
    return Plot(
        figure=newest,
        series=tuple(series),
        paper=axis.height(paper.value) if paper else None,
        band=band,
        ticks=tuple((axis.height(tick), text) for tick, text in axis.ticks()),
        logarithmic=axis.logarithmic,
        shown=chosen,
        hints=hints,
        summary=f"{len(values)} values between {numbers.number(min(means))} and {numbers.number(max(means))}",
    )


@dataclass(frozen=True)
class Axis:
    """The scale of a plot: from `low` at the bottom to `high` at the top."""

    low: float
    high: float
    logarithmic: bool

    @staticmethod
    def over(ends: list[float], values: list[float]) -> Axis:
        """A scale that holds all ends; logarithmic where the values are positive and far apart.

        On a logarithmic scale a bar that reaches to 0 or below ends at the bottom.
        """
        if min(values) > 0 and max(values) / min(values) > LOGARITHMIC:
            low, high = min(e for e in [*ends, *values] if e > 0.1 * min(values)), max(ends)
            return Axis(low / 1.3, high * 1.3, True)
        low, high = min(ends), max(ends)
        margin = 0.08 * (high - low) or 0.05 * abs(high) or 1.0
        return Axis(low - margin, high + margin, False)

    def height(self, value: float) -> float:
        """Where a value stands, from the top."""
        if self.logarithmic:
            clipped = max(value, self.low)
            share = math.log(clipped / self.low) / math.log(self.high / self.low)
        else:
            share = (value - self.low) / (self.high - self.low)
        return BOTTOM - share * (BOTTOM - TOP)

    def ticks(self) -> list[tuple[float, str]]:
        """A few round numbers, with their texts."""
        from matplotlib.ticker import MaxNLocator

        if self.logarithmic:
            first, last = math.ceil(math.log10(self.low)), math.floor(math.log10(self.high))
            stride = 1 + (last - first) // 4
            places = [10.0**k for k in range(first, last + 1, stride)]
        else:
            located = MaxNLocator(nbins=4, steps=[1, 2, 5, 10]).tick_values(self.low, self.high)
            places = [float(place) for place in located if self.low <= place <= self.high]
        return [(place, tick(place)) for place in places]


def tick(value: float) -> str:
    """Writes a round number briefly.

    >>> tick(0.25), tick(-3.0), tick(2e-7), tick(1e6), tick(0.0), tick(12345678.0)
    ('0.25', '−3', '2 × 10⁻⁷', '10⁶', '0', '1.2346 × 10⁷')
    """
    if value == 0 or 1e-3 <= abs(value) < 1e6:
        return f"{value:.7g}".replace("-", "−")
    mantissa, exponent = f"{value:.4e}".split("e")
    power = f"10{str(int(exponent)).translate(numbers.SUPERSCRIPT)}"
    shown = f"{float(mantissa):g}".replace("-", "−")
    return power if shown == "1" else f"{shown} × {power}"


def _ends(value: float, deviation: float | None) -> tuple[float, float]:
    return value - (deviation or 0.0), value + (deviation or 0.0)


def _kind(run: Result) -> str:
    """What two runs must share for a line between them."""
    identity = run.identity
    return json.dumps([identity.preset, identity.settings, identity.data, identity.device], sort_keys=True)


def _mark(preset: str, x: float, y: float, radius: float) -> str:
    """A circle for smoke, a square for quick, a diamond for paper."""
    if preset == "smoke":
        r, d = f"{radius:g}", f"{2 * radius:g}"
        return f"M{x - radius:.1f} {y:.1f}a{r} {r} 0 1 0 {d} 0a{r} {r} 0 1 0 -{d} 0Z"
    if preset == "quick":
        s = 0.9 * radius
        return f"M{x - s:.1f} {y - s:.1f}h{2 * s:g}v{2 * s:g}h-{2 * s:g}Z"
    r = 1.25 * radius
    return f"M{x:.1f} {y - r:.1f}l{r:g} {r:g}l-{r:g} {r:g}l-{r:g} -{r:g}Z"
