"""The command `kspline`, or a clear word on what it needs."""

from __future__ import annotations

import sys


def main() -> int:
    """Runs the command; 2 without the extra `cli`."""
    try:
        import rich  # noqa: F401
        import tyro  # noqa: F401
    except ImportError as error:
        print(
            f'kspline: the command needs {error.name}. Install it with: pip install "kspline-core[cli]"',
            file=sys.stderr,
        )
        return 2
    from kspline_core import _cli

    return _cli.main()


if __name__ == "__main__":
    raise SystemExit(main())
