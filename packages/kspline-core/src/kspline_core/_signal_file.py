"""Signals from files: tables of text, NumPy arrays, sound."""

from __future__ import annotations

import csv
import io
import wave
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from jaxtyping import Float64

MISSING = {"", "na", "nan", "n/a", "null", "none", "-"}


@dataclass(frozen=True)
class Table:
    """The columns of a file, all of one length.

    Attributes:
        names: of the columns; their numbers where the file gives none.
        columns: shape (columns, n); missing values are NaN.
        rate: samples per second of a recording, or None.
    """

    names: tuple[str, ...]
    columns: Float64[np.ndarray, "columns n"]
    rate: float | None = None

    def column(self, name: str | None) -> Float64[np.ndarray, " n"]:
        """Returns one column, by its name or number; None: the only one.

        Raises:
            ValueError: there is no such column, or there are several and `name` is None.
        """
        found = ", ".join(self.names)
        if name is None:
            if len(self.names) > 1:
                raise ValueError(f"there are {len(self.names)} columns: {found}. Choose one: --column NAME.")
            return self.columns[0]
        if name in self.names:
            return self.columns[self.names.index(name)]
        if name.isdecimal() and int(name) < len(self.names):
            return self.columns[int(name)]
        raise ValueError(f"there is no column {name!r}. There are: {found} (or their numbers, from 0).")


def read_table(path: Path) -> Table:
    """Reads a CSV (also TSV, TXT), NPY or WAV file.

    - Text: one sample a line; columns separated by commas, semicolons, tabs or blanks; a first line with
      names is recognised; lines that begin with # are skipped; an empty cell, NA or NaN is missing.
    - NPY: shape (n,) or (n, columns), real numbers, no pickled objects.
    - WAV: PCM of 8 to 32 bits, scaled to [-1, 1]; one column a channel.

    Raises:
        ValueError: the file cannot be read as what its name says, with the file and where it stands.
        OSError: the file cannot be opened.
    """
    reader = READERS.get(path.suffix.lower())
    if reader is None:
        raise ValueError(f"{path}: the name must end in one of {', '.join(READERS)}; got {path.suffix!r}.")
    data = path.read_bytes()
    try:
        table = reader(data)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from error
    if table.columns.shape[1] == 0:
        raise ValueError(f"{path}: there are no samples in it.")
    return table


def _read_text(data: bytes) -> Table:
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ValueError(f"byte {error.start} is no UTF-8. Save the file as UTF-8 text.") from None
    if "\0" in text:
        raise ValueError(
            f"byte {text.index(chr(0))} is zero, so this is no text. Save the file as UTF-8 text."
        )
    lines = [
        (number, line)
        for number, line in enumerate(text.splitlines(), 1)
        if line.strip() and not line.lstrip().startswith("#")
    ]
    if not lines:
        raise ValueError("there are no samples in it.")
    separator = next((mark for mark in ",;\t" if mark in lines[0][1]), None)
    rows = [(number, _cells(number, line, separator)) for number, line in lines]
    names = tuple(str(i) for i in range(len(rows[0][1])))
    if any(_number(cell) is None for cell in rows[0][1]):
        names = tuple(cell.strip() for cell in rows.pop(0)[1])
    values = np.empty((len(names), len(rows)))
    for i, (number, cells) in enumerate(rows):
        if len(cells) != len(names):
            raise ValueError(f"line {number} has {len(cells)} columns, the first line {len(names)}.")
        for j, cell in enumerate(cells):
            value = _number(cell)
            if value is None:
                raise ValueError(
                    f"line {number}, column {names[j]}: {cell.strip()[:40]!r} is no number. "
                    "Repair it, or leave the cell empty if the value is missing."
                )
            values[j, i] = value
    return Table(names, values)


def _cells(number: int, line: str, separator: str | None) -> list[str]:
    try:
        return line.split() if separator is None else next(csv.reader([line], delimiter=separator))
    except csv.Error as error:
        raise ValueError(f"line {number}: {error}. Repair it.") from error


def _number(cell: str) -> float | None:
    if cell.strip().lower() in MISSING:
        return np.nan
    try:
        return float(cell)
    except ValueError:
        return None


def _read_npy(data: bytes) -> Table:
    try:
        array = np.load(io.BytesIO(data), allow_pickle=False)
    except Exception as error:  # numpy hands on what its own parsers raise: SyntaxError, TokenError, ...
        raise ValueError(f"it is no whole NPY file ({error}). Write it with numpy.save.") from error
    if not isinstance(array, np.ndarray) or array.dtype.kind not in "iufb":
        raise ValueError("it must hold one array of real numbers. Convert it with numpy.asarray(..., float).")
    if array.ndim not in (1, 2):
        raise ValueError(
            f"its shape must be (n,) or (n, columns); got {array.shape}. Save one signal a column."
        )
    columns = np.atleast_2d(np.asarray(array, np.float64).T)
    return Table(tuple(str(i) for i in range(len(columns))), np.ascontiguousarray(columns))


def _read_wav(data: bytes) -> Table:
    try:
        with wave.open(io.BytesIO(data)) as recording:
            channels, width, rate = (
                recording.getnchannels(),
                recording.getsampwidth(),
                recording.getframerate(),
            )
            count = recording.getnframes()
            frames = recording.readframes(count)
    except (wave.Error, EOFError, RuntimeError, OverflowError, MemoryError) as error:
        raise ValueError(f"it is no whole WAV file of PCM samples ({error}). Convert it to PCM.") from error
    if not 1 <= width <= 4:
        raise ValueError(f"samples of {8 * width} bits are not read. Convert it to PCM of 16 bits.")
    if len(frames) != count * channels * width:
        raise ValueError(
            f"it ends early: {len(frames)} of {count * channels * width} bytes of sound are there. "
            "Fetch it again."
        )
    if width == 1:  # unsigned, by the format
        values = np.frombuffer(frames, np.uint8).astype(np.float64) - 128
    else:  # little-endian; three bytes become the upper ones of four
        wide = np.zeros((count * channels, 4), np.uint8)
        wide[:, 4 - width :] = np.frombuffer(frames, np.uint8).reshape(-1, width)
        values = wide.view("<i4")[:, 0] / 2.0 ** (8 * (4 - width))
    columns = np.ascontiguousarray(values.reshape(-1, channels).T) / 2.0 ** (8 * width - 1)
    return Table(tuple(str(i) for i in range(channels)), columns, float(rate))


READERS: dict[str, Callable[[bytes], Table]] = {
    ".csv": _read_text,
    ".tsv": _read_text,
    ".txt": _read_text,
    ".npy": _read_npy,
    ".wav": _read_wav,
}
