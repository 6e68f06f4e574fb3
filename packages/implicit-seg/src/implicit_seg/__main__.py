"""The command `implicit-seg`, or a clear word on what it needs."""

from __future__ import annotations

import os
import sys


def main() -> int:
    """Runs the command; 2 without the extra `cli`. Interrupted, it ends the process at once."""
    try:
        import rich  # noqa: F401
        import tyro  # noqa: F401
    except ImportError as error:
        print(
            f'implicit-seg: the command needs {error.name}. Install it with: pip install "implicit-seg[cli]"',
            file=sys.stderr,
        )
        return 2
    from implicit_seg._command.main import INTERRUPTED
    from implicit_seg._command.main import main as command

    code = command()
    if code == INTERRUPTED:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)  # what is kept is on the disk; PyTorch may take a second to take itself down
    return code


if __name__ == "__main__":
    raise SystemExit(main())
