"""Checks that all a package makes public has a known type, for a user under pyright's strict rules.

For every public name of every public module, and for every public attribute of its classes, one line of a
program is written that uses it; pyright then reads the programs in strict mode. `pyright --verifytypes` asks
for the same, but does not find PyTorch's and JAX's own types and so calls all that mentions them unknown.
"""

from __future__ import annotations

import importlib
import inspect
import json
import pkgutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import ModuleType

UNKNOWN = [
    "reportAttributeAccessIssue",
    "reportMissingTypeArgument",
    "reportUnknownMemberType",
    "reportUnknownParameterType",
    "reportUnknownVariableType",
    "reportUntypedBaseClass",
    "reportUntypedClassDecorator",
    "reportUntypedFunctionDecorator",
]


def public_modules(package: str) -> Iterator[ModuleType]:
    """Yields a package's public modules: those with `__all__`, no part of whose name begins with `_`."""
    root = importlib.import_module(package)
    names = [package, *(found.name for found in pkgutil.walk_packages(root.__path__, f"{package}."))]
    for name in names:
        if not any(part.startswith("_") for part in name.split(".")):
            module = importlib.import_module(name)
            if hasattr(module, "__all__"):
                yield module


def attributes(cls: type, package: str) -> list[str]:
    """Returns a class's public attributes, those of its bases in the package with them."""
    bases = [base for base in cls.__mro__ if base.__module__.partition(".")[0] == package]
    names = [name for base in bases for name in [*vars(base), *inspect.get_annotations(base)]]
    return sorted({name for name in names if not name.startswith("_")})


def program(module: ModuleType) -> tuple[str, int]:
    """Returns a program that uses every public name of a module, and how many it uses."""
    lines = ["from typing import Any", f"import {module.__name__} as package"]
    uses = 0
    for name in module.__all__:
        lines.append(f"{name}_ = package.{name}")
        value: Any = getattr(module, name)
        uses += 1
        if inspect.isclass(value):
            parameters = ", ".join("Any" for _ in getattr(value, "__parameters__", ()))
            lines.append(f"def of_{name}(it: package.{name}{f'[{parameters}]' if parameters else ''}):")
            used = attributes(value, module.__name__.partition(".")[0])
            uses += len(used)
            lines += [f"    {attribute}_ = it.{attribute}" for attribute in used]
            lines.append("    return it")
    return "\n".join(lines) + "\n", uses


def main(packages: list[str]) -> int:
    """Returns 0 where every type is known, or else prints what is not and returns 1."""
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        counts: dict[str, int] = {}
        for package in packages:
            for module in public_modules(package):
                text, counts[module.__name__] = program(module)
                (folder / f"{module.__name__.replace('.', '_')}_.py").write_text(text)
        rules = {"typeCheckingMode": "off"} | dict.fromkeys(UNKNOWN, "error")
        (folder / "pyrightconfig.json").write_text(json.dumps(rules))
        options = ["--project", str(folder), "--pythonpath", sys.executable]
        status = subprocess.run([sys.executable, "-m", "basedpyright", *options], check=False).returncode
    print("types asked for: " + ", ".join(f"{name} {count}" for name, count in counts.items()))
    return status


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
