"""Says at the end how many examples were executed; makes the modules beside this one importable."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pytest

sys.path.insert(0, str(Path(__file__).parent))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    examples = next((module for name, module in sys.modules.items() if name.endswith("test_examples")), None)
    pages = examples.executed if examples else {}
    passed = [report.nodeid for report in terminalreporter.getreports("passed")]
    doctests = sum("::" in node and "test_examples" not in node for node in passed)
    terminalreporter.write_line(
        f"executed examples: {sum(pages.values())} blocks of {len(pages)} pages, "
        f"{doctests} docstrings and pages of doctests"
    )
