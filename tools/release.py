"""What keeps a package from being released: `python tools/release.py NAME`, called by `nox -s release`."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from pathlib import Path


def version(folder: Path) -> str:
    """Returns the version that a package declares."""
    return tomllib.loads((folder / "pyproject.toml").read_text(encoding="utf-8"))["project"]["version"]


def tag(name: str, number: str) -> str:
    """Returns the tag of a release, such as `nurbs-diff-v0.2.0`."""
    return f"{name}-v{number}"


def section(changelog: str, heading: str) -> str | None:
    """Returns what stands under `## [heading]`, None where there is no such heading."""
    pattern = rf"^## \[{re.escape(heading)}\][^\n]*\n(.*?)(?=^## |\Z)"
    found = re.search(pattern, changelog, flags=re.MULTILINE | re.DOTALL)
    return found[1].strip() if found else None


def faults(root: Path, name: str) -> list[str]:
    """Returns a sentence for everything that keeps a package from being released as it stands.

    Args:
        root: of the repository.
        name: of the folder below `packages`.
    """
    found = []
    folder = root / "packages" / name
    number = version(folder)
    if changed := _git(root, "status", "--porcelain"):
        count = len(changed.splitlines())
        found.append(f"The tree is not clean: {count} paths are changed or new. Commit or remove them.")
    changelog = (folder / "CHANGELOG.md").read_text(encoding="utf-8")
    entry = section(changelog, number)
    if not entry:
        found.append(f"{name}/CHANGELOG.md has nothing under [{number}]. Write what changed, with the date.")
    elif not re.search(rf"^## \[{re.escape(number)}\] - \d{{4}}-\d\d-\d\d$", changelog, flags=re.MULTILINE):
        found.append(f"{name}/CHANGELOG.md gives [{number}] no date; write: ## [{number}] - YYYY-MM-DD.")
    if section(changelog, "Unreleased"):
        found.append(f"{name}/CHANGELOG.md has entries under [Unreleased]. Move them under the new version.")
    if _git(root, "tag", "--list", tag(name, number)):
        found.append(f"{tag(name, number)} is a tag already. Raise the version in {name}/pyproject.toml.")
    return found


def _git(root: Path, *arguments: str) -> str:
    ended = subprocess.run(["git", *arguments], cwd=root, capture_output=True, text=True, check=True)
    return ended.stdout.strip()


if __name__ == "__main__":
    if found := faults(Path.cwd(), sys.argv[1]):
        sys.exit("Not released:\n" + "\n".join(f"- {fault}" for fault in found))
