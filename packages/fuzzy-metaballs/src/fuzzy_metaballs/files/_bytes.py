"""Reading a binary file from front to back."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from pathlib import Path


class Bytes:
    """The bytes of a file and how far it has been read; asking for more than there is raises."""

    def __init__(self, path: Path, start: int = 0) -> None:
        self.path = path
        self.data = path.read_bytes()
        self.position = start

    def skip(self, size: int) -> int:
        """Passes over `size` bytes and returns where they begin."""
        start = self.position
        if size > len(self.data) - start:
            raise ValueError(
                f"{self.path}: ends after {len(self.data)} bytes, but {size} more are due at byte {start}. "
                "It is cut short; write it again."
            )
        self.position = start + size
        return start

    def array(self, dtype: str | np.dtype, count: int) -> np.ndarray:
        """The next `count` entries."""
        start = self.skip(np.dtype(dtype).itemsize * count)
        return np.frombuffer(self.data, dtype, count, start)

    def integer(self, dtype: str) -> int:
        """The next whole number."""
        return int(self.array(dtype, 1)[0])

    def text(self) -> str:
        """The characters up to the next zero byte."""
        end = self.data.find(b"\0", self.position)
        if end < 0:
            raise ValueError(f"{self.path}: a name at byte {self.position} has no end. It is cut short.")
        start, self.position = self.position, end + 1
        try:
            return self.data[start:end].decode("utf-8")
        except UnicodeDecodeError as error:
            raise ValueError(f"{self.path}: the name at byte {start} is no UTF-8. Write it again.") from error
