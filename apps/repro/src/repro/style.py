"""The two colour schemes of the report, for its page and for its pictures alike."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Iterator

Scheme = Literal["light", "dark"]


@dataclass(frozen=True)
class Colours:
    """One scheme.

    Attributes:
        page: background of the page.
        card: background of tables and pictures, which stand on the page.
        text: body text.
        muted: captions, axes, ticks.
        line: rules and grids.
        accent: links.
        cycle: line colours: blue, orange, green, purple, yellow, grey, in this order in both schemes; from a
            random search near Okabe and Ito's palette for a contrast of 3 with `card` and a distance of 15 in
            CIELAB between any two, with and without red-green blindness; the tests hold to both.
    """

    page: str
    card: str
    text: str
    muted: str
    line: str
    accent: str
    cycle: tuple[str, ...]


SCHEMES: dict[Scheme, Colours] = {
    "light": Colours(
        page="#f6f5f1",
        card="#ffffff",
        text="#22252a",
        muted="#5d636d",
        line="#dedcd5",
        accent="#0b62a3",
        cycle=("#245fba", "#af481a", "#286d54", "#aa81c0", "#9c9500", "#7c818a"),
    ),
    "dark": Colours(
        page="#15171b",
        card="#1d2025",
        text="#e4e3df",
        muted="#a2a8b2",
        line="#363b44",
        accent="#7cbcf2",
        cycle=("#69a6ff", "#ff8143", "#3fcf9f", "#a781b0", "#ffd773", "#a9c4d7"),
    ),
}


@contextmanager
def drawing(scheme: Scheme) -> Iterator[None]:
    """Puts the style of a scheme in force, whatever the user's own matplotlib settings are."""
    import matplotlib as mpl
    from matplotlib.rcsetup import cycler

    colours = SCHEMES[scheme]
    with mpl.rc_context():
        mpl.rcdefaults()
        mpl.rcParams.update(
            {
                "figure.facecolor": colours.card,
                "savefig.facecolor": colours.card,
                "axes.facecolor": colours.card,
                "text.color": colours.text,
                "axes.labelcolor": colours.text,
                "axes.titlecolor": colours.text,
                "axes.edgecolor": colours.muted,
                "xtick.color": colours.muted,
                "ytick.color": colours.muted,
                "grid.color": colours.line,
                "patch.edgecolor": colours.card,
                "legend.edgecolor": colours.line,
                "legend.facecolor": colours.card,
                "lines.color": colours.text,
                "axes.prop_cycle": cycler(color=colours.cycle),
                "axes.spines.top": False,
                "axes.spines.right": False,
                "axes.axisbelow": True,
                "axes.linewidth": 0.8,
                "axes.titlesize": 11,
                "axes.titlepad": 8,
                "axes.labelsize": 10,
                "xtick.labelsize": 9,
                "ytick.labelsize": 9,
                "legend.fontsize": 9,
                "legend.framealpha": 0.85,
                "grid.linewidth": 0.6,
                "lines.linewidth": 1.8,
                "lines.solid_capstyle": "round",
                "image.cmap": "viridis",
                "image.interpolation": "nearest",
            }
        )
        yield
