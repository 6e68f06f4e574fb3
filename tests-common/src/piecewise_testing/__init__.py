"""What the test suites of the packages share; never published, and no package needs it to run."""

from piecewise_testing.annotations import import_checked

__all__ = ["import_checked"]
