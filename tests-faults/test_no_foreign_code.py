"""No line of ours can run code that stands in a file: the syntax trees of all sources are searched for it."""

from __future__ import annotations

import ast
import warnings
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
FOLDERS = ("packages/*/src", "apps/*/src", "tests-common/src", "tools")
SOURCES = sorted(path for folder in FOLDERS for path in ROOT.glob(f"{folder}/**/*.py"))

MODULES = {"pickle", "cPickle", "_pickle", "cloudpickle", "dill", "shelve", "marshal", "joblib", "jsonpickle"}
CALLS = {"eval", "exec", "compile", "__import__", "os.system", "os.popen", "yaml.load", "yaml.unsafe_load"}
MUST = {  # what must stand in the call, word for word
    "torch.load": ("weights_only", True),
    "numpy.load": ("allow_pickle", False),
}
NEVER = {  # where True makes code of data
    "allow_pickle",
    "shell",
}


def faults(source: str) -> Iterator[str]:
    """What a source does that could run code from a file, with its line."""
    tree = ast.parse(source)
    names = _names(tree)
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            imported = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            imported = [node.module or "", *(f"{node.module}.{alias.name}" for alias in node.names)]
        else:
            imported = []
        for name in imported:
            if name.partition(".")[0] in MODULES:
                yield f"line {node.lineno}: imports {name}"
            if name in MUST:
                yield f"line {node.lineno}: imports {name} by itself, so that its calls cannot be told"
        if isinstance(node, ast.Call):
            yield from _faults_of_call(node, names)


def _faults_of_call(call: ast.Call, names: dict[str, str]) -> Iterator[str]:
    name = _dotted(call.func, names)
    keywords = {keyword.arg: keyword.value for keyword in call.keywords}
    if name in CALLS:
        yield f"line {call.lineno}: {name}"
    if name in MUST:
        keyword, value = MUST[name]
        given = keywords.get(keyword)
        if not (isinstance(given, ast.Constant) and given.value is value):
            yield f"line {call.lineno}: {name} without {keyword}={value}"
    for keyword in NEVER & keywords.keys():
        given = keywords[keyword]
        if not (isinstance(given, ast.Constant) and given.value is False):
            yield f"line {call.lineno}: {keyword} other than False"


def _names(tree: ast.AST) -> dict[str, str]:
    """What a name that was imported stands for: `np` for `numpy`."""
    return {
        alias.asname or alias.name.partition(".")[0]: alias.name
        if alias.asname
        else alias.name.partition(".")[0]
        for node in ast.walk(tree)
        if isinstance(node, ast.Import)
        for alias in node.names
    }


def _dotted(function: ast.expr, names: dict[str, str]) -> str:
    parts: list[str] = []
    while isinstance(function, ast.Attribute):
        parts.append(function.attr)
        function = function.value
    if not isinstance(function, ast.Name):
        return ""
    return ".".join([names.get(function.id, function.id), *reversed(parts)])


def test_there_is_something_to_search() -> None:
    assert len(SOURCES) > 200


def test_no_source_can_run_code_from_a_file() -> None:
    found = [f"{path.relative_to(ROOT)}, {fault}" for path in SOURCES for fault in faults(path.read_text())]
    assert not found, "\n".join(found)


@pytest.mark.parametrize(
    "line",
    [
        "import pickle",
        "from pickle import loads",
        "import cloudpickle as c",
        "import joblib.memory",
        "import torch\ntorch.load(path)",
        "import torch as t\nt.load(path, weights_only=False)",
        "import torch\ntorch.load(path, weights_only=safe)",
        "from torch import load",
        "import numpy as np\nnp.load(path)",
        "import numpy\nnumpy.load(path, allow_pickle=True)",
        "read(path, allow_pickle=True)",
        "eval(text)",
        "exec(text)",
        "import os\nos.system(text)",
        "import yaml\nyaml.load(text)",
        "import subprocess\nsubprocess.run(text, shell=True)",
    ],
)
def test_the_search_finds(line: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert list(faults(line))


@pytest.mark.parametrize(
    "line",
    [
        "import re\nre.compile(text)",
        "import torch\ntorch.load(path, weights_only=True)",
        "import numpy as np\nnp.load(path, allow_pickle=False)",
        "model.eval()",
        "import subprocess\nsubprocess.run([text])",
    ],
)
def test_the_search_leaves_in_peace(line: str) -> None:
    assert not list(faults(line))
