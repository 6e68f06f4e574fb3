"""A missing library is named together with the extra that brings it."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextmanager
def named_extra(what: object, extra: str = "io") -> Iterator[None]:
    """Raises an `ImportError` that says what needs which extra."""
    try:
        yield
    except ImportError as error:
        raise ImportError(f'{what} needs {error.name}: pip install "implicit-seg[{extra}]".') from error
