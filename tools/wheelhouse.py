"""Builds all wheels for each Python named and installs them as on a machine that has nothing else.

For each interpreter: an environment of the standard library's `venv` with its own pip, an empty home, no
variable of ours but those that say where packages come from, a working folder away from the repository. The
wheels are installed from files, what they need comes from the index. Then each package is imported in a fresh
process, which must not load what it does not need at once; and the examples of its README run.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

from markdown_it import MarkdownIt

ROOT = Path(__file__).parent.parent
HOUSE = ROOT / "dist" / "wheelhouse"
BARE = ROOT / "dist" / "bare"
EXTRAS = {"kspline-core": "torch", "implicit-seg": "train", "fuzzy-metaballs": "fit,mesh"}  # that READMEs use
HEAVY = {"matplotlib", "pandas", "open3d", "skimage", "tyro", "rich"}
HEAVY_FOR = {"kspline-core": {"torch", "jax", "scipy"}, "fuzzy-metaballs": {"torch"}}  # besides HEAVY
NEEDED = ("PIP_", "UV_", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "SSL_CERT", "REQUESTS_CA")

PROBE = """
import sys, time
start, cpu = time.perf_counter(), time.process_time()
import {module}
seconds, cpu = time.perf_counter() - start, time.process_time() - cpu
loaded = sorted(set({heavy}) & set(sys.modules))
assert not loaded, f"import {module} also imports {{loaded}}"
print(f"import {module} {{{module}.__version__}}: {{seconds:.2f}} s, of them {{cpu:.2f}} s computing")
"""


def run(*command: str | Path, cwd: Path, env: dict[str, str] | None = None) -> None:
    """Runs a command in a folder; ends the program where it fails."""
    subprocess.run(command, check=True, cwd=cwd, env=env)


def build(interpreter: str, packages: list[str]) -> list[Path]:
    """Builds the wheels for an interpreter; returns them, one a package."""
    folder = HOUSE / Path(interpreter).name
    for package in packages:
        options = ["--quiet", "--python", interpreter, "--out-dir", folder, "--package", package]
        run("uv", "build", *options, cwd=ROOT)
    return sorted(folder.glob("*.whl"))


def requirement(wheel: Path) -> str:
    """Returns what to ask pip for: the file, with the extras that the README's examples need."""
    extra = EXTRAS.get(wheel.name.partition("-")[0].replace("_", "-"))
    return f"{wheel}[{extra}]" if extra else str(wheel)


def examples(package: str) -> str:
    """Returns the Python blocks of a package's README as one program."""
    tokens = MarkdownIt().parse((ROOT / "packages" / package / "README.md").read_text(encoding="utf-8"))
    fences = [token for token in tokens if token.type == "fence" and token.info.strip() == "python"]
    return "\n".join(token.content for token in fences)


def install(interpreter: str, wheels: list[Path], packages: list[str]) -> None:
    """Installs the wheels in a bare environment of an interpreter, imports them and runs their examples."""
    folder = BARE / Path(interpreter).name
    home = folder / "home"
    home.mkdir(parents=True)
    environment = {name: value for name, value in os.environ.items() if name.upper().startswith(NEEDED)}
    environment |= {"PATH": "/usr/bin:/bin", "HOME": str(home), "OMP_NUM_THREADS": "1"}
    run(interpreter, "-m", "venv", folder / "venv", cwd=home, env=environment)
    python = folder / "venv" / "bin" / "python"
    start = time.perf_counter()
    asked = ["-q", "--only-binary=:all:", *map(requirement, wheels)]
    run(python, "-m", "pip", "install", *asked, cwd=home, env=environment)
    print(f"{interpreter}: {len(wheels)} wheels installed in {time.perf_counter() - start:.0f} s", flush=True)
    run(python, "-m", "pip", "check", cwd=home, env=environment)
    for package in packages:
        heavy = sorted(HEAVY | HEAVY_FOR.get(package, set()))
        probe = PROBE.format(module=package.replace("-", "_"), heavy=heavy)
        for _ in range(2):  # the first compiles
            run(python, "-I", "-c", probe, cwd=home, env=environment)
        program = examples(package)
        (home / "examples.py").write_text(program)
        run(python, "-I", "examples.py", cwd=home, env=environment)
        print(f"{package}: {len(program.splitlines())} lines of examples ran", flush=True)


def main(packages: list[str], interpreters: list[str]) -> None:
    """Builds, installs and tries the packages with each interpreter."""
    for folder in (HOUSE, BARE):
        shutil.rmtree(folder, ignore_errors=True)
    for interpreter in interpreters:
        install(interpreter, build(interpreter, packages), packages)
    shutil.rmtree(BARE)


if __name__ == "__main__":
    separator = sys.argv.index("--")
    main(sys.argv[1:separator], sys.argv[separator + 1 :])
