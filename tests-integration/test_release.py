"""What `nox -s release` refuses, on a scratch repository."""

from __future__ import annotations

import importlib.util
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from types import ModuleType

CHANGELOG = """# Changelog

## [Unreleased]

## [0.2.0] - 2026-12-01

### Added

- Wings.

## [0.1.0] - 2026-11-21
"""


@pytest.fixture(scope="module")
def release() -> ModuleType:
    path = Path(__file__).parent.parent / "tools" / "release.py"
    specification = importlib.util.spec_from_file_location("release", path)
    assert specification
    assert specification.loader
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module


def git(root: Path, *arguments: str) -> None:
    who = ["-c", "user.name=Euler", "-c", "user.email=euler@example.org"]
    subprocess.run(["git", *who, *arguments], cwd=root, check=True, capture_output=True)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    folder = tmp_path / "packages" / "toy"
    folder.mkdir(parents=True)
    (folder / "pyproject.toml").write_text('[project]\nname = "toy"\nversion = "0.2.0"\n')
    (folder / "CHANGELOG.md").write_text(CHANGELOG)
    git(tmp_path, "init", "-q")
    git(tmp_path, "add", "-A")
    git(tmp_path, "commit", "-q", "-m", "all")
    git(tmp_path, "tag", "toy-v0.1.0")
    git(tmp_path, "tag", "other-v0.2.0")
    return tmp_path


def test_a_package_that_is_ready(release: ModuleType, root: Path) -> None:
    assert release.faults(root, "toy") == []
    assert release.tag("toy", release.version(root / "packages" / "toy")) == "toy-v0.2.0"


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("## [0.2.0] - 2026-12-01", "## [0.1.1] - 2026-12-01", "has nothing under [0.2.0]"),
        ("### Added\n\n- Wings.\n", "", "has nothing under [0.2.0]"),
        (" - 2026-12-01", "", "write: ## [0.2.0] - YYYY-MM-DD"),
        ("## [Unreleased]\n", "## [Unreleased]\n\n- A tail.\n", "has entries under [Unreleased]"),
    ],
)
def test_a_changelog_that_is_not_ready(
    release: ModuleType, root: Path, old: str, new: str, message: str
) -> None:
    (root / "packages" / "toy" / "CHANGELOG.md").write_text(CHANGELOG.replace(old, new))
    git(root, "commit", "-q", "-a", "-m", "changed")
    (fault,) = release.faults(root, "toy")
    assert message in fault


def test_a_version_that_is_tagged(release: ModuleType, root: Path) -> None:
    git(root, "tag", "toy-v0.2.0")
    assert release.faults(root, "toy") == [
        "toy-v0.2.0 is a tag already. Raise the version in toy/pyproject.toml."
    ]


def test_a_tree_that_is_not_clean_and_everything_else_at_once(release: ModuleType, root: Path) -> None:
    (root / "new.txt").write_text("")
    (root / "packages" / "toy" / "CHANGELOG.md").write_text("")
    git(root, "tag", "toy-v0.2.0")
    faults = release.faults(root, "toy")
    assert faults[0] == "The tree is not clean: 2 paths are changed or new. Commit or remove them."
    assert len(faults) == 3
