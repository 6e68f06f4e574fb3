"""The command `kspline`, as it is called."""

from __future__ import annotations

import csv
import json
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from kspline_core import fit, fit_penalized, select
from kspline_core._cli import main


@pytest.fixture
def signal(tmp_path, rng):
    y = np.repeat([0.0, 4.0, 1.0], [40, 25, 35]) + rng.normal(0, 0.5, 100)
    path = tmp_path / "signal.csv"
    np.savetxt(path, np.column_stack([np.arange(100), y]), delimiter=",", header="t,y", comments="")
    return path, y


def test_pieces_are_listed_written_and_drawn(signal, tmp_path, capsys):
    path, y = signal
    picture, out = tmp_path / "fit.png", tmp_path / "fit.csv"
    words = ["fit", str(path), "--column", "y", "--pieces", "3", "--degree", "1"]
    assert main([*words, "--plot", str(picture), "--out", str(out)]) == 0
    spline = fit(y, 3, 1)
    rows = list(csv.DictReader(out.open()))
    assert [int(row["stop"]) for row in rows] == spline.breakpoints[1:].tolist()
    written = [[float(row["c0"]), float(row["c1"])] for row in rows]
    np.testing.assert_allclose(written, spline.coefficients, rtol=1e-15)
    shown = capsys.readouterr().out
    assert "slope" in shown
    assert all(str(int(b)) in shown for b in spline.breakpoints)
    pixels = np.asarray(Image.open(picture).convert("RGB")).reshape(-1, 3)
    assert len(np.unique(pixels, axis=0)) > 50  # lines, not an empty page
    assert sorted(p.name for p in tmp_path.iterdir()) == ["fit.csv", "fit.png", "signal.csv"]


def test_gaps_and_uneven_samples(tmp_path):
    path = tmp_path / "log.csv"
    path.write_text("time,p\n0,1\n1,1\n5,\n6,9\n10,13\n20,23\n")
    words = [
        "fit",
        str(path),
        "--column",
        "p",
        "--x",
        "time",
        "--pieces",
        "2",
        "--degree",
        "1",
        "--min-size",
        "2",
    ]
    assert main(words) == 2
    assert main([*words, "--missing", "drop", "--out", str(tmp_path / "a.json")]) == 0
    content = json.loads((tmp_path / "a.json").read_text())
    assert content["cost"] == pytest.approx(0, abs=1e-25)
    assert content["coefficients"][1][1] == pytest.approx(1, rel=1e-14)  # slope per unit of time


def test_as_many_pieces_as_a_penalty_allows(signal, tmp_path):
    path, y = signal
    out = tmp_path / "a.json"
    assert main(["fit", str(path), "--column", "y", "--penalty", "4.5", "--out", str(out)]) == 0
    want = fit_penalized(y, 4.5)
    assert want.pieces > 1
    assert json.loads(out.read_text())["breakpoints"] == want.breakpoints.tolist()


def test_the_number_of_pieces_is_chosen(signal, tmp_path, capsys):
    path, y = signal
    picture, out = tmp_path / "a.png", tmp_path / "a.json"
    words = ["choose", str(path), "--column", "y", "--criterion", "mbic", "--max-pieces", "9"]
    assert main([*words, "--plot", str(picture), "--out", str(out)]) == 0
    assert json.loads(out.read_text())["breakpoints"] == fit(y, 3).breakpoints.tolist()
    wide = Image.open(picture)
    assert wide.width > 3 * wide.height  # the criterion beside the fit
    shown = capsys.readouterr().out
    assert "mbic chooses 3 of at most 9 pieces" in shown
    values = select(y, "mbic", max_pieces=9).values
    assert all(f"{value:.6g}" in shown for value in values)
    assert main([*words, "--degree", "1"]) == 2
    assert "criterion='mbic' is derived for degree 0" in capsys.readouterr().err


def test_json_and_npz_hold_the_same(signal, tmp_path):
    path, y = signal
    for name in ("fit.json", "fit.npz"):
        assert main(["fit", str(path), "--column", "1", "--pieces", "4", "--out", str(tmp_path / name)]) == 0
    content = json.loads((tmp_path / "fit.json").read_text())
    arrays = np.load(tmp_path / "fit.npz")
    spline = fit(y, 4)
    assert content["breakpoints"] == arrays["breakpoints"].tolist() == spline.breakpoints.tolist()
    assert content["coefficients"] == arrays["coefficients"].tolist()
    np.testing.assert_array_equal(arrays["values"], spline.values)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["none.csv", "--pieces", "2"], "No such file"),
        (["signal.csv", "--pieces", "2"], "there are 2 columns: t, y. Choose one: --column NAME"),
        (["signal.csv", "--column", "y", "--pieces", "101"], "`pieces` is too large"),
        (
            ["signal.csv", "--column", "y", "--pieces", "2", "--plot", "a.jpeg"],
            "must end in one of .png, .svg",
        ),
        (["signal.csv", "--column", "y", "--pieces", "2", "--out", "none/a.csv"], "there is no folder none"),
        (["signal.csv", "--column", "y"], "or what each breakpoint costs, --penalty P: one of the two"),
        (["signal.csv", "--column", "y", "--pieces", "2", "--penalty", "9"], "say either how many pieces"),
        (["signal.csv", "--column", "y", "--penalty", "0"], "`penalty` must be positive; got 0"),
    ],
)
def test_refusals_end_with_2_and_one_line(signal, monkeypatch, capsys, words, message):
    monkeypatch.chdir(signal[0].parent)
    assert main(["fit", *words]) == 2
    said = capsys.readouterr().err.strip()
    assert message in said
    assert said.startswith("kspline: ")
    assert "Traceback" not in said
    assert [p.name for p in signal[0].parent.iterdir()] == ["signal.csv"]


def test_what_is_missing_is_named():
    for missing in ("tyro", "rich"):
        lines = ("import sys", f"sys.modules[{missing!r}] = None", "from kspline_core import __main__ as m")
        code = "; ".join([*lines, "sys.exit(m.main())"])
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
        assert done.returncode == 2
        assert f'needs {missing}. Install it with: pip install "kspline-core[cli]"' in done.stderr


@pytest.mark.parametrize(
    ("words", "taught"),
    [
        (["--help"], "kspline choose signal.csv --plot out.png"),
        (["fit", "--help"], "How many pieces"),
        (["choose", "--help"], "The most pieces looked at"),
    ],
)
def test_help_teaches(capsys, words, taught):
    with pytest.raises(SystemExit) as end:
        main(words)
    assert end.value.code == 0
    assert taught in capsys.readouterr().out
