"""A data set on a slow server of our own; run as a script, the command `repro` that knows the set.

The address and the checksum of the set stand in `served.json` of the folder in which the command runs.
"""

from __future__ import annotations

import hashlib
import json
import re
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.metadata import EntryPoint
from pathlib import Path

import numpy as np

PROGRAM = Path(__file__)
PIECE = 1 << 16


def content() -> bytes:
    """An archive of two pictures that do not shrink, some megabytes."""
    import io
    import zipfile

    memory = io.BytesIO()
    noise = np.random.default_rng(0).integers(0, 256, 1 << 21, np.uint8).tobytes()
    with zipfile.ZipFile(memory, "w") as archive:
        for name in ("images/a.bin", "images/b.bin"):
            archive.writestr(zipfile.ZipInfo(name), noise)
    return memory.getvalue()


@contextmanager
def serving(folder: Path, pause: float) -> Iterator[list[str | None]]:
    """Serves it, a piece every `pause` seconds; gives the ranges that were asked for."""
    data = content()
    asked: list[str | None] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            wanted = self.headers.get("Range")
            asked.append(wanted)
            begin = int(re.sub(r"\D", "", wanted)) if wanted else 0
            self.send_response(206 if wanted else 200)
            self.send_header("Content-Length", str(len(data) - begin))
            if wanted:
                self.send_header("Content-Range", f"bytes {begin}-{len(data) - 1}/{len(data)}")
            self.end_headers()
            for place in range(begin, len(data), PIECE):
                self.wfile.write(data[place : place + PIECE])
                time.sleep(pause)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    server.handle_error = lambda *_: None  # clients that are killed are what is tested
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
    served = {
        "url": f"http://127.0.0.1:{server.server_port}/set.zip",
        "sha256": hashlib.sha256(data).hexdigest(),
        "size": len(data),
    }
    (folder / "served.json").write_text(json.dumps(served))
    try:
        yield asked
    finally:
        server.shutdown()
        server.server_close()


def main() -> int:
    from repro import cli, datasets
    from repro.dataset import Dataset, File, require

    served = json.loads(Path("served.json").read_text())
    file = File(
        name="set.zip", urls=(served["url"],), checksum=f"sha256:{served['sha256']}", size=served["size"]
    )
    module = sys.modules["serving"] = sys.modules["__main__"]
    module.SET = Dataset(  # pyright: ignore[reportAttributeAccessIssue]
        name="toy", title="Toy pictures", licence="none", citation="Euler 1744", home="nowhere",
        layout="images/*.bin", check=lambda folder: require(folder, {"images/*.bin": 2}), files=(file,),
    )  # fmt: skip
    datasets.entry_points = lambda: {"toy": EntryPoint("toy", "serving:SET", datasets.GROUP)}
    return cli.main()


if __name__ == "__main__":
    sys.exit(main())
