"""Damage, drawn from a generator: of bytes, of numbers in text, inside ZIP, gzip, JSON and NPY."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import re
import struct
import warnings
import zipfile
import zlib
from typing import Any

import numpy as np

NUMBER = re.compile(rb"[-+]?\d+\.?\d*(?:[Ee][-+]?\d+)?")
WORDS = (
    b"1000000000", b"-1", b"0", b"-3", b"nan", b"inf", b"-Infinity", b"1e999", b"", b"x", b"9" * 5000,
    b"1e308", b"5e-324", b"null", b"true", b"[]", b"{}", b"1_0", b"\xff", b"\0", b"''", b"2.5",
    b"9223372036854775807", b"99999999999999999999", b"0x10", "٣".encode(),
)  # fmt: skip
WHOLE = (0, 1, -1, 2, 127, 255, 256, 32767, 65535, 2**31 - 1, -(2**31), 2**32 - 1, 2**40, 2**63 - 1, -(2**63))
REAL = (np.nan, np.inf, -np.inf, 1e308, -1e308, 5e-324, -0.0)
TYPES = (
    "|O",
    "|b1",
    "<f8",
    ">f8",
    "<f2",
    "<c16",
    "<U4",
    "<U99999999",
    "|S3",
    "<M8[s]",
    "|V5",
    "<i8",
    "<u1",
    "x",
    "",
)


def damaged(rng: np.random.Generator, data: bytes, depth: int = 0) -> bytes:
    """A whole file with something wrong; now and then several things."""
    for _ in range(1 if rng.random() < 0.8 else int(rng.integers(2, 5))):
        inside = _inside(rng, data, depth) if rng.random() < 0.7 else None
        data = _raw(rng, data) if inside is None else inside
    return data


def _inside(rng: np.random.Generator, data: bytes, depth: int) -> bytes | None:
    """Damage behind a checksum or a syntax, which the format's own tests would stop; None: no such format."""
    if depth > 2:
        return None
    if data[:4] == b"PK\3\4":
        return _zip(rng, data, depth)
    if data[:2] == b"\x1f\x8b":
        try:
            return gzip.compress(damaged(rng, gzip.decompress(data), depth + 1), 1, mtime=0)
        except (OSError, EOFError, zlib.error):
            return None
    if data[:6] == b"\x93NUMPY":
        return _npy(rng, data)
    if data[:25] == b"implicit-seg checkpoint 1":  # its magic line, the SHA-256 of the rest, the rest
        magic, payload = data[:26], damaged(rng, data[26 + 65 :], depth + 1)
        return magic + hashlib.sha256(payload).hexdigest().encode() + b"\n" + payload
    if data[:1] in (b"{", b"["):
        try:
            return json.dumps(_node(rng, json.loads(data)), allow_nan=True).encode()
        except (ValueError, RecursionError):
            return None
    return None


def _zip(rng: np.random.Generator, data: bytes, depth: int) -> bytes | None:
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            members = [(info.filename, archive.read(info), info.compress_type) for info in archive.infolist()]
    except Exception:
        return None
    if not members:
        return None
    i = int(rng.integers(len(members)))
    name, content, how = members[i]
    kind = rng.integers(8)
    if kind == 0:
        del members[i]
    elif kind == 1:
        members.append((f"{name}x", content, how))
    elif kind == 2:
        members[i] = (("../" + name, "/" + name, "", name + "/", name.upper())[rng.integers(5)], content, how)
    elif kind == 3:
        j = int(rng.integers(len(members)))
        members[i] = (name, members[j][1], how)
    else:
        members[i] = (name, damaged(rng, content, depth + 1) if content else b"x", how)
    target = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # names twice are meant
        with zipfile.ZipFile(target, "w") as archive:
            for name, content, how in members:
                archive.writestr(zipfile.ZipInfo(name), content, how)
    return target.getvalue()


