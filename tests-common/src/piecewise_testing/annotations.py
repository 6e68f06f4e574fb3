"""Imports a package with its shape annotations checked, so that its tests are also checks of shapes.

A check costs about 0.1 ms, which for a small kernel is many times the call itself: in each test only the
first calls of each function are checked. The decorated code is made when it is first called, as making it
takes longer than most tests.
"""

from __future__ import annotations

import functools
import importlib
import pkgutil
import types
import typing
from collections import Counter

import beartype
import beartype.door  # noqa: F401 (loaded before TYPE_CHECKING is true)
import jaxtyping

if typing.TYPE_CHECKING:
    from collections.abc import Callable, Iterable

CHECKED_CALLS = 20
"""Calls of one function that one test checks."""

calls: Counter[object] = Counter()
"""Of each function since the test in hand began."""

_jaxtyped = jaxtyping.jaxtyped


def import_checked(package: str, modules: Iterable[str] | None = None) -> types.ModuleType:
    """Imports a package with every annotated function checked by beartype.

    Whatever the package imports from elsewhere should have been imported before: while it is imported here,
    `typing.TYPE_CHECKING` is true, so that the names in its annotations exist.

    Args:
        package: its import name.
        modules: those to import; all below the package where none are given.

    Returns:
        the package.
    """
    jaxtyping.jaxtyped = _checked_at_first
    typing.TYPE_CHECKING = True
    try:
        with jaxtyping.install_import_hook(package, "beartype.beartype"):
            root = importlib.import_module(package)
            for name in _below(root) if modules is None else modules:
                importlib.import_module(name)
    finally:
        typing.TYPE_CHECKING = False
        jaxtyping.jaxtyped = _jaxtyped
    return root


def _below(package: types.ModuleType) -> list[str]:
    return [module.name for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}.")]


def _checked_at_first(*, typechecker: typing.Any) -> Callable[[typing.Any], typing.Any]:
    """Stands for `jaxtyping.jaxtyped` in the modules that are imported."""

    def decorate(found: typing.Any) -> typing.Any:
        if not isinstance(found, types.FunctionType):
            return _jaxtyped(typechecker=typechecker)(found)
        if "<locals>" in found.__qualname__:
            return found  # its check would be made anew at every call of the function around it
        checked: Callable[..., typing.Any] | None = None

        @functools.wraps(found)
        def call(*arguments: typing.Any, **named: typing.Any) -> typing.Any:
            nonlocal checked
            calls[found] += 1
            if calls[found] > CHECKED_CALLS:
                return found(*arguments, **named)
            if checked is None:
                checked = _jaxtyped(typechecker=typechecker)(found)
            return checked(*arguments, **named)

        return call

    return decorate
