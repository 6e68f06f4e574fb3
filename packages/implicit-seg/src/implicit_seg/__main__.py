"""The command `implicit-seg`, or a clear word on what it needs."""

from __future__ import annotations

import sys


def main() -> int:
    """Runs the command; 2 without the extra `cli`."""
    try:
        import rich  # noqa: F401
        import tyro  # noqa: F401
    except ImportError as error:
        print(
            f'implicit-seg: the command needs {error.name}. Install it with: pip install "implicit-seg[cli]"',
            file=sys.stderr,
        )
        return 2
    from implicit_seg._command.main import main as command

    return command()


if __name__ == "__main__":
    raise SystemExit(main())
