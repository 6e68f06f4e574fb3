"""Writes numbers for readers: as many digits as they are worth, differences as a sentence."""

from __future__ import annotations

import math
from decimal import Decimal
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from repro.result import Measured, Published

SUPERSCRIPT = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


def number(value: float, deviation: float | None = None) -> str:
    """Writes a value with four digits, or to the second digit of its deviation; a count with all its digits.

    >>> number(0.0312345), number(0.0312345, 0.00127), number(3.2e-7, 1e-8), number(7701825)
    ('0.03123', '0.0312 ± 0.0013', '(3.20 ± 0.10) × 10⁻⁷', '7,701,825')
    """
    if not deviation and _is_count(value):
        return f"{_count(value)} ± 0" if deviation == 0 else _count(value)
    exponent = _exponent(max(abs(value), deviation or 0.0))
    power = 0 if -4 <= exponent <= 5 else exponent
    decimals = 3 - exponent + power
    if deviation:
        # six digits of the value at most: a deviation at the level of rounding is no reason for sixteen
        decimals = min(1 - _exponent(deviation), 5 - exponent) + power
    shown = [f"{part / 10.0**power:.{max(0, decimals)}f}" for part in (value, deviation) if part is not None]
    return _scaled(" ± ".join(shown), power)


def exact(value: float, deviation: float | None = None) -> str:
    """Writes a published value, and its deviation, with all the digits that were given.

    >>> exact(0.0012), exact(19.83, 0.001), exact(3.32e-5, 5e-7), exact(7701825)
    ('0.0012', '19.83 ± 0.001', '(3.32 ± 0.05) × 10⁻⁵', '7,701,825')
    """
    if deviation is None and _is_count(value):
        return _count(value)
    # decimal, as scaling a binary fraction would add digits
    given = [Decimal(repr(float(part))) for part in (value, deviation) if part is not None]
    power = 0 if -4 <= given[0].adjusted() <= 5 else given[0].adjusted()
    text = " ± ".join(f"{part.scaleb(-power).normalize():f}" for part in given)
    return _scaled(text, power)


def ours(figure: Measured) -> str:
    """Writes our figure: the mean, the deviation over seeds where there is one, the unit."""
    return _with_unit(number(figure.mean, figure.deviation), figure.unit)


def papers(figure: Measured) -> str:
    """Writes the paper's figure as published, an em dash where there is none."""
    if figure.paper is None:
        return "—"
    return _with_unit(exact(figure.paper.value, figure.paper.deviation), figure.unit)


def ratio(figure: Measured, paper: Published) -> str:
    """Writes ours over the paper's; an em dash where that says nothing (a zero, opposite signs)."""
    if figure.mean * paper.value <= 0:
        return "—"
    quotient = figure.mean / paper.value
    if not 0.01 <= quotient < 100:
        return number(quotient)
    return f"{quotient:.{2 if quotient >= 0.1 else 3}f}"


def difference(figure: Measured, paper: Published) -> str:
    """Says in a clause by how much ours differs from the paper's."""
    change = figure.mean - paper.value
    if number(figure.mean) == number(paper.value):
        return "The same as the paper's to four digits."
    side = "above" if change > 0 else "below"
    by = _with_unit(number(abs(change)), figure.unit)
    if figure.mean * paper.value <= 0:
        return f"{by} {side} the paper's."
    quotient = figure.mean / paper.value
    if 0.5 < quotient < 2:
        return f"{100 * abs(quotient - 1):.2g} % {side} the paper's ({by})."
    if quotient > 1:
        return f"{number(quotient)} times the paper's."
    return f"The paper's is {number(1 / quotient)} times ours."


def _is_count(value: float) -> bool:
    return float(value).is_integer() and abs(value) < 1e9


def _count(value: float) -> str:
    return f"{value:,.0f}".replace("-", "−")


def _exponent(value: float) -> int:
    return math.floor(math.log10(value)) if value else 0


def _scaled(text: str, power: int) -> str:
    """Puts a power of ten behind a number that was divided by it."""
    text = text.replace("-", "−")
    if not power:
        return text
    return f"{f'({text})' if '±' in text else text} × 10{str(power).translate(SUPERSCRIPT)}"


def _with_unit(text: str, unit: str) -> str:
    return f"{text} {unit}" if unit else text
