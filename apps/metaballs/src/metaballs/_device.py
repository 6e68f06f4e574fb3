"""Where an experiment's arrays live."""

from __future__ import annotations

from functools import wraps
from typing import TYPE_CHECKING, TypeVar

import jax

if TYPE_CHECKING:
    from collections.abc import Callable

    from repro.context import Context

S = TypeVar("S")


def on_device(run: Callable[[S, Context], dict[str, float]]) -> Callable[[S, Context], dict[str, float]]:
    """Makes an experiment's `run` put its arrays on the device that the context names."""

    @wraps(run)
    def there(settings: S, context: Context) -> dict[str, float]:
        with jax.default_device(jax.devices("cpu" if context.device == "cpu" else "gpu")[0]):
            return run(settings, context)

    return there
