"""The checks of the other tests are worth something only if the annotations really are checked."""

from __future__ import annotations

import doctest
import importlib
import pkgutil

import pytest
import torch
from jaxtyping import TypeCheckError

import implicit_seg

MODULES = [module.name for module in pkgutil.walk_packages(implicit_seg.__path__, "implicit_seg.")]


def test_a_wrong_type_is_caught():
    with pytest.raises(TypeCheckError):
        implicit_seg.evaluate_spline(torch.zeros(1, 1, 4, 4, dtype=torch.int64), (8, 8))


@pytest.mark.parametrize("name", MODULES)
def test_examples_in_docstrings(name):
    result = doctest.testmod(importlib.import_module(name))
    assert result.failed == 0


def test_the_main_functions_have_an_example():
    finder = doctest.DocTestFinder()
    names = [
        test.name
        for module in MODULES
        for test in finder.find(importlib.import_module(module))
        if test.examples
    ]
    found = {name.rsplit(".", 1)[1] for name in names}
    assert {
        "evaluate_spline",
        "TensorProductSplineHead",
        "UNetImplicit",
        "modica_mortola_energy",
        "train",
    } <= found
