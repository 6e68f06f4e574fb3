from __future__ import annotations

import pytest

from repro import numbers
from repro.experiment import Figure
from repro.result import measure


def figure(published, *values, unit="", deviation=None):
    return measure(Figure(key="x", label="x", unit=unit, published=published, deviation=deviation), values)


@pytest.mark.parametrize(
    ("value", "deviation", "text"),
    [
        (0.0312345, None, "0.03123"),
        (0.0312345, 0.00127, "0.0312 ± 0.0013"),
        (3.2e-7, 1e-8, "(3.20 ± 0.10) × 10⁻⁷"),
        (-1234.4, None, "−1234"),
        (123456.7, None, "123457"),
        (1234567.5, None, "1.235 × 10⁶"),
        (7701825, None, "7,701,825"),
        (3e9, None, "3.000 × 10⁹"),
        (-12, 0.0, "−12 ± 0"),
        (0.0, None, "0"),
        (0.0, 0.5, "0.00 ± 0.50"),
        (2.5, 0.0, "2.500 ± 0.000"),
        (1.0, 1e-16, "1.00000 ± 0.00000"),
        (12345.0, 250.0, "12345 ± 250"),
        (1e-5, 0.2, "0.00 ± 0.20"),
    ],
)
def test_a_number_has_as_many_digits_as_it_is_worth(value, deviation, text):
    assert numbers.number(value, deviation) == text


@pytest.mark.parametrize(
    ("value", "deviation", "text"),
    [
        (0.0012, None, "0.0012"),
        (3e-7, None, "3 × 10⁻⁷"),
        (7701825, None, "7,701,825"),
        (124385089, None, "124,385,089"),
        (1.5e8, 2e6, "(1.5 ± 0.02) × 10⁸"),
        (-0.5, None, "−0.5"),
        (1.30, None, "1.3"),
        (100, None, "100"),
        (0, 0.5, "0 ± 0.5"),
        (19.83, 0.001, "19.83 ± 0.001"),
        (3.32e-5, 5e-7, "(3.32 ± 0.05) × 10⁻⁵"),  # in binary, 5e-7 / 1e-5 has sixteen digits
    ],
)
def test_a_published_number_keeps_its_digits(value, deviation, text):
    assert numbers.exact(value, deviation) == text


@pytest.mark.parametrize(
    ("published", "ours", "ratio", "difference"),
    [
        (1.0, 1.25, "1.25", "25 % above the paper's (0.2500 mm)."),
        (1.0, 0.75, "0.75", "25 % below the paper's (0.2500 mm)."),
        (1.0, 3.0, "3.00", "3 times the paper's."),
        (3.0, 1.0, "0.33", "The paper's is 3 times ours."),
        (1.0, 1e-6, "1.000 × 10⁻⁶", "The paper's is 1,000,000 times ours."),
        (1.0, 0.05, "0.050", "The paper's is 20 times ours."),
        (0.0, 0.5, "—", "0.5000 mm above the paper's."),
        (1.0, -0.5, "—", "1.500 mm below the paper's."),
        (-2.0, -3.0, "1.50", "50 % below the paper's (1 mm)."),
        (0.31, 0.31, "1.00", "The same as the paper's to four digits."),
    ],
)
def test_a_difference_is_said_in_words(published, ours, ratio, difference):
    measured = figure(published, ours, unit="mm")
    assert numbers.ratio(measured, measured.paper) == ratio
    assert numbers.difference(measured, measured.paper) == difference


def test_both_figures_carry_the_unit_and_their_deviation():
    measured = figure(0.75, 1.0, 1.5, unit="mm", deviation=0.01)
    assert numbers.papers(measured) == "0.75 ± 0.01 mm"
    assert numbers.ours(measured) == "1.25 ± 0.35 mm"
    assert numbers.papers(figure(None, 1.0)) == "—"
