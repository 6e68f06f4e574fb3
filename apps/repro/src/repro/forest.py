"""Ours over the paper's at a glance: every comparable figure on one scale, with both spreads."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from repro import numbers
from repro.history import tick

if TYPE_CHECKING:
    from collections.abc import Iterable

    from repro.experiment import Paper
    from repro.result import Measured, Result

RANGES = (1.25, 2.0, 10.0, 100.0)  # a scale reaches from 1 over one of these to it
TICKS = {
    1.25: (0.8, 0.9, 1.0, 1.1, 1.25),
    2.0: (0.5, 0.7, 1.0, 1.4, 2.0),
    10.0: (0.1, 0.3, 1.0, 3.0, 10.0),
    100.0: (0.01, 0.1, 1.0, 10.0, 100.0),
}
HELD = 0.9  # share of the figures that lie inside the scale; the others are arrows at its ends
MARGIN = 4.0  # percent at either end of the scale


@dataclass(frozen=True)
class Row:
    """A figure; places in percent of the scale's width.

    Attributes:
        result: of the run.
        figure: ours and the paper's.
        ratio: ours over the paper's, None where that says nothing (a zero, opposite signs).
        place: of the ratio.
        beyond: -1 or 1 where it lies beyond an end of the scale, else 0.
        ours: ends of our mean plus and minus the deviation over seeds, None for one seed.
        band: the same of the paper's, None where it prints none.
    """

    result: Result
    figure: Measured
    ratio: float | None
    place: float
    beyond: int
    ours: tuple[float, float] | None
    band: tuple[float, float] | None


@dataclass(frozen=True)
class Forest:
    """All rows by paper, and the one scale that they share.

    Attributes:
        groups: of each paper that has rows.
        ticks: place and text.
        count: of rows.
    """

    groups: tuple[tuple[Paper, tuple[Row, ...]], ...]
    ticks: tuple[tuple[float, str], ...]
    count: int


def plant(papers: Iterable[tuple[Paper, Iterable[Result]]]) -> Forest:
    """Lays out every comparable figure that the paper has too.

    The scale is logarithmic and the same for all papers: the narrowest of `RANGES` that holds nine ratios of
    ten. The spreads are those that were measured and printed, plus and minus one standard deviation: no
    confidence intervals.
    """
    found = [
        (paper, [(run, f) for run in runs for f in run.figures if f.paper and f.comparable])
        for paper, runs in papers
    ]
    ratios = [r for _, pairs in found for _, figure in pairs if (r := _ratio(figure)) is not None]
    reach = next(
        (
            reach
            for reach in RANGES
            if sum(1 / reach <= ratio <= reach for ratio in ratios) >= HELD * len(ratios)
        ),
        RANGES[-1],
    )
    groups = tuple((paper, tuple(_row(*pair, reach) for pair in pairs)) for paper, pairs in found if pairs)
    ticks = tuple((_place(value, reach), tick(value)) for value in TICKS[reach])
    return Forest(groups, ticks, sum(len(rows) for _, rows in groups))


def _ratio(figure: Measured) -> float | None:
    assert figure.paper
    return figure.mean / figure.paper.value if figure.mean * figure.paper.value > 0 else None


def _place(ratio: float, reach: float) -> float:
    """Percent from the left; what lies beyond an end stands at it."""
    if ratio <= 0:
        return MARGIN
    share = 0.5 + 0.5 * math.log(ratio) / math.log(reach)
    return MARGIN + (100 - 2 * MARGIN) * min(max(share, 0.0), 1.0)


def _row(result: Result, figure: Measured, reach: float) -> Row:
    published = figure.paper
    assert published
    ratio = _ratio(figure)
    if ratio is None:
        return Row(result, figure, None, 50.0, 0, None, None)

    def spread(value: float, deviation: float | None) -> tuple[float, float] | None:
        if not deviation:
            return None
        low, high = sorted((value + sign * deviation) / published.value for sign in (-1, 1))
        return _place(low, reach), _place(high, reach)

    beyond = 1 if ratio > reach else -1 if ratio < 1 / reach else 0
    return Row(
        result,
        figure,
        ratio,
        _place(ratio, reach),
        beyond,
        spread(figure.mean, figure.deviation),
        spread(published.value, published.deviation),
    )


def words(row: Row) -> str:
    """Says the row for those who do not see it, and at the pointer."""
    text = f"ours {numbers.ours(row.figure)}, the paper's {numbers.papers(row.figure)}"
    return f"{text}; preset {row.result.identity.preset}"
