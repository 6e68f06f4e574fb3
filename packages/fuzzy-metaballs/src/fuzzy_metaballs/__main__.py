"""The command `fuzzy-metaballs`, or a clear word on what it needs."""

from __future__ import annotations

import sys


def main() -> int:
    """Runs the command; 2 without the extra `cli`."""
    try:
        import rich  # noqa: F401
        import tyro  # noqa: F401
    except ImportError as error:
        print(
            f"fuzzy-metaballs: the command needs {error.name}. Install it with: "
            'pip install "fuzzy-metaballs[cli]"',
            file=sys.stderr,
        )
        return 2
    from fuzzy_metaballs._command.main import main as command

    return command()


if __name__ == "__main__":
    raise SystemExit(main())
