from __future__ import annotations

import doctest
import inspect

import pytest
import torch
from jaxtyping import TypeCheckError

import nurbs_diff


@pytest.mark.parametrize(
    "name", [n for n in nurbs_diff.__all__ if n not in ("CloudFit", "CurveFit", "SurfaceFit")]
)
def test_docstring_examples_run(name: str) -> None:
    documented = inspect.unwrap(getattr(nurbs_diff, name))
    tests = doctest.DocTestFinder(recurse=False).find(documented, name, globs=dict(vars(nurbs_diff)))
    assert sum(len(test.examples) for test in tests) > 0
    runner = doctest.DocTestRunner()
    for test in tests:
        runner.run(test)
    assert runner.failures == 0


def test_shape_annotations_are_checked() -> None:
    with pytest.raises(TypeCheckError):
        nurbs_diff.basis_functions(torch.ones(4).long(), 1, torch.zeros(1))


def test_all_names_exist() -> None:
    assert all(hasattr(nurbs_diff, name) for name in nurbs_diff.__all__)
    assert nurbs_diff.__version__ == "0.1.0"