def _npy(rng: np.random.Generator, data: bytes) -> bytes | None:
    """Another header: type, order or shape."""
    try:
        size = struct.unpack("<H", data[8:10])[0]
        header = dict(
            eval(data[10 : 10 + size], {"__builtins__": {}})
        )  # our own corpus, or what was made of it
        shape = list(header["shape"])
    except Exception:
        return None
    kind = rng.integers(5)
    if kind == 0:
        header["descr"] = TYPES[rng.integers(len(TYPES))]
    elif kind == 1:
        header["fortran_order"] = (True, 1, None)[rng.integers(3)]
    elif kind == 2 and shape:
        shape[rng.integers(len(shape))] = int(rng.choice(np.array(WHOLE, dtype=object)))
    elif kind == 3:
        shape = [[], [0], [1] * 33, [1, *shape], [0, 2**62], [2**32, 2**32], [*shape, 1]][rng.integers(7)]
    else:
        values = bytearray(data)
        real = struct.pack("<d", REAL[rng.integers(len(REAL))])
        place = 10 + size + 8 * int(rng.integers(max((len(data) - 10 - size) // 8, 1)))
        values[place : place + 8] = real
        return bytes(values)
    text = repr(header | {"shape": tuple(shape)}).encode()
    text += b" " * (-(len(text) + 11) % 64) + b"\n"
    return data[:8] + struct.pack("<H", len(text) % 65536) + text + data[10 + size :]


def _node(rng: np.random.Generator, value: Any) -> Any:
    """One node of a JSON tree replaced, renamed, lost or doubled."""
    if rng.random() < 0.15 or not isinstance(value, (dict, list)) or not value:
        return _hostile(rng)
    if isinstance(value, list):
        i = int(rng.integers(len(value)))
        if rng.random() < 0.15:
            return value[:i] + value[i + 1 :] if rng.random() < 0.5 else [*value, value[i]]
        return [*value[:i], _node(rng, value[i]), *value[i + 1 :]]
    key = list(value)[rng.integers(len(value))]
    if rng.random() < 0.15:
        rest = {k: v for k, v in value.items() if k != key}
        return rest if rng.random() < 0.5 else rest | {f"{key}x": value[key]}
    return value | {key: _node(rng, value[key])}


def _hostile(rng: np.random.Generator) -> Any:
    deep: Any = []
    for _ in range(500):
        deep = [deep]
    values = (
        None, True, [], {}, "", "x", "../../x", "/etc/passwd", "\0", "é" * 300, -1, 0, 2**63, 10**400, 1e308,
        0.5, float("nan"), float("inf"), [[]], {"": None}, deep, [None], ["x", 1], "\ud800", [1, 2, 3],
    )  # fmt: skip
    return values[rng.integers(len(values))]


def _raw(rng: np.random.Generator, data: bytes) -> bytes:
    if not data:
        return bytes(rng.integers(0, 256, 20, np.uint8))
    kind = rng.integers(11)
    place = int(rng.integers(len(data)))
    if kind == 0:
        return data[:place]
    if kind == 1:  # a stretch lost or doubled
        stop = min(len(data), place + int(rng.choice([1, 2, 4, 8, 64])))
        return data[:place] + data[place:stop] * int(rng.choice([0, 2])) + data[stop:]
    if kind == 2:
        return data[:place] + bytes(rng.integers(0, 256, rng.choice([1, 2, 8, 100]), np.uint8)) + data[place:]
    if kind == 3:
        nest = bytes([rng.choice(list(b"([{'\"/*,;\n 0"))]) * int(rng.choice([1, 100_000]))
        return data[:place] + nest + data[place:]
    if kind in (4, 5):  # a length or a count
        size, order = int(rng.choice([1, 2, 4, 8])), ("little", "big")[rng.integers(2)]
        value = WHOLE[rng.integers(len(WHOLE))] % 256**size
        start = place // size * size if rng.random() < 0.5 else place
        return (data[:start] + value.to_bytes(size, order) + data[start + size :])[
            : max(len(data), start + size)
        ]
    if kind == 6:
        real = struct.pack(("<f", ">f", "<d", ">d")[rng.integers(4)], np.float32(REAL[rng.integers(3)]))
        return data[:place] + real + data[place + len(real) :]
    if kind in (7, 8) and (numbers := list(NUMBER.finditer(data))):
        for _ in range(int(rng.integers(1, 3))):
            match = numbers[rng.integers(len(numbers))]
            if match.end() <= len(data):
                data = data[: match.start()] + WORDS[rng.integers(len(WORDS))] + data[match.end() :]
        return data
    if kind == 9:
        lines = data.splitlines(keepends=True)
        i = int(rng.integers(len(lines)))
        if rng.random() < 0.5:
            lines[i : i + 1] = [lines[i]] * int(rng.choice([0, 2]))
        else:
            part = lines[i : i + 5]
            rng.shuffle(part)
            lines[i : i + 5] = part
        return b"".join(lines)
    mutable = bytearray(data)
    for spot in rng.integers(len(data), size=rng.integers(1, 9)):
        mutable[spot] = (
            int(rng.integers(256)) if rng.random() < 0.5 else mutable[spot] ^ (1 << int(rng.integers(8)))
        )
    return bytes(mutable)
