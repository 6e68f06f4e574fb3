"""The compiled core, or a clear word on why it is not there."""

from __future__ import annotations

import jax

try:
    from fuzzy_metaballs_native import _core as core
except ImportError as error:
    raise ImportError(
        "the compiled part `fuzzy_metaballs_native._core` is missing; did you forget to compile? Install the "
        "package (`pip install fuzzy-metaballs-native`, or `pip install .` in its folder), do not import its "
        "source tree."
    ) from error

for _name, _handler in core.targets().items():
    jax.ffi.register_ffi_target(_name, _handler, platform="cpu")

__all__ = ["core"]
