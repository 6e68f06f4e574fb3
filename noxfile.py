"""Every check of the project. `uv run nox` runs the default ones; `uv run nox -l` lists all.

Two kinds of environment: the workspace's own (`.venv`, kept in step by `uv run`) for what looks at everything
at once, and a clean one per package, made from its built wheel, for what a user gets from `pip install`.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tomllib
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path

import nox

nox.needs_version = ">=2025.5"
nox.options.default_venv_backend = "uv"
nox.options.error_on_missing_interpreters = True

ROOT = Path(__file__).parent
DIST = ROOT / "dist"
SITE = ROOT / "docs" / "_build" / "html"
SMOKE_RUNS = ROOT / ".nox" / "smoke-runs"
PACKAGES = ["kspline-core", "nurbs-diff", "implicit-seg", "fem-diff", "fuzzy-metaballs"]
BACKENDS = {"fuzzy-metaballs-native": "fuzzy-metaballs"}  # a wheel of its own -> the package whose part it is
MEMBERS = ["packages/*", "apps/*", "tests-common"]
WHEELS = [*PACKAGES, *BACKENDS]
COMPILED = ["kspline-core", *BACKENDS]  # of C++: a wheel for each system and Python
PAPERS = ["metaballs", "dsa", "implicit_splines", "pde_priors"]  # the longest first

# A machine that keeps no bytecode compiles PyTorch anew in every process: 4 s of them, 9 s with its compiler.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
# Test problems are small: one thread is as fast as two on an idle machine, and faster on a busy one.
os.environ.setdefault("OMP_NUM_THREADS", "1")
SIDE_BY_SIDE = ["--numprocesses=logical"]  # so the cores share out the tests instead
QUIET = ["-q", "--durations=3"]

RUN = ["uv", "run", "--group", "sweep"]  # in the workspace's environment, synchronised first
STYLE = {"style": [*RUN, "ruff", "check"], "formatting": [*RUN, "ruff", "format", "--check"]}
TYPES = {
    "types": [*RUN, "basedpyright"],
    "public types": [*RUN, "python", "tools/public_types.py", *(name.replace("-", "_") for name in WHEELS)],
}
# Where JAX's part is small, most of its time goes into compiling; simpler code gives the same answers.
# XLA ends at a flag that it does not know; the last went with JAX 0.11, to which later Pythons are pinned.
COMPILES_QUICKLY = {
    "XLA_FLAGS": "--xla_backend_optimization_level=0 --xla_llvm_disable_expensive_passes=true"
    + (" --xla_cpu_use_fusion_emitters=false" if sys.version_info < (3, 12) else "")
}


def side_by_side(session: nox.Session, commands: dict[str, list[str]], **variables: str) -> None:
    """Runs commands that need nothing of each other, as many at a time as there are cores.

    They start in the order given, so the longest come first; each prints what it has to say when it ends.
    """
    environment = os.environ | variables

    def run(command: list[str]) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False, env=environment
        )

    failed = []
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        running = {pool.submit(run, command): name for name, command in commands.items()}
        for future in as_completed(running):
            name, result = running[future], future.result()
            session.log(f"{' '.join(commands[name])}: exit status {result.returncode}")
            print(result.stdout, flush=True)
            if result.returncode:
                failed.append(name)
    if failed:
        session.error(f"failed: {', '.join(failed)}")


def documentation(session: nox.Session) -> dict[str, list[str]]:
    """The commands that run every example and build the pages, anew."""
    shutil.rmtree(SITE, ignore_errors=True)
    sources = [f"packages/{package}/src" for package in WHEELS]
    options = ["-q", "--durations=5", "--doctest-modules", "--doctest-glob=*.rst"]
    return {
        "the examples": [*RUN, "pytest", *options, "docs", *sources, *session.posargs],
        "the pages": [*RUN, "sphinx-build", "-q", "-W", "--keep-going", "-E", "docs", str(SITE)],
    }


def looked_at(session: nox.Session, *options: str) -> None:
    """Looks at the built pages: every link, and pages of each kind in a browser."""
    session.run(*RUN, "pytest", "-q", "docs/check_site.py", *options, external=True)


@nox.session(venv_backend="none")
def sources(session: nox.Session) -> None:
    """`docs`, `types` and `lint` side by side, as most of what they run keeps one core busy."""
    side_by_side(session, documentation(session) | TYPES | STYLE, **COMPILES_QUICKLY)
    looked_at(session, "-m", "not slow")


@nox.session(venv_backend="none", default=False)
def lint(session: nox.Session) -> None:
    """Style: ruff's rules and its formatting."""
    for command in STYLE.values():
        session.run(*command, external=True)


