"""Counts what the tests of faults have done and prints it at the end."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))  # for the modules beside this one, in every import mode

COUNTED = ("fuzz cases", "kills survived", "interrupts", "full disks")


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Prints the counts that tests gave to `record_property`."""
    counts = [
        (name, value)
        for report in terminalreporter.getreports("passed")
        for name, value in report.user_properties
        if name.startswith(COUNTED)
    ]
    if not counts:
        return
    terminalreporter.section("faults survived")
    for what in COUNTED:
        of_kind = [(name, int(value)) for name, value in counts if name.startswith(what)]
        for name, value in sorted(of_kind):
            terminalreporter.write_line(f"{name}: {value}")
        if of_kind:
            terminalreporter.write_line(f"{what}: {sum(value for _, value in of_kind)}")
