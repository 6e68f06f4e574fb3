"""Installs data sets: `<folder>/<name>` is there whole and checked, or not at all."""

from __future__ import annotations

import hashlib
import json
import shutil
from typing import TYPE_CHECKING

from repro import atomic, download, lock
from repro.errors import DataError, RoomError
from repro.unpack import unpack

if TYPE_CHECKING:
    from pathlib import Path

    from repro.dataset import Dataset
    from repro.download import Progress

CHECKSUMS = ".checksums.json"
CONTENT = "content"


def install(
    dataset: Dataset, folder: Path, *, progress: Progress = lambda name, done, total: None, attempts: int = 4
) -> str:
    """Downloads, checks and unpacks a set beside its place, checks its layout, and renames it into place.

    Args:
        dataset: one with files.
        folder: gets a folder of the set's name.
        progress: told of each chunk that is downloaded.
        attempts: how often an address that is busy or breaks off is asked.

    Returns:
        What is there, in one sentence.

    Raises:
        DataError: it could not be fetched, or is not what it should be; nothing stands in its place then.
        UserError: another process is fetching it.
    """
    place = folder / dataset.name
    partial = folder / f".{dataset.name}.partial"
    if place.exists():
        shutil.rmtree(partial, ignore_errors=True)  # of a process killed at its very end
        return f"{verify(dataset, place)} It was there before."
    try:
        partial.mkdir(parents=True, exist_ok=True)
        with lock.hold(partial, wait=False):
            try:
                _tidy(dataset, partial)
                _check_room(dataset, partial)
                for file in dataset.files:
                    download.download(file, partial, progress=progress, attempts=attempts)
                found = _put_together(dataset, partial)
                (partial / CONTENT).rename(place)
                shutil.rmtree(partial)
            finally:
                if partial.is_dir() and not _tidy(dataset, partial):
                    shutil.rmtree(partial, ignore_errors=True)
    except OSError as error:
        raise download.full(error, folder) from error
    return found


def verify(dataset: Dataset, place: Path) -> str:
    """Looks at a set that is there: its layout and, where this command installed it, every checksum.

    Returns:
        What is there, in one sentence.

    Raises:
        DataError: it is not there, not the published layout, or not what was installed.
    """
    if not place.is_dir():
        raise DataError(f"{dataset.name}: there is no folder {place}.")
    found = _check(dataset, place)
    if not (place / CHECKSUMS).exists():
        return f"{found} The layout is right; there are no checksums of single files to compare."
    try:
        want = json.loads((place / CHECKSUMS).read_text(encoding="utf-8"))
        wrong = sorted(set(want.items()) ^ set(_checksums(place).items()))
    except (OSError, ValueError, AttributeError, TypeError, RecursionError) as error:
        raise DataError(
            f"{dataset.name}: {place} cannot be compared with its checksums ({error})."
        ) from error
    if wrong:
        names = list(dict.fromkeys(name for name, _ in wrong))
        raise DataError(
            f"{dataset.name}: of the files in {place} {len(names)} are not as they were fetched, such as "
            f"{names[0]}. Remove the folder and fetch it anew."
        )
    return f"{found} All {len(want)} checksums are right."


def read(dataset: Dataset, place: Path) -> str:
    """Opens every item of a set that is there, as the experiments do.

    Returns:
        What was read, in one sentence; an empty one for a set that declares no `read`.

    Raises:
        DataError: an item cannot be read.
    """
    if dataset.read is None:
        return ""
    try:
        return dataset.read(place)
    except (OSError, ValueError, ImportError) as error:
        raise DataError(f"{dataset.name}: {error}") from error


def _put_together(dataset: Dataset, partial: Path) -> str:
    """Unpacks the downloads beside the set's place, and looks at what has come of them."""
    content = partial / CONTENT
    try:
        for file in dataset.files:
            into = content / file.into
            into.mkdir(parents=True, exist_ok=True)
            if file.is_archive:
                unpack(partial / file.name, into)
            else:
                shutil.copyfile(partial / file.name, into / file.name)
        found = _check(dataset, content)
    except RoomError:
        raise
    except DataError:  # the same files again would be the same again
        shutil.rmtree(partial)
        raise
    atomic.write_json(content / CHECKSUMS, _checksums(content))
    return found


def _check(dataset: Dataset, place: Path) -> str:
    try:
        return dataset.check(place)
    except (OSError, ValueError) as error:
        raise DataError(
            f"{dataset.name}: {str(error).rstrip('.')}. The published layout is: {dataset.layout}"
        ) from error


def _check_room(dataset: Dataset, partial: Path) -> None:
    """Refuses at once what cannot fit; an archive takes at least its own size again when it is unpacked."""
    need = sum(2 * (file.size or 0) for file in dataset.files)
    need -= sum(path.stat().st_size for path in partial.iterdir() if path.is_file())
    free = shutil.disk_usage(partial).free
    if need > free:
        raise RoomError(
            f"{dataset.name} needs {need / 1e6:,.0f} MB, but {partial.parent} has {free / 1e6:,.0f} MB free. "
            "Make room or take another --folder."
        )


def _checksums(place: Path) -> dict[str, str]:
    sums = {}
    for path in sorted(path for path in place.rglob("*") if path.is_file()):
        if path.name != CHECKSUMS:
            with path.open("rb") as file:
                sums[path.relative_to(place).as_posix()] = hashlib.file_digest(file, "sha256").hexdigest()
    return sums


def _tidy(dataset: Dataset, partial: Path) -> bool:
    """Keeps downloads, whole and partial, with which the same command goes on; returns whether any are."""
    names = {name for file in dataset.files for name in (file.name, f"{file.name}.part")}
    kept = False
    for path in partial.iterdir():
        if path.is_dir():
            shutil.rmtree(path, ignore_errors=True)
        elif path.name in names:
            kept = True
        elif path.name != ".lock":
            path.unlink(missing_ok=True)
    return kept
