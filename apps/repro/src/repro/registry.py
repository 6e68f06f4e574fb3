"""Finds experiments among the entry points of the installed apps, without importing any."""

from __future__ import annotations

import difflib
from importlib import metadata
from typing import TYPE_CHECKING, Any

from repro.errors import ExperimentError, UserError
from repro.experiment import Experiment

if TYPE_CHECKING:
    from collections.abc import Iterable

GROUP = "repro.experiments"
DEMO = "repro.demo"


def entry_points() -> dict[str, metadata.EntryPoint]:
    """Returns the entry point of every installed experiment, by name and in the order of the names."""
    return installed(GROUP)


def demonstration() -> list[str]:
    """Returns what `repro demo` runs: the experiments that apps name in the group `repro.demo`, else all."""
    known = entry_points()
    return [name for name in installed(DEMO) if name in known] or list(known)


def installed(group: str) -> dict[str, metadata.EntryPoint]:
    """Returns the entry points of a group, by name and in the order of the names."""
    return {
        point.name: point
        for point in sorted(metadata.entry_points(group=group), key=lambda point: point.name)
    }


def suggestion(name: str, known: Iterable[str], everything: Iterable[str]) -> str:
    """Returns a sentence on which of the `known` names may be meant, or on `everything` there is."""
    close = difflib.get_close_matches(name, list(known), n=3, cutoff=0.5)
    return f"Did you mean {' or '.join(close)}?" if close else f"There are: {', '.join(everything)}."


def resolve(asked: Iterable[str]) -> list[str]:
    """Turns what was asked for (experiments, papers, `all`) into names of experiments, each once.

    Raises:
        UserError: nothing was asked for, or something that no installed app has.
    """
    known = list(entry_points())
    if not known:
        raise UserError(
            "No experiments are installed: install an app, such as piecewise-dsa, beside piecewise-repro."
        )
    papers = {name.split(".")[0] for name in known}
    found: dict[str, None] = {}
    for name in asked:
        if name in known:
            found[name] = None
        elif name in papers or name == "all":
            found |= dict.fromkeys(k for k in known if name in ("all", k.split(".")[0]))
        else:
            hint = suggestion(name, [*known, *sorted(papers)], [*known, "all"])
            raise UserError(f"There is no experiment or paper {name!r}. {hint}")
    if not found:
        raise UserError(
            "Name an experiment, a paper or `all`, before any --settings; `repro list` shows what there is."
        )
    return list(found)


def load(name: str) -> Experiment[Any]:
    """Imports an experiment.

    Raises:
        ExperimentError: its app cannot be imported, or has no experiment of that name there.
    """
    point = entry_points()[name]
    try:
        experiment = point.load()
    except Exception as error:
        raise ExperimentError(f"{name} cannot be imported ({type(error).__name__}: {error}).") from error
    if not isinstance(experiment, Experiment) or experiment.name != name:
        raise ExperimentError(f"{name}: its entry point {point.value!r} is no experiment of that name.")
    return experiment


def distribution(name: str) -> str | None:
    """Returns the distribution that brings an experiment, None where it is not installed as one."""
    found = entry_points()[name].dist
    return found.name if found else None