@nox.session(venv_backend="none", default=False)
def types(session: nox.Session) -> None:
    """Types: pyright over packages and apps; then strictly over all that the packages make public."""
    for command in TYPES.values():
        session.run(*command, external=True)


@nox.session(venv_backend="none", default=False)
def docs(session: nox.Session) -> None:
    """The documentation without a warning, and every example in it and in the docstrings executed."""
    side_by_side(session, documentation(session), **COMPILES_QUICKLY)
    looked_at(session, "-m", "not slow")


@nox.session(venv_backend="none", default=False)
def site(session: nox.Session) -> None:
    """Builds the pages, and looks at every one of them in a browser."""
    session.run(*documentation(session)["the pages"], external=True, env=COMPILES_QUICKLY)
    looked_at(session, *session.posargs)


def build(package: str, folder: Path) -> list[str]:
    """The command that builds a package: a source archive, and from that its wheel."""
    return ["uv", "build", "--quiet", "--out-dir", str(folder), "--package", package]


@nox.session(venv_backend="none", default=False)
def wheels(session: nox.Session) -> None:
    """Builds each package: a source archive, and from that its wheel, into `dist/`."""
    shutil.rmtree(DIST, ignore_errors=True)
    side_by_side(session, {package: build(package, DIST) for package in WHEELS})
    session.log("built " + ", ".join(sorted(wheel.name for wheel in DIST.glob("*.whl"))))


@nox.session(venv_backend="none")
def packages(session: nox.Session) -> None:
    """`installs` and the tests that are not slow for each package, side by side: a core for each.

    The compiled packages are built for the workspace already, by the same build: `installs` and `alone` by
    their names do it once more.
    """
    longest_first = [*reversed(PACKAGES), *BACKENDS]
    tests = {
        f"tests of {package}": [*RUN, "pytest", *QUIET, f"packages/{package}/tests", "-m", "not slow"]
        for package in longest_first
    }
    installs = {
        f"{package} alone": [sys.executable, "-m", "nox", "--session", f"installs({package})"]
        for package in longest_first
        if package not in COMPILED
    }
    side_by_side(session, tests | installs)


@nox.session(default=False)
@nox.parametrize("package", WHEELS, ids=WHEELS)
def installs(session: nox.Session, package: str) -> None:
    """One package as a user gets it: its wheel and what it declares, nothing else; then it is imported."""
    installed(session, package)


def installed(session: nox.Session, package: str) -> Path:
    """Builds a package's wheel and installs it alone; returns the folder of the wheel."""
    module = package.replace("-", "_")
    folder = Path(session.create_tmp())
    shutil.rmtree(folder, ignore_errors=True)
    for needed in [package, *([BACKENDS[package]] if package in BACKENDS else [])]:
        session.run(*build(needed, folder), external=True)
    (wheel,) = folder.glob(f"{module}-*.whl")
    session.install(str(wheel))
    session.run("uv", "pip", "check", external=True)
    session.run("uv", "pip", "list", external=True)
    session.run("python", "-I", "-c", f"import {module}; print({module}.__name__, {module}.__version__)")
    return folder


