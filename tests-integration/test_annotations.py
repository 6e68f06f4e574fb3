"""The suites' checks of shape annotations do check: on a package made here."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import pytest

from piecewise_testing import annotations

if TYPE_CHECKING:
    from pathlib import Path
    from types import ModuleType

SOURCE = """
from __future__ import annotations
from typing import TYPE_CHECKING
import numpy as np
if TYPE_CHECKING:
    from jaxtyping import Float

def total(x: Float[np.ndarray, "n"], y: Float[np.ndarray, "n"]) -> Float[np.ndarray, "n"]:
    return x + y
"""


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    (tmp_path / "shapes_of_a_test").mkdir()
    (tmp_path / "shapes_of_a_test" / "__init__.py").write_text(SOURCE)
    monkeypatch.syspath_prepend(tmp_path)
    yield annotations.import_checked("shapes_of_a_test")
    del sys.modules["shapes_of_a_test"]


def test_the_first_calls_of_a_test_are_checked(package: ModuleType) -> None:
    import numpy as np

    right, wrong = (np.zeros(2), np.zeros(2)), (np.zeros(2), np.zeros(1))
    for _ in range(annotations.CHECKED_CALLS - 1):
        package.total(*right)
    with pytest.raises(Exception, match=r"shapes_of_a_test\.total"):
        package.total(*wrong)
    assert package.total(*wrong).shape == (2,)  # no longer checked
    annotations.calls.clear()  # what the plugin does before each test
    with pytest.raises(Exception, match=r"shapes_of_a_test\.total"):
        package.total(*wrong)
