"""The command `nurbs`, or a clear word on what it needs."""

from __future__ import annotations

import sys


def main() -> int:
    """Runs the command; 2 without the extra `cli`."""
    try:
        import rich  # noqa: F401
        import tyro  # noqa: F401
    except ImportError as error:
        print(
            f'nurbs: the command needs {error.name}. Install it with: pip install "nurbs-diff[cli]"',
            file=sys.stderr,
        )
        return 2
    from nurbs_diff._command.main import main as command

    return command()


if __name__ == "__main__":
    raise SystemExit(main())
