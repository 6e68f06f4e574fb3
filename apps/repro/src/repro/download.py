"""Downloads a file by HTTP: goes on where a killed or broken download stopped, and checks what came."""

from __future__ import annotations

import hashlib
import os
import re
import time
from typing import TYPE_CHECKING, Protocol

import pooch
import requests

from repro import disk
from repro.errors import DataError, RoomError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from repro.dataset import File

_CHUNK = 1 << 16
_BUSY = {408, 425, 429, 500, 502, 503, 504}


class Progress(Protocol):
    """What is told of a download."""

    def __call__(self, name: str, done: int, total: int | None) -> None:
        """`done` of `total` bytes of the file `name` are here; None where nobody knows the total."""
        ...


def download(
    file: File,
    folder: Path,
    *,
    progress: Progress = lambda name, done, total: None,
    attempts: int = 4,
    pause: Callable[[float], None] = time.sleep,
    timeout: tuple[float, float] = (10.0, 60.0),
) -> Path:
    """Brings a file into a folder, under its name and with its checksum, or not at all.

    What has come stays beside it as `NAME.part`, and the next call asks the server for the rest (HTTP Range)
    only. Proxies are those of the variables HTTPS_PROXY, HTTP_PROXY and NO_PROXY.

    Args:
        file: to download.
        folder: exists.
        progress: told of each chunk.
        attempts: how often an address that is busy or breaks off is asked.
        pause: waits between attempts, one second at first, then twice as long each time.
        timeout: seconds to connect, and seconds without a byte.

    Raises:
        DataError: no address gave the file; the message says why for each, and what to do. The partial file
            is kept where it can be continued and removed where its content is wrong.
    """
    pooch.get_logger().setLevel("WARNING")  # it would announce what the progress shows
    faults = []
    for url in file.urls:
        source = _Source(url, file, folder / f"{file.name}.part", progress, attempts, pause, timeout)
        try:
            pooch.retrieve(
                url,
                known_hash=file.checksum,
                fname=file.name,
                path=folder,
                downloader=source,  # pyright: ignore[reportArgumentType]  (its protocol names two others)
            )
        except ValueError:  # pooch's word for another checksum; it has removed the file
            got = source.digest
            faults.append(
                f"{url} gave a file with the wrong {file.checksum.partition(':')[0].upper()} ({got[:16]}... "
                f"where {file.checksum.partition(':')[2][:16]}... is declared). It was removed."
            )
        except _UnavailableError as error:
            faults.append(str(error))
        except OSError as error:
            raise full(error, folder) from error
        else:
            return folder / file.name
    raise DataError(f"{file.name} could not be fetched. {' '.join(faults)}")


def full(error: OSError, folder: Path) -> RoomError:
    """Returns the error for a folder that takes no more."""
    return RoomError(
        f"{folder} cannot be written to: {disk.reason(error, folder)}. Make room or take another "
        "--folder; the same command goes on where it stopped."
    )


class _UnavailableError(Exception):
    """An address does not give the file; one sentence."""


class _Source:
    """A downloader in pooch's sense that continues its own partial file."""

    def __init__(
        self,
        url: str,
        file: File,
        part: Path,
        progress: Progress,
        attempts: int,
        pause: Callable[[float], None],
        timeout: tuple[float, float],
    ):
        self.url = url
        self.file = file
        self.part = part
        self.progress = progress
        self.attempts = attempts
        self.pause = pause
        self.timeout = timeout
        self.digest = ""

    def __call__(self, url: str, output_file: str, _: object, check_only: bool = False) -> None:
        """Called by pooch, which then compares the checksum."""
        resumed = self._complete()
        if not self._is_right() and resumed:  # the server's file has changed since, or the disk was faulty
            self.part.unlink()
            self._complete()
            self._is_right()
        os.replace(self.part, output_file)  # noqa: PTH105  (pooch passes a string)

    def _is_right(self) -> bool:
        algorithm, _, want = self.file.checksum.partition(":")
        with self.part.open("rb") as content:
            self.digest = hashlib.file_digest(content, algorithm).hexdigest()
        return self.digest == want

    def _have(self) -> int:
        return self.part.stat().st_size if self.part.exists() else 0

    def _complete(self) -> bool:
        """Downloads to the end; returns whether it began with bytes of an earlier download."""
        began = self._have()
        if began and began == self.file.size:
            return True
        fault = ""
        for attempt in range(self.attempts):
            if attempt:
                self.pause(2.0 ** (attempt - 1))
            try:
                if self._request():
                    return began > 0
                fault = "it broke off"
            except requests.exceptions.ProxyError as error:
                raise _UnavailableError(
                    f"{self.url}: the proxy does not answer ({_root(error)}). Check HTTPS_PROXY, HTTP_PROXY."
                ) from error
            except requests.exceptions.SSLError as error:
                raise _UnavailableError(
                    f"{self.url}: its certificate is refused ({_root(error)}). Nothing was accepted."
                ) from error
            except requests.exceptions.Timeout:
                fault = "no answer in time"
            except requests.exceptions.RequestException as error:
                fault = _root(error)
        have = self._have()
        raise _UnavailableError(
            f"{self.url}: {fault}, {self.attempts} times. Check the network, and HTTPS_PROXY behind a proxy; "
            f"the same command goes on after the {have:,} bytes that are here."
        )

    def _request(self) -> bool:
        """Asks for what is missing; returns whether the file is complete."""
        have = self._have()
        headers = {"Accept-Encoding": "identity"}  # the bytes as they are, so that counting them makes sense
        if have:
            headers["Range"] = f"bytes={have}-"
        with requests.get(self.url, headers=headers, stream=True, timeout=self.timeout) as response:
            if response.status_code == 416:  # nothing after what is here, or not the file it was
                if response.headers.get("Content-Range") == f"bytes */{have}":
                    return True
                self.part.unlink()
                return False
            if response.status_code in _BUSY:
                raise requests.exceptions.HTTPError(f"the server says {response.status_code}")
            if response.status_code not in (200, 206):
                raise _UnavailableError(f"{self.url}: the server says {response.status_code}.")
            if response.status_code == 206 and not _continues(response, have):
                self.part.unlink(missing_ok=True)
                return False
            # 200: the server knows no ranges and sends it all again
            return self._receive(response, have if response.status_code == 206 else 0)

    def _receive(self, response: requests.Response, have: int) -> bool:
        length = response.headers.get("Content-Length")
        response.raw.enforce_content_length = False  # what came of a short answer is kept; counted below
        total = have + int(length) if length else self.file.size
        with self.part.open("r+b" if have else "wb") as part:
            part.seek(have)
            for chunk in response.iter_content(_CHUNK):
                part.write(chunk)
                have += len(chunk)
                self.progress(self.file.name, have, total)
                if self.file.size is not None and have > self.file.size:
                    break
        if self.file.size is not None and have > self.file.size:
            self.part.unlink()
            raise _UnavailableError(
                f"{self.url} gives more than the declared {self.file.size:,} bytes. They were removed."
            )
        return have == self.file.size if self.file.size is not None else total is None or have == total


def _continues(response: requests.Response, have: int) -> bool:
    """Whether a partial answer begins where it was asked to."""
    match = re.match(r"bytes (\d+)-", response.headers.get("Content-Range", ""))
    return match is not None and int(match[1]) == have


def _root(error: BaseException) -> str:
    """The words of the innermost cause: requests wraps urllib3, which wraps the system's."""
    while (inner := error.__cause__ or error.__context__) is not None:
        error = inner
    text = getattr(error, "strerror", None) or str(error)
    return " ".join(text.split()) or type(error).__name__
