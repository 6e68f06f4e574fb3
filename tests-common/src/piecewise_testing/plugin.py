"""The part that pytest loads by itself."""

from __future__ import annotations

from typing import TYPE_CHECKING

import jaxtyping
import pytest

from piecewise_testing import annotations

if TYPE_CHECKING:
    from collections.abc import Iterator


def pytest_runtest_setup() -> None:
    """Has every test check the annotations anew."""
    annotations.calls.clear()


@pytest.fixture
def unchecked() -> Iterator[None]:
    """The package as users have it: for what it says itself of a value that its annotations rule out."""
    jaxtyping.config.update("jaxtyping_disable", True)
    yield
    jaxtyping.config.update("jaxtyping_disable", False)