@nox.session(default=False)
@nox.parametrize("package", WHEELS, ids=WHEELS)
def alone(session: nox.Session, package: str) -> None:
    """`installs`, and then all the package's tests in that environment, away from the repository."""
    folder = installed(session, package)
    session.install("--group", f"{ROOT / 'packages' / package / 'pyproject.toml'}:test")
    if package in BACKENDS:  # its tests compare it with the package that calls it
        session.install(*map(str, folder.glob(f"{BACKENDS[package].replace('-', '_')}-*.whl")))
    tests_away(session, package, folder)


def tests_away(session: nox.Session, package: str, folder: Path) -> None:
    """Runs a package's tests away from the repository: nothing but what is installed can be imported."""
    shutil.rmtree(folder / "tests", ignore_errors=True)
    shutil.copytree(ROOT / "packages" / package / "tests", folder / "tests")
    shutil.copy(ROOT / "packages" / package / "pyproject.toml", folder)
    with session.chdir(folder):
        options = [*QUIET, *SIDE_BY_SIDE]
        session.run("python", "-I", "-m", "pytest", *options, "tests", *session.posargs)


@nox.session(venv_backend="none", default=False)
@nox.parametrize("package", WHEELS, ids=WHEELS)
def tests(session: nox.Session, package: str) -> None:
    """One package's tests in the workspace's environment: the quick way while working on it."""
    session.run(*RUN, "pytest", *SIDE_BY_SIDE, f"packages/{package}/tests", *session.posargs, external=True)


@nox.session(default=False)
def sanitize(session: nox.Session) -> None:
    """kspline-core's C++ tests under the address and undefined-behaviour sanitizers."""
    session.install("cmake", "ninja")
    source, build = str(ROOT / "packages" / "kspline-core"), str(Path(session.create_tmp()) / "build")
    options = ["-DKSPLINE_TESTS=ON", "-DKSPLINE_SANITIZE=ON", "-DKSPLINE_BINDING=OFF"]
    session.run("cmake", "-S", source, "-B", build, "-G", "Ninja", *options)
    session.run("cmake", "--build", build)
    session.run("ctest", "--test-dir", build, "--output-on-failure", *session.posargs)


@nox.session(default=False)
def cad(session: nox.Session) -> None:
    """OpenCASCADE reads what nurbs-diff writes; its wheel is large and needs the system's libGL."""
    package = ROOT / "packages" / "nurbs-diff"
    session.install(str(package), "--group", f"{package / 'pyproject.toml'}:test", "cadquery-ocp-novtk>=8,<9")
    session.run("pytest", "-q", str(package / "tests" / "test_opencascade.py"), *session.posargs)


def smoke(paper: str, runs: Path) -> list[str]:
    """The command that runs each experiment of a paper at its smallest preset and checks its figures."""
    options = ["--preset", "smoke", "--fresh", "--check", "--runs", str(runs)]
    return [*RUN, "repro", "run", paper, *options]


@nox.session(venv_backend="none", default=False)
@nox.parametrize("paper", PAPERS, ids=PAPERS)
def repro(session: nox.Session, paper: str) -> None:
    """Each experiment of one paper at its smallest preset; every figure must lie inside its band."""
    session.run(*smoke(paper, Path(session.create_tmp()) / "runs"), *session.posargs, external=True)


@nox.session(venv_backend="none")
def papers(session: nox.Session) -> None:
    """`repro` for all papers; leaves the runs in `SMOKE_RUNS`."""
    shutil.rmtree(SMOKE_RUNS, ignore_errors=True)
    side_by_side(session, {paper: smoke(paper, SMOKE_RUNS) for paper in PAPERS}, **COMPILES_QUICKLY)


