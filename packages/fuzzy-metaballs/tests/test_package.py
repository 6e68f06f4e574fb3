from __future__ import annotations

import doctest
import importlib
import pkgutil
import subprocess
import sys

import pytest

import fuzzy_metaballs

MODULES = [module.name for module in pkgutil.walk_packages(fuzzy_metaballs.__path__, "fuzzy_metaballs.")]


def test_import_leaves_everything_as_it_was():
    code = (
        "import jax, sys, fuzzy_metaballs\n"
        "from jax._src import xla_bridge\n"
        "assert not jax.config.jax_enable_x64\n"
        "assert not xla_bridge.backends_are_initialized()\n"
        "assert not {'optax', 'skimage', 'matplotlib', 'jaxtyping'} & set(sys.modules), sys.modules\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_everything_public_is_there_and_described():
    for name in fuzzy_metaballs.__all__:
        assert getattr(fuzzy_metaballs, name).__doc__, name


@pytest.mark.parametrize("name", MODULES)
def test_examples_in_docstrings(name):
    module = importlib.import_module(name)
    assert doctest.testmod(module).failed == 0
