"""The command `repro` over two sound toys, for `repro demo`."""

from __future__ import annotations

import importlib.util
import sys

from commands import TOYS


def main() -> int:
    from repro import cli, devices, registry

    specification = importlib.util.spec_from_file_location("toys", TOYS)
    assert specification is not None
    assert specification.loader is not None
    toys = sys.modules["toys"] = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(toys)
    toys.OBJECTS = {"toy.walk": "WALK", "other.walk": "ELSEWHERE"}
    registry.entry_points = toys.entry_points
    devices.sees_cuda = lambda framework: False
    return cli.main()


if __name__ == "__main__":
    sys.exit(main())