@nox.session(venv_backend="none", requires=["papers"])
def integration(session: nox.Session) -> None:
    """The apps, packages together, and the page over what `papers` has run, in a browser."""
    options = ["-q", "--durations=5", *SIDE_BY_SIDE, "--dist=loadfile"]  # fixtures of a file run experiments
    folders = ["apps", "tests-integration", "tests-faults"]
    tests = ["pytest", *options, *folders, "-m", "not slow", *session.posargs]
    session.run(*RUN, *tests, external=True, env=COMPILES_QUICKLY | {"SMOKE_RUNS": str(SMOKE_RUNS)})


@nox.session(venv_backend="none", default=False)
def faults(session: nox.Session) -> None:
    """`tests-faults` at full size: 60 kills, 3000 damaged files a reader, a sweep over two nodes."""
    sizes = {"FAULTS_KILLS": "60", "FAULTS_CASES": "3000"}
    sizes = {name: os.environ.get(name, size) for name, size in sizes.items()}
    tests = ["tests-faults", "apps/repro/tests/test_sweep_faults.py"]
    session.run(*RUN, "pytest", "-q", *tests, *session.posargs, external=True, env=sizes)


@nox.session(venv_backend="none", default=False)
@nox.parametrize("package", PACKAGES, ids=PACKAGES)
def bench(session: nox.Session, package: str) -> None:
    """One package's benchmarks, each beside its peer; keeps the figures that the documentation shows."""
    results = str(Path(session.create_tmp()) / "results.json")
    folder = f"packages/{package}/benchmarks"
    options = ["--benchmark-only", "--benchmark-columns=min,median,rounds", f"--benchmark-json={results}"]
    session.run(*RUN, "pytest", "-q", folder, *options, *session.posargs, external=True)
    kept = f"docs/packages/{package}/benchmarks.json"
    session.run(*RUN, "python", "docs/benchmark_results.py", results, kept, external=True)


def extras_of(package: str) -> str:
    """The extras that any machine can install, as `[a,b]`: without CUDA's and without a wheel of our own."""
    manifest = tomllib.loads((ROOT / "packages" / package / "pyproject.toml").read_text())
    extras: list[str] = [
        extra
        for extra in manifest["project"].get("optional-dependencies", {})
        if not extra.startswith("cuda") and extra != "native"
    ]
    return f"[{','.join(extras)}]" if extras else ""


def resolved_tests(session: nox.Session, package: str, resolution: str) -> None:
    """One package's tests with versions other than the pins: of its needs, extras and test tools."""
    source = ROOT / "packages" / package
    options = ["--no-config", f"--resolution={resolution}"]  # no-config: the workspace's pins do not count
    needed = [
        f"{package}{extras_of(package)} @ {source.as_uri()}",
        f"piecewise-testing @ {(ROOT / 'tests-common').as_uri()}",
        "--group",
        f"{source / 'pyproject.toml'}:test",
    ]
    session.install(*options, *needed)
    session.run("uv", "pip", "list", external=True)
    tests_away(session, package, Path(session.create_tmp()))


@nox.session(default=False)
@nox.parametrize("package", PACKAGES, ids=PACKAGES)
def lowest(session: nox.Session, package: str) -> None:
    """One package's tests with the lowest versions that it declares."""
    resolved_tests(session, package, "lowest-direct")


@nox.session(default=False)
@nox.parametrize("package", PACKAGES, ids=PACKAGES)
def newest(session: nox.Session, package: str) -> None:
    """One package's tests with the newest versions it admits; `--force-python 3.13` for another Python."""
    resolved_tests(session, package, "highest")


@nox.session(default=False)
def wheelhouse(session: nox.Session) -> None:
    """All wheels, checked by twine, installed by pip on bare Pythons: `-- python3.11 python3.13`."""
    session.install("twine>=6", "markdown-it-py>=3")
    interpreters = session.posargs or ["python3.11"]
    session.run("python", "tools/wheelhouse.py", *WHEELS, "--", *interpreters)
    built = sorted(str(path) for path in (DIST / "wheelhouse").glob("*/*") if path.name != ".gitignore")
    session.run("twine", "check", "--strict", *built)


