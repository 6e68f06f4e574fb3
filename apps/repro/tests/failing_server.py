"""A server that fails on purpose, and files and data sets that it serves."""

from __future__ import annotations

import hashlib
import io
import re
import threading
import time
import zipfile
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from repro.dataset import Dataset, File, require

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

CONTENT = bytes(range(256)) * 2000  # 512 kB: several chunks


def zipped(members: dict[str, bytes], **changes) -> bytes:
    memory = io.BytesIO()
    with zipfile.ZipFile(memory, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            info = zipfile.ZipInfo(name)
            for attribute, value in changes.items():
                setattr(info, attribute, value)
            archive.writestr(info, content)
    return memory.getvalue()


ARCHIVE = zipped({"images/a.png": b"a" * 1000, "images/b.png": b"b" * 1000})


@dataclass
class Server:
    """Serves each path by the behaviour that a test gives it, and keeps every request."""

    url: str = ""
    behave: dict[str, object] = field(default_factory=dict)
    asked: list[tuple[str, str | None]] = field(default_factory=list)


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        state: Server = self.server.state  # pyright: ignore[reportAttributeAccessIssue]
        path = urlsplit(self.path).path  # a proxy is asked for the whole address
        wanted = self.headers.get("Range")
        state.asked.append((self.path, wanted))
        self.close_connection = True
        state.behave[path](self, wanted)

    def log_message(self, *_):
        pass

    def answer(self, status, content=b"", length=None, **headers):
        self.send_response(status)
        self.send_header("Content-Length", str(len(content) if length is None else length))
        self.send_header("Connection", "close")
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(content)


@contextmanager
def listening() -> Iterator[ThreadingHTTPServer]:
    """Answers on a port of its own; its `state` is the `Server` that answers."""
    httpd = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    httpd.daemon_threads = True
    httpd.handle_error = lambda *_: None  # clients that hang up are what is tested
    threading.Thread(target=httpd.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
    yield httpd
    httpd.shutdown()
    httpd.server_close()


def plain(content):
    """A server that knows no ranges."""
    return lambda handler, _: handler.answer(200, content)


def ranged(content, at_most=None):
    """A server that knows ranges, and breaks off after `at_most` bytes of each answer."""

    def give(handler, wanted):
        start = int(re.match(r"bytes=(\d+)-", wanted)[1]) if wanted else 0
        if start >= len(content):
            handler.answer(416, Content_Range=f"bytes */{len(content)}")
            return
        rest = content[start:]
        extra = {"Content_Range": f"bytes {start}-{len(content) - 1}/{len(content)}"} if wanted else {}
        handler.answer(206 if wanted else 200, rest[:at_most], length=len(rest), **extra)

    return give


def broken_off(content, at):
    """A server that always stops after the same bytes and knows no ranges."""
    return lambda handler, _: handler.answer(200, content[:at], length=len(content))


def first(*behaviours):
    """Behaves otherwise at each request; as the last one in the end."""
    left = list(behaviours)
    return lambda handler, wanted: (left.pop(0) if len(left) > 1 else left[0])(handler, wanted)


def says(status):
    return lambda handler, _: handler.answer(status, b"an error page")


def sleeps(handler, _):
    time.sleep(2)
    handler.answer(200, CONTENT)


def sha256(content: bytes) -> str:
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


def file_of(server, content=CONTENT, name="a.bin", *, size=True, path="/a", **changes) -> File:
    return File(
        name=name,
        urls=(server.url + path,),
        checksum=sha256(content),
        size=len(content) if size else None,
        **changes,
    )


def left(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*"))


def set_of(*files: File, name="toy", least=1, **changes) -> Dataset:
    facts = {"title": "Toys", "licence": "CC0", "citation": "Euler 1744", "home": "https://toys.invalid"}
    facts |= {"layout": "images/*.png", "check": lambda folder: require(folder, {"images/*.png": least})}
    return Dataset(name=name, files=files, **(facts | changes))
