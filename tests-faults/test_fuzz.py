"""Damaged files: every reader returns a sound value or raises the error that it documents, with a message.

Never another exception, never over two seconds of CPU, never more than 256 MB beyond what the process has.
`FAULTS_CASES` sets the number of cases of each reader; 40 unless told. A case is known by reader and number.
"""

from __future__ import annotations

import faulthandler
import importlib
import logging
import os
import re
import resource
import shutil
import signal
import warnings
import zlib
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from mutations import damaged
from readers import READERS, Reader

CASES = int(os.environ.get("FAULTS_CASES", "40"))
SECONDS = 2.0
ROOM = 256 << 20


class TooLong(BaseException):
    """A reader took more CPU time than it may; no `except Exception` catches it."""


@contextmanager
def bounded() -> Iterator[None]:
    """Little time, little memory."""

    def over(*_: object) -> None:
        raise TooLong

    with open("/proc/self/statm") as file:  # noqa: PTH123
        mapped = int(file.read().split()[0]) * resource.getpagesize()
    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    before = signal.signal(signal.SIGPROF, over)
    resource.setrlimit(resource.RLIMIT_AS, (mapped + ROOM, hard))
    signal.setitimer(signal.ITIMER_PROF, SECONDS)
    faulthandler.dump_traceback_later(120, exit=True)  # in native code no handler runs
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        faulthandler.cancel_dump_traceback_later()
        resource.setrlimit(resource.RLIMIT_AS, (soft, hard))
        signal.signal(signal.SIGPROF, before)


def case(name: str, reader: Reader, number: int, folder: Path) -> Path:
    """Writes the damaged input of a case."""
    rng = np.random.default_rng([zlib.crc32(name.encode()), number])
    inputs = reader.inputs()
    whole = inputs[number % len(inputs)]
    path = folder / whole.name
    if whole.is_file():
        data = damaged(rng, whole.read_bytes())
        path.write_bytes(re.sub(rb"(.)\1{9999,}", rb"\1", data, flags=re.DOTALL) if reader.is_torch else data)
        return path
    shutil.copytree(whole, path)
    files = sorted(file for file in path.glob(reader.damages) if file.is_file())
    file = files[rng.integers(len(files))]
    file.write_bytes(damaged(rng, file.read_bytes()))
    return path


def documented(reader: Reader) -> tuple[type[Exception], ...]:
    places = [name.rpartition(".") for name in reader.raises]
    return tuple(getattr(importlib.import_module(module), name) for module, _, name in places)


def read_whole(reader: Reader, folder: Path) -> None:
    """Reads what is not damaged; imports what the reader needs, too, which takes more than a case may."""
    assert reader.inputs()
    for number, whole in enumerate(reader.inputs()):
        place = folder / str(number)
        place.mkdir()
        copy = shutil.copytree if whole.is_dir() else shutil.copy
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            reader.read(Path(copy(whole, place / whole.name)))


@pytest.mark.parametrize("name", READERS)
def test_whole_files_are_read_and_damaged_ones_refused(
    name: str, tmp_path: Path, record_property: pytest.RecordProperty
) -> None:
    reader = READERS[name]
    errors = documented(reader)
    first = int(os.environ.get("FAULTS_FIRST", "0"))
    cases = max(10, CASES // 10) if reader.is_slow else CASES
    outcomes: Counter[str] = Counter()
    failures: list[str] = []
    logging.disable(logging.CRITICAL)
    try:
        read_whole(reader, tmp_path)
        for number in range(first, cases):
            folder = tmp_path / "case"
            folder.mkdir()
            path = case(name, reader, number, folder)
            fault = attempt(reader, path, errors)
            if fault in ("read", "refused"):
                outcomes[fault] += 1
            else:
                failures.append(f"case {number}, {path.name}: {fault}")
            shutil.rmtree(folder)
    finally:
        logging.disable(logging.NOTSET)
    record_property(f"fuzz cases, {name}", cases - first)
    assert not failures, f"{len(failures)} of {cases}:\n" + "\n".join(failures[:40])
    assert first or outcomes["refused"] > cases / 20  # one that is repeated may be sound


def attempt(reader: Reader, path: Path, errors: tuple[type[Exception], ...]) -> str:
    """How a reader ends: "read", "refused", or what is wrong with that."""
    try:
        with warnings.catch_warnings(), np.errstate(all="ignore"), bounded():
            warnings.simplefilter("ignore")
            reader.read(path)
    except errors as error:
        message = str(error)
        if not any(file.name in message for file in (path, path.parent, *path.rglob("*"))):
            return f"the message does not name the file: {message[:200]!r}"
        if len(message) > 4000:
            return f"a message of {len(message)} characters: {message[:200]!r}"
        return "refused"
    except TooLong:
        return f"over {SECONDS} seconds"
    except Exception as error:
        trace = error.__traceback__
        while trace is not None and trace.tb_next is not None:
            trace = trace.tb_next
        where = "" if trace is None else f"{Path(trace.tb_frame.f_code.co_filename).name}:{trace.tb_lineno}"
        return f"{type(error).__name__} at {where}: {str(error)[:160]}"
    return "read"