@nox.session(default=False)
@nox.parametrize("package", WHEELS, ids=WHEELS)
def release(session: nox.Session, package: str) -> None:
    """Builds what is to be published of a package and says the commands; refuses what is not ready."""
    session.run("python", "tools/release.py", package)
    session.install("twine>=6")
    folder = DIST / "release" / package
    shutil.rmtree(folder, ignore_errors=True)
    session.run(*build(package, folder), external=True)
    built = sorted(str(path.relative_to(ROOT)) for path in folder.iterdir() if path.name != ".gitignore")
    session.run("twine", "check", "--strict", *built)
    version = tomllib.loads((ROOT / "packages" / package / "pyproject.toml").read_text())["project"][
        "version"
    ]
    more = ""
    if package in COMPILED:
        more = "\n  # its wheels for other systems: nox -s portable there, or the workflow `wheels`; add them"
    session.log(
        f"ready; nothing has been published. To publish {package} {version}:{more}\n"
        f"  git tag --annotate {package}-v{version} --message '{package} {version}'\n"
        f"  git push origin {package}-v{version}\n"
        f"  twine upload {' '.join(built)}"
    )


@nox.session(default=False)
@nox.parametrize("package", COMPILED, ids=COMPILED)
def portable(session: nox.Session, package: str) -> None:
    """Wheels of a C++ package for this system and every Python, by cibuildwheel (on Linux: with Docker)."""
    session.install("cibuildwheel>=3")
    session.run(
        "cibuildwheel", f"packages/{package}", "--output-dir", str(DIST / "portable"), *session.posargs
    )


@nox.session(venv_backend="none", default=False)
def pins(session: nox.Session) -> None:
    """Renews the pins in the root's `pyproject.toml`: the newest versions that the declared ranges admit.

    Resolved on a copy of the manifests without the present pins; run the default sessions afterwards.
    """
    manifest = (ROOT / "pyproject.toml").read_text()
    begin, end = "# pins: begin", "# pins: end"
    before, rest = manifest.split(begin)
    heading, after = rest.partition("\n")[0], rest.split(end)[1]
    copy = Path(session.create_tmp()) / "manifests"
    shutil.rmtree(copy, ignore_errors=True)
    build_requires: set[str] = {
        "cmake",
        "ninja",
        "editables",
    }  # what the build backends ask for when they run
    for path in [path for members in MEMBERS for path in ROOT.glob(f"{members}/pyproject.toml")]:
        build_requires.update(tomllib.loads(path.read_text())["build-system"]["requires"])
        target = copy / path.relative_to(ROOT)
        target.parent.mkdir(parents=True)
        shutil.copy(path, target)
    (copy / "pyproject.toml").write_text(before + after)
    (copy / "build.in").write_text("\n".join(sorted(build_requires)))

    def resolved(*command: str) -> list[str]:
        output = session.run("uv", *command, external=True, silent=True)
        lines = [line.strip() for line in str(output).splitlines()]
        return sorted(line for line in lines if "==" in line and not line.startswith("#"))

    with session.chdir(copy):
        every = ["--all-packages", "--all-groups", "--all-extras", "--no-emit-workspace"]
        runtime = resolved("export", "--quiet", *every, "--no-hashes", "--no-annotate")
        build = resolved(
            "pip",
            "compile",
            "--quiet",
            "--universal",
            "--no-annotate",
            "--python-version",
            "3.11",
            "build.in",
        )

    def table(name: str, pinned: list[str]) -> str:
        return f"{name} = [\n" + "".join(f'    "{pin}",\n' for pin in pinned) + "]\n"

    block = table("constraint-dependencies", runtime) + table("build-constraint-dependencies", build)
    (ROOT / "pyproject.toml").write_text(f"{before}{begin}{heading}\n{block}{end}{after}")
    session.log(f"pinned {len(runtime)} distributions and {len(build)} build tools")
