"""What is said about bad input."""

from __future__ import annotations

import subprocess
import sys
import textwrap

import numpy as np
import pytest

from kspline_core import fit


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"y": [1.0, np.nan, 2.0]}, ValueError, r"`y` must be finite; y\[1\] = nan. Repair it, or give"),
        ({"y": [[1.0, 2.0, 0.0], [0.0, -np.inf, 1.0]]}, ValueError, r"y\[1, 1\] = -inf"),
        ({"y": []}, ValueError, r"`y` must hold at least one sample along its last axis; got shape \(0,\)"),
        ({"y": 3.0}, ValueError, r"got shape \(\)"),
        (
            {"y": np.array([1j, 2.0])},
            TypeError,
            "`y` must hold float32, float64 or integers; got dtype complex128",
        ),
        ({"y": np.array(["a", "b"])}, TypeError, "got dtype <U1"),
        ({"y": np.zeros(5, np.float16)}, TypeError, "got dtype float16. Convert it first, for example"),
        ({"pieces": 0}, ValueError, "`pieces` must be at least 1; got 0"),
        ({"pieces": 2.0}, TypeError, "`pieces` must be an integer; got 2.0 of type float"),
        ({"pieces": True}, TypeError, "`pieces` must be an integer; got True of type bool"),
        (
            {"pieces": 5},
            ValueError,
            "`pieces` is too large: 5 pieces of at least 1 sample need 5 samples of .* 4",
        ),
        ({"pieces": 2, "min_size": 3}, ValueError, "2 pieces of at least 3 samples need 6 samples"),
        ({"degree": 4}, ValueError, "`degree` must be from 0 to 3; got 4"),
        ({"degree": -1}, ValueError, "`degree` must be from 0 to 3; got -1"),
        ({"degree": "1"}, TypeError, "`degree` must be an integer; got '1' of type str"),
        ({"min_size": 0}, ValueError, "`min_size` must be at least 1; got 0"),
        ({"threads": 0}, ValueError, "`threads` must be at least 1; got 0"),
        (
            {"method": "fast"},
            ValueError,
            "`method` must be one of 'auto', 'dense', 'functional', 'lagrangian', 'greedy'; got 'fast'",
        ),
        ({"weights": [1.0, -1.0, 1.0, 1.0]}, ValueError, r"must not be negative; weights\[1\] = -1"),
        (
            {"weights": [1.0, np.nan, 1.0, 1.0]},
            ValueError,
            r"`weights` must be finite; weights\[1\] = nan. Use 0",
        ),
        ({"weights": [1.0, 1.0]}, ValueError, r"`weights` must have the shape of `y`, \(4,\), .* got \(2,\)"),
        (
            {"weights": np.zeros(4)},
            ValueError,
            "1 pieces? of at least 1 sample need 1 samples .* there are 0",
        ),
        (
            {"y": np.zeros((2, 4)), "weights": np.eye(4)[:2], "pieces": 2},
            ValueError,
            "there are 1 of signal 0",
        ),
    ],
)
def test_fit(unchecked, arguments, error, message):
    with pytest.raises(error, match=message):
        unchecked.fit(**{"y": [1.0, 2.0, 4.0, 3.0], "pieces": 1, **arguments})


def test_product_of_another_shape():
    spline = fit(np.zeros((2, 5)), 2)
    with pytest.raises(
        ValueError, match=r"`v` must end in the shape of the fitted values, \(2, 5\); got \(5,\)"
    ):
        spline.jvp(np.zeros(5))
    with pytest.raises(ValueError, match=r"got \(3, 2, 4\)"):
        spline.vjp(np.zeros((3, 2, 4)))


def test_batches_are_not_plotted():
    spline = fit(np.zeros((2, 5)), 2)
    with pytest.raises(ValueError, match=r"`plot` works on one signal, and this is a batch \(2,\). Pick one"):
        spline.plot()
    with pytest.raises(ValueError, match=r"`to_ppoly` works on one signal"):
        spline.to_ppoly()


def test_one_signal_is_not_indexed():
    with pytest.raises(IndexError, match="no batch"):
        fit(np.zeros(5), 2)[0]


@pytest.mark.parametrize(
    ("missing", "statement", "message"),
    [
        ("torch", "import kspline_core.torch", 'pip install "kspline-core[torch]"'),
        ("jax", "import kspline_core.jax", 'pip install "kspline-core[jax]"'),
        ("matplotlib", "fit([1.0, 2.0], 1).plot()", 'pip install "kspline-core[plot]"'),
        ("scipy", "fit([1.0, 2.0], 1).to_ppoly()", "pip install scipy"),
    ],
)
def test_missing_extras_are_named(missing, statement, message):
    program = f"""
        import sys
        sys.modules[{missing!r}] = None  # as if it were not installed
        from kspline_core import fit
        try:
            {statement}
        except ImportError as error:
            print(error)
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(program)], capture_output=True, text=True, check=True
    )
    assert message in done.stdout


def test_missing_core_asks_for_compilation():
    program = "import sys; sys.modules['kspline_core._core'] = None; import kspline_core"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "did you forget to compile?" in done.stderr


def test_import_loads_nothing_heavy():
    heavy = {"torch", "jax", "scipy", "matplotlib"}
    program = f"import sys, kspline_core; print(sorted({heavy} & sys.modules.keys()))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
