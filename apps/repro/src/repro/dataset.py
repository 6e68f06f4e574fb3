"""What a data set is: the contract between `repro data` and the apps that read the sets."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

# MD5 is left out: anybody can make two files of one MD5
_DIGITS = {"sha256": 64, "sha512": 128}


@dataclass(frozen=True, kw_only=True)
class File:
    """A file that is downloaded; a ZIP archive (`.zip`) is unpacked, anything else kept as it is.

    Attributes:
        name: of the file on disk, whatever the address calls it.
        urls: its addresses; where one fails, the next is tried.
        checksum: "sha256:..." or "sha512:..." of the file as it is downloaded.
        size: in bytes, None where the publisher does not say.
        into: the folder, within the set's, for the file or for the archive's content.
    """

    name: str
    urls: tuple[str, ...]
    checksum: str
    size: int | None = None
    into: str = "."

    def __post_init__(self) -> None:
        algorithm, _, digits = self.checksum.partition(":")
        if not re.fullmatch(rf"[0-9a-f]{{{_DIGITS.get(algorithm, 0)}}}", digits) or not digits:
            raise ValueError(
                f"`checksum` of {self.name} must be sha256: or sha512: and its hexadecimal digits in lower "
                f"case; got {self.checksum!r}."
            )
        if not self.urls:
            raise ValueError(f"`urls` of {self.name} is empty: give an address or declare the set by hand.")
        if Path(self.name).name != self.name:
            raise ValueError(f"`name` must be a bare file name; got {self.name!r}. `into` takes the folder.")
        into = PurePosixPath(self.into)
        if into.is_absolute() or ".." in into.parts:
            raise ValueError(f"`into` of {self.name} must stay within the set's folder; got {self.into!r}.")

    @property
    def is_archive(self) -> bool:
        """Whether it is unpacked."""
        return self.name.endswith(".zip")


@dataclass(frozen=True, kw_only=True)
class Dataset:
    """A published data set, ready to be fetched or, where no address with a checksum is known, to be checked.

    Attributes:
        name: the name of its entry point in the group `repro.datasets` and of its folder.
        title: one line for `repro data`.
        licence: as its publisher states it.
        citation: the work to cite.
        home: the publisher's page.
        layout: in words, what lies where within the set's folder.
        check: `check(folder)` looks at a folder and returns one sentence on what it found; it raises a
            `ValueError` that says what it looked for, where it is not the published layout.
        experiments: those that read it with `--data`.
        files: what is downloaded; empty for a set that is fetched by hand.
        by_hand: for a set without files, how one comes by it.
        read: `read(folder)` opens every item as the experiments do and returns one sentence on what it read;
            it raises their `ValueError`, "FILE: why. What to do.", where one cannot be read.
    """

    name: str
    title: str
    licence: str
    citation: str
    home: str
    layout: str
    check: Callable[[Path], str]
    experiments: tuple[str, ...] = ()
    files: tuple[File, ...] = ()
    by_hand: str = ""
    read: Callable[[Path], str] | None = None

    def __post_init__(self) -> None:
        if not re.fullmatch(r"[a-z0-9][a-z0-9-]*", self.name):
            raise ValueError(f"`name` must be of lower-case letters, digits and hyphens; got {self.name!r}.")
        for what in ("title", "licence", "citation", "home", "layout"):
            if not getattr(self, what).strip():
                raise ValueError(f"`{what}` of {self.name} is empty: it is shown before anything is fetched.")
        if bool(self.files) == bool(self.by_hand):
            raise ValueError(f"{self.name} must have either `files` or `by_hand`, how one comes by it.")

    @property
    def size(self) -> int | None:
        """Bytes to download, None where that is not known."""
        sizes = [file.size for file in self.files if file.size is not None]
        return sum(sizes) if self.files and len(sizes) == len(self.files) else None


def require(folder: Path, patterns: Mapping[str, int]) -> str:
    """Counts files; the usual `check` of a layout.

    Args:
        folder: of the set.
        patterns: for each glob within the folder how many files it must find at least.

    Returns:
        One sentence with the counts.

    Raises:
        ValueError: there are fewer; the message names the pattern, the folder and both counts.

    Example:
        >>> import pathlib, tempfile
        >>> with tempfile.TemporaryDirectory() as name:
        ...     folder = pathlib.Path(name)
        ...     _ = (folder / "a.png").write_bytes(b"")
        ...     print(require(folder, {"*.png": 1}))
        1 file *.png.
    """
    found = []
    for pattern, least in patterns.items():
        count = sum(path.is_file() for path in folder.glob(pattern))
        if count < least:
            raise ValueError(f"looked for {_files(least)} {pattern} in {folder}, found {count}")
        found.append(f"{_files(count)} {pattern}")
    return ", ".join(found) + "."


def _files(count: int) -> str:
    return "1 file" if count == 1 else f"{count} files"
