"""The runs on disk: `<runs>/<experiment>/<UTC time>/`, each known by its identity, held by one process."""

from __future__ import annotations

import tempfile
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from itertools import count
from typing import TYPE_CHECKING

from repro import atomic, lock, schema
from repro._context import now
from repro.errors import UserError
from repro.identity import Identity  # noqa: TC001  (`schema.decode` reads the annotation)

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

NAME = "identity.json"


@dataclass(frozen=True, kw_only=True)
class Marker:
    """What `identity.json` holds: the first file of a run.

    Attributes:
        sha256: of the identity.
        started: UTC.
        identity: of the run.
    """

    sha256: str
    started: str
    identity: Identity


def check_writable(folder: Path) -> None:
    """Makes a folder where it is missing and sees that files can be written there.

    Raises:
        UserError: they cannot.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise UserError(
            f"The folder {folder} cannot be written to ({error.strerror}). Choose another."
        ) from error


@contextmanager
def hold(runs: Path, identity: Identity, *, fresh: bool) -> Iterator[Path]:
    """Finds the newest run of this identity, or starts one, and keeps other processes out of it.

    Raises:
        UserError: another process is at work in that run, or the folder cannot be written to.
    """
    folder = claim(runs, identity, fresh=fresh)
    with lock.hold(folder, wait=False, remedy=", or start anew with --fresh"):
        yield folder


def claim(runs: Path, identity: Identity, *, fresh: bool) -> Path:
    """Finds the newest run of this identity, or starts one; does not hold it.

    Raises:
        UserError: the folder cannot be written to.
    """
    parent = runs / identity.experiment
    check_writable(parent)
    with lock.hold(parent, wait=True):  # so that two processes do not start the same run side by side
        found = None if fresh else find(runs, identity)
        return found or _start(parent, identity)


def find(runs: Path, identity: Identity) -> Path | None:
    """Returns the newest run of this identity, None where there is none."""
    parent = runs / identity.experiment
    found = [f for f in folders(parent) if _sha256(f) == identity.sha256] if parent.is_dir() else []
    return found[-1] if found else None


@contextmanager
def share(folder: Path, seed: int, *, wait: bool = True) -> Iterator[None]:
    """Holds one seed of a run whose other seeds other processes may hold; keeps `hold` out of the run.

    Raises:
        UserError: another process is at work there, and `wait` is false.
    """
    with (
        lock.hold(folder, wait=wait, shared=True),
        lock.hold(folder, wait=wait, name=f".seed-{seed}.lock"),
    ):
        yield


def is_held(folder: Path, seed: int) -> bool:
    """Says whether a process is at work on a seed of a run, or on the whole run."""
    try:
        with share(folder, seed, wait=False):
            return False
    except UserError:
        return True


def folders(parent: Path) -> list[Path]:
    """Returns an experiment's runs, oldest first."""
    return sorted(path for path in parent.iterdir() if path.is_dir() and not path.name.startswith("."))


def marker(folder: Path) -> Marker:
    """Reads `identity.json`.

    Raises:
        ValueError: it is not there or damaged; the message says how.
    """
    try:
        return schema.decode((folder / NAME).read_text(encoding="utf-8"), Marker)
    except OSError as error:
        raise ValueError(f"{NAME} cannot be read ({error.strerror})") from error
    except ValueError as error:
        raise ValueError(f"{NAME} is damaged: {error}") from error


def _sha256(folder: Path) -> str | None:
    try:
        return marker(folder).sha256
    except ValueError:
        return None  # not a run one can resume; the report names it


def _start(parent: Path, identity: Identity) -> Path:
    # It gets its name once its identity is in it: no kill leaves a run that nobody knows.
    beside = parent / ".starting"
    beside.mkdir(exist_ok=True)
    atomic.write_json(beside / NAME, asdict(Marker(sha256=identity.sha256, started=now(), identity=identity)))
    atomic.tidy(beside)
    second = datetime.now(UTC).strftime("%Y-%m-%dT%H-%M-%SZ")
    folder = parent / second
    again = count(2)
    while folder.exists():  # a sweep starts many runs within a second; their names keep their order
        folder = parent / f"{second}-{next(again):04}"
    return beside.rename(folder)
