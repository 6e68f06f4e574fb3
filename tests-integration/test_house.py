"""The rules of the house that a reader would otherwise have to take on trust."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGES = {path.parent.name: path.parent for path in ROOT.glob("packages/*/pyproject.toml")}
APPS = {path.parent.name: path.parent for path in ROOT.glob("apps/*/pyproject.toml")}
MODULES = {name.replace("-", "_"): folder for name, folder in PACKAGES.items()}


def imported(folder: Path) -> set[str]:
    """Returns the top-level names of all modules that the sources below a folder import."""
    names: set[str] = set()
    for source in folder.rglob("*.py"):
        for node in ast.walk(ast.parse(source.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                names.update(alias.name.partition(".")[0] for alias in node.names)
            elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                names.add(node.module.partition(".")[0])
    return names


@pytest.mark.parametrize("module", MODULES)
def test_a_package_imports_no_other_package_and_no_app(module: str) -> None:
    assert imported(MODULES[module] / "src") & (MODULES.keys() | APPS.keys()) <= {module}


@pytest.mark.parametrize("app", APPS)
def test_an_app_imports_repro_and_packages_only(app: str) -> None:
    allowed = {app, "repro"} if app != "repro" else {"repro"}
    assert imported(APPS[app] / "src") & APPS.keys() <= allowed
    if app == "repro":
        assert not imported(APPS[app] / "src") & MODULES.keys()


@pytest.mark.parametrize("folder", [*PACKAGES.values(), *APPS.values()], ids=lambda folder: folder.name)
def test_every_member_is_whole(folder: Path) -> None:
    manifest = tomllib.loads((folder / "pyproject.toml").read_text())["project"]
    assert re.fullmatch(r"\d+\.\d+\.\d+", manifest["version"])
    assert f"[{manifest['version']}]" in (folder / "CHANGELOG.md").read_text()
    assert (folder / "LICENSE").read_bytes() == (ROOT / "LICENSE").read_bytes()
    assert len((folder / "README.md").read_text()) > 500


@pytest.mark.parametrize("module", MODULES)
def test_importing_is_light_and_leaves_the_random_generators_alone(module: str) -> None:
    manifest = tomllib.loads((MODULES[module] / "pyproject.toml").read_text())
    needs = [re.split(r"[^\w-]", line)[0] for line in manifest["project"]["dependencies"]]
    program = f"""
import sys, random
import {", ".join(needs)}  # what they do to the generators is not our doing
import numpy as np
state, legacy = random.getstate(), np.random.get_state()[1].copy()
import {module}
assert random.getstate() == state and (np.random.get_state()[1] == legacy).all()
print(*sys.modules)
"""
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    loaded = set(run.stdout.split())
    heavy = {"matplotlib", "skimage", "sklearn", "accelerate", "optax", "pandas"}
    if module == "kspline_core":
        heavy |= {"torch", "jax", "scipy"}
    assert not loaded & heavy


def test_continuous_integration_runs_the_readme_test_command() -> None:
    readme = (ROOT / "README.md").read_text()
    commands = re.findall(r"^python3 -m venv \.tools .*$", readme, flags=re.MULTILINE)
    assert len(commands) == 2, "the README promises two commands"
    demo, tests = commands
    assert demo.endswith("repro demo")
    assert tests in (ROOT / ".ci" / "run").read_text().splitlines()


def test_download_hosts_are_not_committed() -> None:
    tracked = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True)
    files = tracked.stdout.splitlines()
    assert not [name for name in files if name.endswith("uv.lock")]
    hosts = re.compile("|".join(map(re.escape, ["pypi" + ".org", "pythonhosted" + ".org"])))
    named = [name for name in files if (ROOT / name).suffix in {".toml", ".md", ".py", ".cfg", ".txt"}]
    assert not [name for name in named if (ROOT / name).is_file() and hosts.search((ROOT / name).read_text())]
