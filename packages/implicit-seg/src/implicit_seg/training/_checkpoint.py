"""One file that holds a run after its last finished epoch; replaced as a whole, never half written."""

from __future__ import annotations

import hashlib
import io
import os
from typing import TYPE_CHECKING, Any

import torch

if TYPE_CHECKING:
    from pathlib import Path

# Then come the SHA-256 of the rest in hex, a line feed, and torch's own format.
_MAGIC = b"implicit-seg checkpoint 1\n"
_DIGEST = 64


def save(path: Path, identity: dict[str, Any], state: dict[str, Any]) -> None:
    """Writes a checkpoint, so that `path` holds the old one or the new one, whenever the process dies."""
    buffer = io.BytesIO()
    torch.save({"identity": identity, "state": state}, buffer)
    payload = buffer.getvalue()
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(path.name + ".part")
    try:
        with temporary.open("wb") as file:
            file.write(_MAGIC + hashlib.sha256(payload).hexdigest().encode() + b"\n" + payload)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
    _sync_folder(path.parent)


def load(path: Path, identity: dict[str, Any]) -> dict[str, Any] | None:
    """Returns the state in a checkpoint, or None where there is none.

    Raises:
        ValueError: the file is damaged, no checkpoint, or one of another run.
    """
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        return None
    start = len(_MAGIC) + _DIGEST + 1
    digest, payload = content[len(_MAGIC) : start - 1], content[start:]
    damage = ValueError(
        f"`checkpoint`: {path} is damaged or no checkpoint of this package. "
        "Delete it to start anew, or name another file."
    )
    if not content.startswith(_MAGIC) or hashlib.sha256(payload).hexdigest().encode() != digest:
        raise damage
    try:
        stored = torch.load(io.BytesIO(payload), map_location="cpu", weights_only=True)
    except Exception as error:  # of whoever has written another content and its digest
        raise damage from error
    parts = [stored.get(name) for name in ("identity", "state")] if isinstance(stored, dict) else []
    if len(parts) != 2 or not all(isinstance(part, dict) for part in parts):
        raise damage
    found = stored["identity"]
    differences = [
        f"{key} was {_shortened(found.get(key))}, is {identity.get(key)!r}"
        for key in sorted(found | identity, key=str)
        if found.get(key) != identity.get(key)
    ]
    if differences:
        raise ValueError(
            f"`checkpoint`: {path} belongs to another run ({'; '.join(differences)}). "
            "Delete it to start anew, name another file, or restore the settings."
        )
    return stored["state"]


def _shortened(value: object) -> str:
    """What a stranger's file says, as far as a message should repeat it."""
    text = repr(value)
    return text if len(text) <= 1000 else f"{text[:1000]}..."


def _sync_folder(folder: Path) -> None:
    """Makes the renaming itself durable, where the system lets a folder be opened (not on Windows)."""
    if os.name == "posix":
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
