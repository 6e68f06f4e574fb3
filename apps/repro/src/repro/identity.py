"""What makes two runs the same: settings, seeds, preset, device, data and versions."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from importlib import metadata
from typing import TYPE_CHECKING, Any

from repro import registry
from repro.errors import ExperimentError
from repro.experiment import Preset  # noqa: TC001  (`schema.decode` reads the annotation)

if TYPE_CHECKING:
    from pathlib import Path

    from repro.experiment import Experiment


@dataclass(frozen=True, kw_only=True)
class Identity:
    """A run's identity; the same one resumes a run, another starts a new one.

    Attributes:
        experiment: name.
        preset: name of the preset that `settings` started from.
        settings: every setting with its value.
        seeds: how many seeds, from 0 on.
        device: "cpu" or "cuda".
        data: SHA-256 checksum of everything that is read, by name.
        packages: version of the app and of the distributions that the experiment names.
    """

    experiment: str
    preset: Preset
    settings: dict[str, Any]
    seeds: int
    device: str
    data: dict[str, str]
    packages: dict[str, str]

    @property
    def sha256(self) -> str:
        """The checksum by which runs are compared."""
        canonical = json.dumps(asdict(self), sort_keys=True, separators=(",", ":"), allow_nan=False)
        return hashlib.sha256(canonical.encode()).hexdigest()


def identify(
    experiment: Experiment[Any], *, preset: Preset, settings: Any, seeds: int, device: str, data: Path | None
) -> Identity:
    """Puts together the identity of a run; reads the data files and the versions of the packages.

    Raises:
        ExperimentError: a setting is no plain value, a package is not installed, or a file cannot be read.
    """
    try:
        # through JSON and back, so that a tuple equals the list it becomes in the file
        plain = json.loads(json.dumps(asdict(settings), allow_nan=False))
    except (TypeError, ValueError) as error:
        raise ExperimentError(
            f"{experiment.name}: its settings are not all plain finite values ({error})."
        ) from error
    try:
        checksums = dict(experiment.data())
        if data is not None:
            checksums["--data"] = folder_checksum(data)
    except Exception as error:
        raise ExperimentError(
            f"{experiment.name}: its data cannot be read ({type(error).__name__}: {error})."
        ) from error
    return Identity(
        experiment=experiment.name,
        preset=preset,
        settings=plain,
        seeds=seeds,
        device=device,
        data=checksums,
        packages=versions(experiment),
    )


def folder_checksum(folder: Path) -> str:
    """Returns one SHA-256 checksum over the names and contents of all files below a folder."""
    total = hashlib.sha256()
    for path in sorted(p for p in folder.rglob("*") if p.is_file()):
        with path.open("rb") as file:
            content = hashlib.file_digest(file, "sha256").hexdigest()
        total.update(f"{content} {path.relative_to(folder).as_posix()}\n".encode())
    return total.hexdigest()


def versions(experiment: Experiment[Any]) -> dict[str, str]:
    """Returns the versions here of the app and of the distributions that an experiment names.

    Raises:
        ExperimentError: one is not installed.
    """
    names = set(experiment.packages)
    if app := registry.distribution(experiment.name):
        names.add(app)
    try:
        return {name: metadata.version(name) for name in sorted(names)}
    except metadata.PackageNotFoundError as error:
        raise ExperimentError(
            f"{experiment.name} names the package {error.name!r}, which is not installed."
        ) from error
