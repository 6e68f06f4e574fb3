"""The part that pytest loads by itself."""

from __future__ import annotations

from typing import TYPE_CHECKING

import jaxtyping
import pytest

from piecewise_testing import annotations, browser

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser


def pytest_runtest_setup() -> None:
    """Has every test check the annotations anew."""
    annotations.calls.clear()


@pytest.fixture
def unchecked() -> Iterator[None]:
    """The package as users have it: for what it says itself of a value that its annotations rule out."""
    jaxtyping.config.update("jaxtyping_disable", True)
    yield
    jaxtyping.config.update("jaxtyping_disable", False)


@pytest.fixture(scope="session")
def chrome() -> Iterator[Browser]:
    """The system's Chromium; the test is skipped where there is none."""
    executable = browser.chromium()
    if executable is None:
        pytest.skip("no Chromium is installed: the page is not looked at")
    with browser.started(executable) as chrome:
        yield chrome
