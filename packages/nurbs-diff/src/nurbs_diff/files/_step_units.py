"""The unit of length of a STEP file."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from nurbs_diff.files import _units
from nurbs_diff.files._step_syntax import Enum, Ref, Typed

if TYPE_CHECKING:
    from nurbs_diff.files._step_syntax import Instance

_PREFIXES = {
    "EXA": 18, "PETA": 15, "TERA": 12, "GIGA": 9, "MEGA": 6, "KILO": 3, "HECTO": 2, "DECA": 1, "DECI": -1,
    "CENTI": -2, "MILLI": -3, "MICRO": -6, "NANO": -9, "PICO": -12, "FEMTO": -15, "ATTO": -18,
}  # fmt: skip


def length_unit(found: dict[int, Instance]) -> str | None:
    """The one unit that all contexts of shapes use; None where none is named.

    Raises:
        ValueError: there are several, so that coordinates are not comparable.
    """
    lengths: dict[str, Instance] = {}
    for context in found.values():
        if context.name or "GLOBAL_UNIT_ASSIGNED_CONTEXT" not in context.body.upper():
            continue
        assigned = context.records().get("GLOBAL_UNIT_ASSIGNED_CONTEXT", [])
        for reference in assigned[0] if assigned and isinstance(assigned[0], list) else []:
            unit = found.get(reference.number) if isinstance(reference, Ref) else None
            if unit is not None and not unit.name and "LENGTH_UNIT" in unit.body.upper():
                lengths[_units.named(_metres(unit, found, depth=0))] = context
    if len(lengths) > 1:
        places = ", ".join(f"{name} ({context.where})" for name, context in lengths.items())
        raise ValueError(f"its shapes have different units: {places}. Save it with one unit.")
    return next(iter(lengths), None)


def _metres(unit: Instance, found: dict[int, Instance], depth: int) -> float:
    records = unit.records()
    if "SI_UNIT" in records:
        prefix = records["SI_UNIT"][0] if len(records["SI_UNIT"]) == 2 else None
        if prefix is None:
            return 1.0
        if isinstance(prefix, Enum) and prefix.name in _PREFIXES:
            return float(f"1e{_PREFIXES[prefix.name]}")
    converted = records.get("CONVERSION_BASED_UNIT", [])
    if depth < 4 and len(converted) == 2 and isinstance(converted[1], Ref):
        measure = found.get(converted[1].number)
        values = next(iter(measure.records().values())) if measure is not None and measure.name else []
        if len(values) == 2 and isinstance(values[0], Typed) and isinstance(values[1], Ref):
            factor = values[0].values[0] if len(values[0].values) == 1 else None
            base = found.get(values[1].number)
            if isinstance(factor, (int, float)) and factor > 0 and base is not None and not base.name:
                metres = factor * _metres(base, found, depth + 1)
                if 0 < metres < math.inf:
                    return metres
    raise ValueError(f"{unit.where}: this unit of length cannot be read. Repair the file.")
