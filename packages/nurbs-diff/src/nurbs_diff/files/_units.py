"""Units of length: our names, and how STEP and IGES write them."""

from __future__ import annotations

import math
from typing import NamedTuple


class Unit(NamedTuple):
    """A unit of length.

    Attributes:
        metres: its length.
        iges: flag and name of IGES 5.3, table 2.
        step: prefix of the metre, or the name of a unit by conversion.
    """

    metres: float
    iges: tuple[int, str]
    step: str


UNITS = {
    "mm": Unit(1e-3, (2, "MM"), ".MILLI."),
    "cm": Unit(1e-2, (10, "CM"), ".CENTI."),
    "m": Unit(1.0, (6, "M"), "$"),
    "km": Unit(1e3, (7, "KM"), ".KILO."),
    "um": Unit(1e-6, (9, "UM"), ".MICRO."),
    "inch": Unit(0.0254, (1, "IN"), "INCH"),
    "ft": Unit(0.3048, (4, "FT"), "FOOT"),
    "mile": Unit(1609.344, (5, "MI"), "MILE"),
    "mil": Unit(2.54e-5, (8, "MIL"), "MIL"),
}


def named(metres: float) -> str:
    """Our name of a unit of that length, or its length where it has none."""
    for name, unit in UNITS.items():
        if math.isclose(metres, unit.metres, rel_tol=1e-9):
            return name
    return f"{metres:g} m"


def check_unit(unit: str) -> Unit:
    """Raises unless `unit` is one of ours."""
    if unit not in UNITS:
        raise ValueError(f"`unit` must be one of {', '.join(map(repr, UNITS))}; got {unit!r}.")
    return UNITS[unit]
