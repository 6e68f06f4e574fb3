"""Finds data sets among the entry points of the installed apps."""

from __future__ import annotations

from typing import TYPE_CHECKING

from repro import registry
from repro.dataset import Dataset
from repro.errors import DataError, UserError

if TYPE_CHECKING:
    from collections.abc import Iterable
    from importlib import metadata

GROUP = "repro.datasets"


def entry_points() -> dict[str, metadata.EntryPoint]:
    """Returns the entry point of every declared data set, by name and in the order of the names."""
    return registry.installed(GROUP)


def resolve(asked: Iterable[str]) -> list[str]:
    """Checks names of data sets and returns each once.

    Raises:
        UserError: nothing was asked for, or something that no installed app declares.
    """
    known = list(entry_points())
    names = list(dict.fromkeys(asked))
    for name in names:
        if name not in known:
            raise UserError(f"There is no data set {name!r}. {registry.suggestion(name, known, known)}")
    if not names:
        raise UserError(f"Name a data set: {', '.join(known) or 'none is installed'}.")
    return names


def load(name: str) -> Dataset:
    """Imports the declaration of a data set.

    Raises:
        DataError: its app cannot be imported, or declares no data set of that name there.
    """
    point = entry_points()[name]
    try:
        dataset = point.load()
    except Exception as error:
        raise DataError(f"{name} cannot be imported ({type(error).__name__}: {error}).") from error
    if not isinstance(dataset, Dataset) or dataset.name != name:
        raise DataError(f"{name}: its entry point {point.value!r} is no data set of that name.")
    return dataset
