"""The plot of a sweep: each figure against the setting that was varied first."""

from __future__ import annotations

import io
import math
import textwrap
from typing import TYPE_CHECKING, Any

from repro import style
from repro._context import DENSITY, DOTS
from repro.sweep import written

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from repro.result import Measured
    from repro.style import Colours, Scheme
    from repro.sweep_table import Row

PANELS = 12  # at most; more cannot be read
MARKERS = "osD^vP"
TICKS = 8  # values of a setting at most for which each has its tick
DECADES = 1.3  # of a positive setting, from which on its axis is logarithmic: a factor of twenty


def draw(sections: Sequence[Sequence[Row]], scheme: Scheme) -> bytes:
    """Draws the first `PANELS` figures that have a value; returns a PNG.

    Args:
        sections: the rows of one figure of one experiment in each.
        scheme: of colours.
    """
    from matplotlib.figure import Figure

    shown = [section for section in sections if any(row.measured for row in section)][:PANELS]
    names = {section[0].entry.point.job.experiment.name for section in shown}
    columns = min(3, len(shown))
    height = math.ceil(len(shown) / columns)
    with style.drawing(scheme):
        figure = Figure(figsize=(1.0 + 3.6 * columns, 0.7 + 2.9 * height), layout="constrained")
        panels = list(figure.subplots(height, columns, squeeze=False).flat)
        for axes, section in zip(panels, shown, strict=False):
            _panel(axes, section, style.SCHEMES[scheme])
            axes.set_title("\n".join(textwrap.wrap(_title(section, alone=len(names) == 1), 38)), fontsize=10)
        if len(names) == 1:
            figure.suptitle(names.pop(), fontsize=12)
        for axes in panels[len(shown) :]:
            axes.remove()
        _legend(figure)
        image = io.BytesIO()
        figure.savefig(image, format="png", dpi=DENSITY * DOTS)
    return image.getvalue()


def _panel(axes: Axes, section: Sequence[Row], colours: Colours) -> None:
    """One figure: a line for each combination of the other settings, and the paper's figure."""
    figure = section[0].figure
    across, *others = [*section[0].entry.point.varied] or [""]
    place = _scale(axes, [row.entry.point.varied.get(across) for row in section])
    lines: dict[str, list[tuple[float, Measured]]] = {}
    for row in section:
        values = row.entry.point.varied
        label = ", ".join(f"{name} {written(values[name])}" for name in others) or "ours"
        if row.measured is not None:
            lines.setdefault(label, []).append((place(values.get(across)), row.measured))
    for i, (label, points) in enumerate(lines.items()):
        _line(axes, label, sorted(points, key=lambda point: point[0]), i, colours)
    if figure.published is not None and figure.comparable:
        axes.axhline(figure.published, color=colours.muted, linestyle="--", linewidth=1.3, label="paper")
        if figure.deviation:
            low, high = figure.published - figure.deviation, figure.published + figure.deviation
            axes.axhspan(low, high, color=colours.muted, alpha=0.15, linewidth=0)
    axes.set_xlabel(across or "preset")
    axes.set_ylabel(figure.unit if figure.comparable else f"{figure.unit} (other data)".strip())
    axes.grid(visible=True)


def _title(section: Sequence[Row], *, alone: bool) -> str:
    label = section[0].figure.label
    return label if alone else f"{section[0].entry.point.job.experiment.name}: {label}"


def _line(
    axes: Axes, label: str, points: Sequence[tuple[float, Measured]], index: int, colours: Colours
) -> None:
    colour = colours.cycle[index % len(colours.cycle)]
    marker = MARKERS[index // len(colours.cycle) % len(MARKERS)]
    x = [place for place, _ in points]
    means = [measured.mean for _, measured in points]
    spread = [measured.deviation or 0.0 for _, measured in points]
    axes.errorbar(x, means, yerr=spread, color=colour, marker=marker, markersize=5, capsize=3, label=label)
    for place, measured in points:
        axes.plot([place] * measured.n, measured.values, ".", color=colour, markersize=4, alpha=0.55)


def _scale(axes: Axes, values: Sequence[Any]) -> Any:
    """Prepares the horizontal axis for the values of a setting; returns where each stands."""
    distinct = list(dict.fromkeys(values))
    if all(isinstance(value, (int, float)) and not isinstance(value, bool) for value in distinct):
        if min(distinct) > 0 and math.log10(max(distinct) / min(distinct)) >= DECADES:
            axes.set_xscale("log")
        if len(distinct) <= TICKS:
            axes.set_xticks(distinct, [f"{value:g}" for value in distinct])
            axes.set_xticks([], minor=True)
        return float
    texts = ["as it is" if value is None else written(value) for value in distinct]
    axes.set_xticks(range(len(distinct)), texts)
    axes.set_xlim(-0.5, len(distinct) - 0.5)
    return distinct.index


def _legend(figure: Figure) -> None:
    """One legend below all panels, each entry once."""
    entries = {}
    for axes in figure.axes:
        for handle, label in zip(*axes.get_legend_handles_labels(), strict=True):
            entries.setdefault(label, handle)
    figure.legend(entries.values(), entries.keys(), loc="outside lower center", ncols=min(4, len(entries)))
