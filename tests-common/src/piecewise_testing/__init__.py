"""What the test suites of the packages share; never published, and no package needs it to run."""

from piecewise_testing.annotations import import_checked
from piecewise_testing.processes import free_port, launch_two
from piecewise_testing.xla import compile_quickly

__all__ = ["compile_quickly", "free_port", "import_checked", "launch_two"]
