"""Unpacks a ZIP archive from a stranger: within its folder, within the disk, whole or with an error."""

from __future__ import annotations

import errno
import shutil
import stat
import zipfile
from pathlib import Path, PurePosixPath

from repro.errors import DataError, RoomError

_ROOM = 64 << 20  # left free for everybody else on the disk


def unpack(archive: Path, folder: Path) -> None:
    """Unpacks an archive into a folder.

    Before the first file is written every name is looked at and the sizes are compared with the free disk;
    while they are written, the checksums of the archive are.

    Raises:
        DataError: it is no ZIP archive, damaged, encrypted, or would write outside the folder or over a file
            that is there.
        RoomError: it is larger than the disk has room for.
    """
    try:
        with zipfile.ZipFile(archive) as content:
            members = [member for member in content.infolist() if not member.is_dir()]
            targets = _targets(archive, folder, members)
            need = sum(member.file_size for member in members)
            free = shutil.disk_usage(folder).free
            if need + _ROOM > free:
                raise RoomError(
                    f"{archive.name} unpacks to {need / 1e6:,.0f} MB, but {folder} has {free / 1e6:,.0f} MB "
                    "free. Make room or take another --folder."
                )
            for member, target in zip(members, targets, strict=True):
                target.parent.mkdir(parents=True, exist_ok=True)
                with content.open(member) as source, target.open("xb") as file:
                    shutil.copyfileobj(source, file, 1 << 20)
    except DataError:
        raise
    except Exception as error:  # zipfile hands on what its decompressors raise about bad numbers
        if isinstance(error, OSError) and error.errno != errno.EINVAL:
            raise
        raise DataError(f"{archive.name} is no sound ZIP archive ({error}).") from error


def _targets(archive: Path, folder: Path, members: list[zipfile.ZipInfo]) -> list[Path]:
    """Returns where each member goes; refuses what an honest archive does not hold."""
    targets: dict[Path, str] = {}
    for member in members:
        name = PurePosixPath(member.filename)
        if name.is_absolute() or ".." in name.parts or "\\" in member.filename or ":" in member.filename:
            raise DataError(
                f"{archive.name} would write outside its folder ({member.filename!r}). Refused as a whole."
            )
        if stat.S_ISLNK(member.external_attr >> 16):
            raise DataError(f"{archive.name} holds a link ({member.filename!r}). Refused as a whole.")
        if member.flag_bits & 1:
            raise DataError(f"{archive.name} is encrypted ({member.filename!r}). Refused as a whole.")
        target = folder / name
        if target in targets or target.exists():
            raise DataError(f"{archive.name} writes {member.filename!r} twice. Refused as a whole.")
        targets[target] = member.filename
    return list(targets)
