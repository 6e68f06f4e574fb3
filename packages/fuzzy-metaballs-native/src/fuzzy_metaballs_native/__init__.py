"""The CPU kernel of `fuzzy_metaballs` in C++, its `backend="native"`."""

from importlib.metadata import version

from fuzzy_metaballs_native._trace import instruction_sets, trace

__version__ = version("fuzzy-metaballs-native")

__all__ = ["__version__", "instruction_sets", "trace"]
